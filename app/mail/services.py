"""The outbox's two verbs: queue a message in the caller's transaction, deliver it once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import ColumnElement, delete, or_, select, update

from app import clock
from app.audit import record_audit
from app.config import Settings
from app.db import db, insert_once, make_public_id, retry_conflicts, transaction
from app.errors import NotFound
from app.mail.delivery import DeliveryFailed, deliver
from app.mail.models import Message
from app.mail.rendering import render_message
from app.queue import send_after_commit

log = structlog.get_logger()

LEASE = timedelta(minutes=2)
# Three days, as long as Stripe tries: a mail server may be away for a weekend (F92).
LAST_ATTEMPT = 45
# Some seven hours for a mail that the server refuses for good: a mailbox that does not exist, or not yet.
LAST_REFUSED_ATTEMPT = 12
FIRST_DELAY_SECONDS = 20
LONGEST_DELAY = timedelta(hours=2)
# When a held message is due: never, and still a moment that both databases can store and compare.
HELD = datetime(9999, 1, 1, tzinfo=UTC)


def queue_message(
    *, key: str, template: str, to_address: str, data: dict[str, Any], send_after: datetime | None = None
) -> bool:
    """Put a message in the outbox; call it inside the transaction of its cause.

    Returns False and does nothing when the key is there already, so a cause may be told any number of times.
    """
    settings: Settings = current_app.config["SETTINGS"]
    moment = clock.now()
    row_id = insert_once(
        Message,
        {
            "key": key,
            "template": template,
            "to_address": to_address,
            "data": data,
            "message_id": f"<{make_public_id('msg')}@{settings.public_host.partition(':')[0]}>",
            "created_at": moment,
            "send_after": send_after or moment,
            "attempt_count": 0,
        },
        unique=["key"],
    )
    if row_id is None:
        return False
    send_after_commit("mail.deliver_message", row_id)
    return True


def hold_messages(*, key_prefix: str) -> int:
    """Keep messages that have not gone out from going out until they are released. Inside transaction().

    Returns how many; one that a worker is sending at this moment is not among them.
    """
    held = db.session.scalars(
        update(Message).where(*_is_waiting(key_prefix)).values(send_after=HELD).returning(Message.id)
    ).all()
    return len(held)


def release_messages(*, key_prefix: str, send_after: datetime) -> int:
    """Let held messages go out, from send_after (UTC) on. Inside transaction(). Returns how many."""
    released = db.session.scalars(
        update(Message)
        .where(*_is_waiting(key_prefix), Message.send_after == HELD)
        .values(send_after=send_after)
        .returning(Message.id)
    ).all()
    for message_id in released:
        send_after_commit("mail.deliver_message", message_id)
    return len(released)


def cancel_messages(*, key_prefix: str) -> int:
    """Take back messages that have not gone out, as if they had never been queued. Inside transaction().

    Returns how many; one that a worker is sending at this moment is not among them.
    """
    cancelled = db.session.scalars(delete(Message).where(*_is_waiting(key_prefix)).returning(Message.id)).all()
    return len(cancelled)


def deliver_message(message_id: int) -> None:
    """Send one message if it is due and nobody else is sending it. Safe to call at once from several workers.

    A crash after the server took it and before the row says so repeats it with the same Message-ID (fault F93).
    """
    message = _claim_message(message_id)
    if message is None:
        return
    try:
        deliver(render_message(message))
    except DeliveryFailed as error:
        last = LAST_REFUSED_ATTEMPT if error.is_final else LAST_ATTEMPT
        _record_failure(message_id, str(error), last_attempt=last)
    except Exception as error:
        # A template that fails: the worker's loop logs it; the mail waits as long as for a server (F96).
        db.session.rollback()
        _record_failure(message_id, f"crashed: {type(error).__name__}", last_attempt=LAST_ATTEMPT)
        raise
    else:
        _record_sent(message_id)


@retry_conflicts
def send_failed_messages(limit: int = 200, *, message_id: int | None = None) -> int:
    """Give mails that were given up all their tries again, the oldest first; returns how many. Each goes out once.

    message_id: only this one; 0 then means that it is not, or no longer, among them.
    """
    with transaction() as session:
        failed = select(Message.id).where(Message.failed_at.is_not(None)).order_by(Message.id).limit(limit)
        if message_id is not None:
            failed = failed.where(Message.id == message_id)
        armed = session.execute(
            update(Message)
            .where(Message.id.in_(failed.scalar_subquery()), Message.failed_at.is_not(None), Message.sent_at.is_(None))
            .values(failed_at=None, attempt_count=0, send_after=clock.now(), lease_expires_at=None)
            .returning(Message.id, Message.key)
        ).all()
        for row in armed:
            record_audit(
                action="mail.retried",
                subject_type="mail",
                subject_id=row.key,
                before={"state": "failed"},
                after={"state": "due"},
            )
            send_after_commit("mail.deliver_message", row.id)
    return len(armed)


def list_due_message_ids() -> list[int]:
    """Messages that should have gone out by now, oldest first."""
    moment = clock.now()
    query = (
        select(Message.id)
        .where(Message.sent_at.is_(None), Message.failed_at.is_(None), Message.send_after <= moment)
        .where(or_(Message.lease_expires_at.is_(None), Message.lease_expires_at < moment))
        .order_by(Message.id)
        .limit(200)
    )
    return list(db.session.scalars(query))


def list_recent_messages(limit: int = 100) -> list[Message]:
    """The newest messages, for the demo's mail page."""
    return list(db.session.scalars(select(Message).order_by(Message.id.desc()).limit(limit)))


