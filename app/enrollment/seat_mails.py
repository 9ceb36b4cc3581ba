"""The mails about a seat: the one whose link takes it, the gift, and the one that says it is gone.

Each is queued inside its cause's transaction(); the link is signed when the mail goes out, so its days count from then.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from app import clock
from app.db import db
from app.enrollment.models import Seat
from app.mail.models import Message
from app.mail.services import cancel_messages, hold_messages, queue_message, release_messages

CLAIM_DAYS = 30
CLAIM_LIFETIME = timedelta(days=CLAIM_DAYS)
CLAIM_PURPOSE = "seat-claim"
# An owner's form must not be a weapon against somebody's mailbox (attack A79).
MAILS_PER_ADDRESS = 5
ADDRESS_WINDOW = timedelta(days=1)
LONGEST_NAME = 80
LOOKS_LIKE_LINK = re.compile(r"[:/@<>]|\w\.\w")
TEMPLATES = ("claim_seat", "gift_seat")


@dataclass(frozen=True, kw_only=True, slots=True)
class Occasion:
    """What an invitation says about where the seat comes from. from_name is "" for a buyer's own seat."""

    titles: tuple[str, ...]
    order_number: str
    from_name: str = ""
    is_gift: bool = False
    recipient_name: str = ""
    message: str = ""


def queue_invitation(*, seat_id: int, occasion: Occasion, again: str = "", send_after: datetime | None = None) -> bool:
    """Queue the mail that lets its reader take the seat, once for each version of the link and each value of again.

    send_after (UTC) is a gift's day; the seat's link lasts 30 days from then. Inside transaction(). Returns whether it
    was queued. Raises ValueError when nobody is invited.
    """
    seat = db.session.get_one(Seat, seat_id, populate_existing=True)
    if seat.invited_email is None:
        raise ValueError("nobody is invited to this seat")
    is_queued = queue_message(
        key=":".join(filter(None, (_key_prefix(seat.public_id), str(seat.claim_version), again))),
        template="gift_seat" if occasion.is_gift else "claim_seat",
        to_address=seat.invited_email,
        data=_write_data(seat, occasion),
        send_after=send_after,
    )
    if is_queued and seat.claimed_by_id is None:
        moment = clock.now()
        seat.claim_expires_at = max(send_after or moment, moment) + CLAIM_LIFETIME
        db.session.flush()
    return is_queued


def queue_seat_lost(*, seat_id: int, to_address: str, titles: tuple[str, ...], cause: str) -> None:
    """Tell a learner that the seat they had is not theirs any more, once for each version of its link.

    cause is "reassigned" or "refunded". Inside transaction().
    """
    seat = db.session.get_one(Seat, seat_id)
    queue_message(
        key=f"seat-lost:{seat.public_id}:{seat.claim_version}:{cause}",
        template="seat_lost",
        to_address=to_address,
        data={
            "titles": list(titles),
            "cause": cause,
            "courses_url": {"path": "/account/courses", "purpose": "", "value": ""},
        },
    )


def cancel_invitation_mails(seat: Seat) -> None:
    """Take back what has not gone out: its link would lead to somebody else's seat. Inside transaction()."""
    cancel_messages(key_prefix=_key_prefix(seat.public_id) + ":")


def let_mails_follow(*, public_id: str, status: str, claim_expires_at: datetime | None) -> None:
    """Hold the seat's unsent mails while it is closed; once it is open they go out, a gift's not before its day.

    Inside transaction().
    """
    prefix = _key_prefix(public_id) + ":"
    if status != "active":
        hold_messages(key_prefix=prefix)
        return
    moment = clock.now()
    planned = claim_expires_at - CLAIM_LIFETIME if claim_expires_at is not None else moment
    if release_messages(key_prefix=prefix, send_after=planned) and planned < moment:
        seat = db.session.scalars(select(Seat).where(Seat.public_id == public_id)).one()
        seat.claim_expires_at = moment + CLAIM_LIFETIME


def may_mail(to_address: str) -> bool:
    """Whether an address may get one more invitation today, whoever asks for it. Inside transaction()."""
    mails = db.session.scalars(
        select(func.count(Message.id)).where(
            Message.to_address == to_address,
            Message.template.in_(TEMPLATES),
            Message.created_at > clock.now() - ADDRESS_WINDOW,
        )
    ).one()
    return mails < MAILS_PER_ADDRESS


def _key_prefix(public_id: str) -> str:
    return f"claim:{public_id}"


def _plain_name(name: str) -> str:
    """The name, or "" for one that mail programs would turn into a link: strangers read it as a word of ours."""
    cleaned = " ".join(name.split())
    return "" if LOOKS_LIKE_LINK.search(cleaned) else cleaned[:LONGEST_NAME]


def _write_data(seat: Seat, occasion: Occasion) -> dict[str, object]:
    data: dict[str, object] = {
        "titles": list(occasion.titles),
        "from_name": _plain_name(occasion.from_name),
        "days": CLAIM_DAYS,
        "claim_url": {
            "path": "/seats/claim/{token}",
            "purpose": CLAIM_PURPOSE,
            "value": [seat.public_id, seat.claim_version],
        },
    }
    if occasion.is_gift:
        return {**data, "recipient_name": _plain_name(occasion.recipient_name), "message": occasion.message}
    return {**data, "order_number": occasion.order_number}
