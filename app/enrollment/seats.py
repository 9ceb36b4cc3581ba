"""Seats: made when money arrived, claimed by one learner each, suspended and revoked with the money.

The functions that say so are steps of a larger use case and belong inside its transaction().
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, select, update

from app import clock
from app.accounts.models import User
from app.accounts.services import get_or_create_confirmed_user, proved_email
from app.db import db, insert_once, make_public_id, retry_conflicts, transaction
from app.enrollment.models import Enrollment, Grant, Seat
from app.enrollment.seat_mails import CLAIM_DAYS, CLAIM_LIFETIME, CLAIM_PURPOSE, let_mails_follow
from app.errors import AppError
from app.signing import LinkExpired, LinkInvalid, read_link

__all__ = [
    "CLAIM_DAYS",
    "CLAIM_PURPOSE",
    "AddressUnproved",
    "InvitationReplaced",
    "SeatClosed",
    "SeatOffer",
    "SeatTaken",
    "claim_seat",
    "claim_seat_into",
    "find_seat_of_link",
    "get_seat_offer",
    "issue_seats",
    "seat_user",
    "set_seat_statuses",
]

CLAIM_SECONDS = CLAIM_DAYS * 24 * 60 * 60
# A link that is over still says whose new link may be asked for.
RENEWABLE_SECONDS = 10 * 365 * 24 * 60 * 60


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


class InvitationReplaced(LinkExpired):
    """The owner took the invitation back or gave the seat to somebody else."""

    code = "invitation_replaced"
    title = "This invitation was withdrawn"
    sentence = "Ask the person who invited you. They can send a new one."


class AddressUnproved(AppError):
    """The signed-in account's own address was never confirmed: a seat in it might end up with a stranger."""

    code = "address_unproved"
    status = 409
    title = "Confirm your email address first"
    sentence = "Open the link in the mail we sent when you registered, then take the seat."


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatOffer:
    """What a claim link holds: for the page that asks before it takes the seat."""

    seat_id: int
    email: str
    course_ids: tuple[int, ...]
    is_taken: bool
    is_closed: bool
    order_item_id: int
    claim_version: int
    claimed_by_id: int | None


