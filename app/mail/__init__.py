"""The outbox: Message rows that must go out once, their templates and their delivery."""
