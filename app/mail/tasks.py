"""The outbox's task and sweep."""

from app.mail.services import deliver_message, list_due_message_ids
from app.queue import sweep, task


@task("mail.deliver_message")
def deliver_message_task(message_id: int) -> None:
    deliver_message(message_id)


@sweep("mail.deliver_message")
def find_due_messages() -> list[int]:
    return list_due_message_ids()