def issue_seats(
    *,
    order_item_id: int,
    product_id: int,
    courses: Sequence[dict[str, Any]],
    invited_emails: Sequence[str | None],
    gift_message: str = "",
) -> list[int]:
    """Make a seat for each of invited_emails (None: nobody yet), once however often it is called. Inside transaction().

    Returns the seats' ids in that order.
    """
    moment = clock.now()
    for position, email in enumerate(invited_emails, start=1):
        insert_once(
            Seat,
            {
                "public_id": make_public_id("seat"),
                "order_item_id": order_item_id,
                "product_id": product_id,
                "position": position,
                "status": "active",
                "claim_version": 1,
                "claim_expires_at": moment + CLAIM_LIFETIME if email is not None else None,
                "invited_email": email,
                "invited_at": moment if email is not None else None,
                "courses": [{"course_id": each["course_id"], "access_days": each["access_days"]} for each in courses],
                "gift_message": gift_message,
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
        source = {"seat_id": seat_id, "user_id": user_id, "course_id": course["course_id"]}
        terms = {"granted_at": moment, "expires_at": moment + timedelta(days=access_days) if access_days else None}
        if insert_once(Grant, {**source, **terms, "reason": ""}, unique=list(source)) is None:
            # They had this very seat before, and lost it to a reassignment.
            db.session.execute(update(Grant).filter_by(**source).values(**terms, revoked_at=None, suspended_at=None))
        insert_once(
            Enrollment,
            {"user_id": user_id, "course_id": course["course_id"], "created_at": moment},
            unique=["user_id", "course_id"],
        )
    return True


def set_seat_statuses(*, order_item_ids: Sequence[int], status: str, refunded_seat_ids: Collection[int]) -> int:
    """Let the items' seats follow their money: the refunded ones are "revoked", all others get status.

    status is "active", "suspended" or "revoked". The present holders' grants and the mails that have not gone out
    follow; a claim link works again when its seat does. Inside transaction(), any number of times. Returns how many
    seats changed.
    """
    refunded = sorted(refunded_seat_ids)
    changed = _move_seats(Seat.order_item_id.in_(order_item_ids), Seat.id.in_(refunded), status="revoked")
    changed += _move_seats(Seat.order_item_id.in_(order_item_ids), Seat.id.not_in(refunded), status=status)
    return changed


def _move_seats(*conditions: ColumnElement[bool], status: str) -> int:
    moment = clock.now()
    changed = db.session.execute(
        update(Seat)
        .where(*conditions, Seat.status != status)
        .values(status=status)
        .returning(Seat.id, Seat.public_id, Seat.claimed_by_id, Seat.claim_expires_at)
    ).all()
    for seat in changed:
        # A former holder's grant was revoked for good when the seat went to somebody else.
        db.session.execute(
            update(Grant)
            .where(Grant.seat_id == seat.id, Grant.user_id == seat.claimed_by_id)
            .values(
                suspended_at=moment if status == "suspended" else None,
                revoked_at=moment if status == "revoked" else None,
            )
        )
        let_mails_follow(public_id=seat.public_id, status=status, claim_expires_at=seat.claim_expires_at)
    return len(changed)


def get_seat_offer(token: str) -> SeatOffer:
    """What a claim link is for. Raises LinkInvalid, LinkExpired after 30 days, InvitationReplaced."""
    value = read_link(CLAIM_PURPOSE, token, max_age_seconds=CLAIM_SECONDS)
    seat = _find_seat(value)
    if seat is None:
        raise LinkInvalid
    if seat.invited_email is None or seat.claim_version != value[1]:
        raise InvitationReplaced
    return SeatOffer(
        seat_id=seat.id,
        email=seat.invited_email,
        course_ids=tuple(each["course_id"] for each in seat.courses),
        is_taken=seat.claimed_by_id is not None,
        is_closed=seat.status != "active",
        order_item_id=seat.order_item_id,
        claim_version=seat.claim_version,
        claimed_by_id=seat.claimed_by_id,
    )


def find_seat_of_link(token: str) -> Seat | None:
    """The seat that a claim link is or was for, as long as nobody else was invited since. Raises LinkInvalid."""
    value = read_link(CLAIM_PURPOSE, token, max_age_seconds=RENEWABLE_SECONDS)
    seat = _find_seat(value)
    return seat if seat is not None and seat.claim_version == value[1] else None


@retry_conflicts
def claim_seat(token: str) -> User:
    """Take the seat of a mailed link into the account of the address it was mailed to, which is made if need be.

    The link proves the address, so the account is confirmed. Raises SeatTaken on the second use, SeatClosed when the
    money went back, LinkInvalid, LinkExpired and InvitationReplaced.
    """
    offer = _get_open_offer(token)
    user = get_or_create_confirmed_user(email=offer.email, name="")
    with transaction():
        _take(offer, user_id=user.id)
    return user


@retry_conflicts
def claim_seat_into(token: str, *, user_id: int) -> None:
    """Take the seat of a mailed link into another account than the one it was mailed to, for its signed-in owner.

    Whoever holds the link could take the seat into the invited address's account and open the course there, so this
    gives nobody anything more; but only on an explicit wish that named the account (payments.md P12): a link opened in
    a browser that is signed in as somebody else must not move the seat by itself. Raises AddressUnproved, and what
    claim_seat() raises.
    """
    offer = _get_open_offer(token)
    user = db.session.get_one(User, user_id)
    if proved_email(user) is None:
        raise AddressUnproved
    with transaction():
        _take(offer, user_id=user_id)


def _get_open_offer(token: str) -> SeatOffer:
    offer = get_seat_offer(token)
    if offer.is_taken:
        raise SeatTaken
    if offer.is_closed:
        raise SeatClosed
    return offer


def _take(offer: SeatOffer, *, user_id: int) -> None:
    """The link was good when it was read; here it must still be, with the seat's row held until the end."""
    version = db.session.scalar(select(Seat.claim_version).where(Seat.id == offer.seat_id).with_for_update())
    if version != offer.claim_version:
        raise InvitationReplaced
    if not seat_user(seat_id=offer.seat_id, user_id=user_id):
        raise SeatTaken


def _find_seat(value: Any) -> Seat | None:
    """The seat of a link's value [public id, version]. Raises LinkInvalid for any other value."""
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str):  # noqa: PLR2004 - the pair
        raise LinkInvalid
    return db.session.scalar(select(Seat).where(Seat.public_id == value[0]).execution_options(populate_existing=True))
