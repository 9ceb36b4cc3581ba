"""Subscribers, with double opt-in."""
