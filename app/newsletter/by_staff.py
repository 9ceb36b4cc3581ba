"""What staff do for a subscriber who asks for it: send the confirmation again, take off, erase, let back in.

Erasing keeps what has to be kept so that the wish holds: a hash of the address, which gets no mail of the newsletter
ever again, and an entry in the audit log without the address.
"""

from typing import Any

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app import clock
from app.audit import record_audit
from app.db import db, retry_conflicts, transaction
from app.errors import AppError, NotFound
from app.mail.models import Message
from app.newsletter.models import Subscriber
from app.newsletter.services import CONFIRM_MAILS_PER_DAY, GONE, erased_address, queue_confirmation

TEMPLATES = ("newsletter_confirm", "newsletter_welcome")
LONGEST_REASON = 200

log = structlog.get_logger()


class NotWaiting(AppError):
    """There is nothing to confirm."""

    code = "not_waiting"
    status = 409
    title = "There is nothing to confirm"
    sentence = "They confirmed, left or were erased meanwhile. Reload the page to see which."


class ConfirmationsUsedUp(AppError):
    """As many confirmations as a day has went out."""

    code = "confirmations_used_up"
    status = 429
    title = "They have enough mails"
    sentence = (
        f"{CONFIRM_MAILS_PER_DAY} mails went out within a day. Ask them to look in the spam folder, or try tomorrow."
    )


def get_subscriber(public_id: str) -> Subscriber:
    """A subscriber as they are now. Raises NotFound."""
    found = db.session.scalar(
        select(Subscriber).where(Subscriber.public_id == public_id).execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("There is no such subscriber.")
    return found


@retry_conflicts
def resend_confirmation(*, public_id: str) -> str:
    """Mail the link that confirms once more; gives the address. Raises NotFound, NotWaiting, ConfirmationsUsedUp."""
    with transaction() as session:
        subscriber = _lock(session, public_id)
        if subscriber.status != "pending":
            raise NotWaiting
        # The link carries the moment: this one is good for as long as one that was asked for now.
        subscriber.requested_at = clock.now()
        session.flush()
        if not queue_confirmation(subscriber):
            raise ConfirmationsUsedUp
        _audit(subscriber, "subscriber.confirmation_resent")
        return subscriber.email


@retry_conflicts
def unsubscribe_for_staff(*, public_id: str, reason: str) -> bool:
    """Take an address off the list because its owner asked; False when it is off. Raises NotFound."""
    with transaction() as session:
        subscriber = _lock(session, public_id)
        if subscriber.status in GONE:
            return False
        before, subscriber.status = subscriber.status, "unsubscribed"
        subscriber.unsubscribed_at = clock.now()
        _audit(
            subscriber, "subscriber.unsubscribed", before={"status": before}, after={"status": "unsubscribed"},
            reason=reason,
        )  # fmt: skip
        log.info("newsletter_left", subscriber=public_id)
        return True


@retry_conflicts
def erase_subscriber(*, public_id: str, reason: str) -> bool:
    """Forget the address, where it came from and its newsletter mails; False when that is done. Raises NotFound."""
    with transaction() as session:
        subscriber = _lock(session, public_id)
        if subscriber.status == "erased":
            return False
        session.execute(
            delete(Message).where(Message.to_address == subscriber.email, Message.template.in_(TEMPLATES))
        )  # fmt: skip
        before, subscriber.status = subscriber.status, "erased"
        subscriber.email, subscriber.source = erased_address(subscriber.email), ""
        subscriber.unsubscribed_at = clock.now()
        _audit(subscriber, "subscriber.erased", before={"status": before}, after={"status": "erased"}, reason=reason)
        log.info("newsletter_erased", subscriber=public_id)
        return True


@retry_conflicts
def allow_again(*, public_id: str, reason: str) -> bool:
    """Let an erased address ask for the newsletter again, because its owner wants to; False when it may. NotFound."""
    with transaction() as session:
        subscriber = _lock(session, public_id)
        if subscriber.status != "erased":
            return False
        _audit(subscriber, "subscriber.allowed_again", before={"status": "erased"}, reason=reason)
        session.delete(subscriber)
        return True


def _lock(session: Session, public_id: str) -> Subscriber:
    subscriber = session.scalar(
        select(Subscriber)
        .where(Subscriber.public_id == public_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if subscriber is None:
        raise NotFound("There is no such subscriber.")
    return subscriber


def _audit(
    subscriber: Subscriber,
    action: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Without the address: an entry is for good."""
    record_audit(
        action=action, subject_type="subscriber", subject_id=subscriber.public_id, before=before, after=after,
        reason=reason.strip()[:LONGEST_REASON],
    )  # fmt: skip
