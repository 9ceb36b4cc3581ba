"""Seats: made when money arrived, claimed by one learner each, suspended and revoked with the money.

The functions that say so are steps of a larger use case and belong inside its transaction().
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from app import clock
from app.accounts.models import User
from app.accounts.services import get_or_create_confirmed_user
from app.db import db, insert_once, make_public_id, retry_conflicts, transaction
from app.enrollment.models import Enrollment, Grant, Seat
from app.errors import AppError
from app.mail.services import queue_message
from app.signing import LinkExpired, LinkInvalid, read_link

CLAIM_DAYS = 30
CLAIM_SECONDS = CLAIM_DAYS * 24 * 60 * 60
CLAIM_PURPOSE = "seat-claim"


class SeatTaken(AppError):
    """Somebody sits on this seat already."""

    code = "seat_taken"
    status = 409
    title = "This link has been used"
    sentence = "The course is already in an account. Sign in with the address the mail went to."


class SeatClosed(AppError):
    """The money behind the seat went back, or is disputed."""

    code = "seat_closed"
    status = 409
    title = "This seat is closed"
    sentence = "The payment behind it was returned or is being disputed. Write to us if that’s a surprise."


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatOffer:
    """What a claim link holds: for the page that asks before it takes the seat."""

    seat_id: int
    email: str
    course_ids: tuple[int, ...]
    is_taken: bool
    is_closed: bool


def issue_seats(
    *, order_item_id: int, product_id: int, quantity: int, courses: Sequence[dict[str, Any]], email: str | None
) -> list[int]:
    """Make the seats of an order item, once however often it is called. Inside transaction()."""
    moment = clock.now()
    for position in range(1, quantity + 1):
        insert_once(
            Seat,
            {
                "public_id": make_public_id("seat"),
                "order_item_id": order_item_id,
                "product_id": product_id,
                "position": position,
                "status": "active",
                "claim_version": 1,
                "claim_expires_at": moment + timedelta(days=CLAIM_DAYS),
                "invited_email": email,
                "courses": [{"course_id": each["course_id"], "access_days": each["access_days"]} for each in courses],
                "gift_message": "",
                "created_at": moment,
            },
            unique=["order_item_id", "position"],
        )
    return list(db.session.scalars(select(Seat.id).where(Seat.order_item_id == order_item_id).order_by(Seat.position)))


def seat_user(*, seat_id: int, user_id: int) -> bool:
    """Give a free, active seat to a person: the conditional update decides the race. Inside transaction().

    Returns False when the seat is not free any more, also when this very person has it.
    """
    moment = clock.now()
    taken = db.session.execute(
        update(Seat)
        .where(Seat.id == seat_id, Seat.claimed_by_id.is_(None), Seat.status == "active")
        .values(claimed_by_id=user_id, claimed_at=moment, claim_expires_at=None)
        .returning(Seat.courses)
    ).scalar_one_or_none()
    if taken is None:
        return False
    for course in taken:
        access_days = course["access_days"]
        insert_once(
            Grant,
            {
                "user_id": user_id,
                "course_id": course["course_id"],
                "seat_id": seat_id,
                "reason": "",
                "granted_at": moment,
                "expires_at": moment + timedelta(days=access_days) if access_days else None,
            },
            unique=["seat_id", "user_id", "course_id"],
        )
        insert_once(
            Enrollment,
            {"user_id": user_id, "course_id": course["course_id"], "created_at": moment},
            unique=["user_id", "course_id"],
        )
    return True


def set_seat_status(*, order_item_ids: Sequence[int], status: str) -> int:
    """Let all seats of the items follow their money: "active", "suspended" or "revoked". Inside transaction().

    Returns how many seats changed.
    """
    moment = clock.now()
    changed = list(
        db.session.scalars(
            update(Seat)
            .where(Seat.order_item_id.in_(order_item_ids), Seat.status != status)
            .values(status=status)
            .returning(Seat.id)
        )
    )
    if changed:
        db.session.execute(
            update(Grant)
            .where(Grant.seat_id.in_(changed))
            .values(
                suspended_at=moment if status == "suspended" else None,
                revoked_at=moment if status == "revoked" else None,
            )
        )
    return len(changed)


def queue_claim_mail(*, seat_id: int, titles: Sequence[str], order_number: str, again: str = "") -> None:
    """Queue the mail with the link that takes the seat, once for each version of the link and each value of again.

    Inside transaction().
    """
    seat = db.session.get_one(Seat, seat_id)
    if seat.invited_email is None:
        raise ValueError("nobody is invited to this seat")
    queue_message(
        key=":".join(filter(None, ("claim", seat.public_id, str(seat.claim_version), again))),
        template="claim_seat",
        to_address=seat.invited_email,
        data={
            "titles": list(titles),
            "order_number": order_number,
            "days": CLAIM_DAYS,
            "claim_url": {
                "path": "/seats/claim/{token}",
                "purpose": CLAIM_PURPOSE,
                "value": [seat.public_id, seat.claim_version],
            },
        },
    )


def get_seat_offer(token: str) -> SeatOffer:
    """What a claim link is for. Raises LinkInvalid, LinkExpired (also when a newer link replaced this one)."""
    value = read_link(CLAIM_PURPOSE, token, max_age_seconds=CLAIM_SECONDS)
    if not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004 - [seat, version]
        raise LinkInvalid
    seat = db.session.scalar(select(Seat).where(Seat.public_id == value[0]))
    if seat is None or seat.invited_email is None:
        raise LinkInvalid
    if seat.claim_version != value[1]:
        raise LinkExpired
    return SeatOffer(
        seat_id=seat.id,
        email=seat.invited_email,
        course_ids=tuple(each["course_id"] for each in seat.courses),
        is_taken=seat.claimed_by_id is not None,
        is_closed=seat.status != "active",
    )


@retry_conflicts
def claim_seat(token: str) -> User:
    """Take the seat of a mailed link into the account of the address it was mailed to, which is made if need be.

    The link proves the address, so the account is confirmed. Raises SeatTaken on the second use, SeatClosed when the
    money went back, LinkInvalid and LinkExpired.
    """
    offer = get_seat_offer(token)
    if offer.is_taken:
        raise SeatTaken
    if offer.is_closed:
        raise SeatClosed
    user = get_or_create_confirmed_user(email=offer.email, name="")
    with transaction():
        if not seat_user(seat_id=offer.seat_id, user_id=user.id):
            raise SeatTaken
    return user
