"""Joining and leaving the newsletter: double opt-in, the same answer for every address, every step repeatable."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select

from app import clock
from app.accounts.emails import normalize_email
from app.accounts.mails import queue_capped, write_and_forget
from app.db import db, insert_once, make_public_id, retry_conflicts, transaction
from app.mail.services import queue_message
from app.newsletter.models import Subscriber
from app.signing import LinkExpired, LinkInvalid, read_link

CONFIRM_PURPOSE = "newsletter-confirm"
UNSUBSCRIBE_PURPOSE = "newsletter-unsubscribe"
CONFIRM_LIFETIME = timedelta(days=7)
CONFIRM_MAILS_PER_DAY = 3
# Leaving must work from any issue ever sent (RFC 8058 asks for at least 60 days).
FOREVER_SECONDS = 100 * 365 * 24 * 3600
LONGEST_SOURCE = 200
GONE = ("unsubscribed", "erased")

log = structlog.get_logger()


@retry_conflicts
def subscribe(*, email: str, source: str) -> None:
    """Ask the owner of an address by mail whether they want the newsletter. Raises InvalidInput (field "email").

    Known, waiting, confirmed or gone: the caller cannot tell. A confirmed address gets no mail, others at most
    CONFIRM_MAILS_PER_DAY. An address that was erased gets none: whoever types it in may be anybody.
    """
    address = normalize_email(email)
    moment = clock.now()
    with transaction() as session:
        if session.scalar(select(Subscriber.id).where(Subscriber.email == erased_address(address))) is not None:
            write_and_forget(to_address=address)
            return
        values = {
            "public_id": make_public_id("sub"), "email": address, "status": "pending", "source": "",
            "request_count": 0, "requested_at": moment,
        }  # fmt: skip
        insert_once(Subscriber, values, unique=["email"])
        subscriber = session.scalars(
            select(Subscriber)
            .where(Subscriber.email == address)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).one()
        subscriber.request_count += 1
        subscriber.requested_at = moment
        if subscriber.status == "confirmed":
            return
        subscriber.status = "pending"
        subscriber.source = " ".join(source.split())[:LONGEST_SOURCE]
        session.flush()
        queue_confirmation(subscriber)


@retry_conflicts
def confirm(*, token: str) -> Subscriber:
    """Put the address on the list; again changes nothing. Raises LinkExpired (old, or they left since), LinkInvalid."""
    public_id, asked_at = _read_confirm_token(token)
    moment = clock.now()
    with transaction() as session:
        found = session.scalar(select(Subscriber).where(Subscriber.public_id == public_id).with_for_update())
        subscriber = _check_confirmable(found, asked_at)
        if subscriber.status == "confirmed":
            return subscriber
        subscriber.status = "confirmed"
        subscriber.confirmed_at = moment
        subscriber.unsubscribed_at = None
        queue_message(
            key=f"newsletter-welcome:{subscriber.public_id}:{asked_at}", template="newsletter_welcome",
            to_address=subscriber.email, data={"unsubscribe_url": make_unsubscribe_link(subscriber)},
        )  # fmt: skip
        log.info("newsletter_confirmed", subscriber=subscriber.public_id)
        return subscriber


@retry_conflicts
def unsubscribe(*, token: str) -> Subscriber:
    """Take the address off the list; again changes nothing. Raises LinkInvalid."""
    public_id = _read_unsubscribe_token(token)
    with transaction() as session:
        subscriber = session.scalar(select(Subscriber).where(Subscriber.public_id == public_id).with_for_update())
        if subscriber is None:
            raise LinkInvalid
        if subscriber.status not in GONE:
            subscriber.status = "unsubscribed"
            subscriber.unsubscribed_at = clock.now()
            log.info("newsletter_left", subscriber=subscriber.public_id)
        return subscriber


def queue_confirmation(subscriber: Subscriber) -> bool:
    """Mail the link that confirms, in the caller's transaction; False when the address had its share of today."""
    link = {
        "path": "/newsletter/confirm/{token}", "purpose": CONFIRM_PURPOSE,
        "value": [subscriber.public_id, _milliseconds(subscriber.requested_at)],
    }  # fmt: skip
    return queue_capped(
        key_prefix=f"newsletter-confirm:{subscriber.public_id}", template="newsletter_confirm",
        to_address=subscriber.email, data={"confirm_url": link}, per_day=CONFIRM_MAILS_PER_DAY,
    )  # fmt: skip


def erased_address(email: str) -> str:
    """What stands for a (normalized) address once it was erased: the same for the same address, and not readable."""
    return "erased:" + hashlib.sha256(email.encode()).hexdigest()


def check_confirm_link(*, token: str) -> None:
    """For the page before the button. Raises LinkExpired, LinkInvalid."""
    public_id, asked_at = _read_confirm_token(token)
    _check_confirmable(_find(public_id), asked_at)


def check_unsubscribe_link(*, token: str) -> None:
    """For the page before the button. Raises LinkInvalid."""
    if _find(_read_unsubscribe_token(token)) is None:
        raise LinkInvalid


def make_unsubscribe_link(subscriber: Subscriber) -> dict[str, Any]:
    """The data of the link that every issue carries, in its text and in its List-Unsubscribe header."""
    return {
        "path": "/newsletter/unsubscribe/{token}", "purpose": UNSUBSCRIBE_PURPOSE, "value": subscriber.public_id,
    }  # fmt: skip


def _read_confirm_token(token: str) -> tuple[str, int]:
    value = read_link(CONFIRM_PURPOSE, token, max_age_seconds=FOREVER_SECONDS)
    public_id, asked_at = str(value[0]), int(value[1])
    if _milliseconds(clock.now() - CONFIRM_LIFETIME) >= asked_at:
        raise LinkExpired
    return public_id, asked_at


def _read_unsubscribe_token(token: str) -> str:
    return str(read_link(UNSUBSCRIBE_PURPOSE, token, max_age_seconds=FOREVER_SECONDS))


def _find(public_id: str) -> Subscriber | None:
    return db.session.scalar(select(Subscriber).where(Subscriber.public_id == public_id))


def _check_confirmable(subscriber: Subscriber | None, asked_at: int) -> Subscriber:
    if subscriber is None or subscriber.status == "erased":
        raise LinkInvalid
    left_at = subscriber.unsubscribed_at
    if left_at is not None and _milliseconds(left_at) >= asked_at:
        # They left after this mail was asked for: only a newer one may bring them back.
        raise LinkExpired
    return subscriber


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