def get_message(message_id: int) -> Message:
    """One message, for the demo's mail page. Raises NotFound."""
    message = db.session.get(Message, message_id)
    if message is None:
        raise NotFound
    return message


def _is_waiting(key_prefix: str) -> tuple[ColumnElement[bool], ...]:
    return (
        Message.key.startswith(key_prefix, autoescape=True),
        Message.sent_at.is_(None),
        or_(Message.lease_expires_at.is_(None), Message.lease_expires_at < clock.now()),
    )


@retry_conflicts
def _claim_message(message_id: int) -> Message | None:
    moment = clock.now()
    with transaction() as session:
        claimed = session.execute(
            update(Message)
            .where(Message.id == message_id, Message.sent_at.is_(None), Message.failed_at.is_(None))
            .where(Message.send_after <= moment)
            .where(or_(Message.lease_expires_at.is_(None), Message.lease_expires_at < moment))
            .values(lease_expires_at=moment + LEASE, attempt_count=Message.attempt_count + 1)
            .returning(Message.id)
        ).scalar_one_or_none()
        if claimed is None:
            return None
        message = session.get_one(Message, message_id, populate_existing=True)
        if message.attempt_count > LAST_ATTEMPT:
            # Its worker dies each time, and never reaches the place that counts failures.
            message.failed_at = moment
            message.error = message.error or "never finished"
            log.error("message_given_up", message=message_id, template=message.template)
            return None
        return message


@retry_conflicts
def _record_sent(message_id: int) -> None:
    with transaction() as session:
        message = session.get_one(Message, message_id)
        message.sent_at = clock.now()
        message.lease_expires_at = None
        message.error = None
    log.info("message_sent", message=message_id, template=message.template)


@retry_conflicts
def _record_failure(message_id: int, error: str, *, last_attempt: int) -> None:
    with transaction() as session:
        message = session.get_one(Message, message_id)
        message.error = error[:500]
        message.lease_expires_at = None
        delay = timedelta(seconds=FIRST_DELAY_SECONDS * 2 ** min(message.attempt_count - 1, 12))
        message.send_after = clock.now() + min(delay, LONGEST_DELAY)
        if message.attempt_count >= last_attempt:
            message.failed_at = clock.now()
    log.warning("message_failed", message=message_id, attempt=message.attempt_count, error=error[:200])
