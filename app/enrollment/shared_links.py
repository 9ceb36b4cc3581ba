"""One link for a whole team: whoever has it gets a seat, up to its limit and while seats are free."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select, update

from app import clock
from app.accounts.models import User
from app.accounts.services import proved_email
from app.db import db, make_public_id, retry_conflicts, transaction
from app.enrollment.invitations import AddressHasSeat, list_addresses, lock_item, reserve_seat
from app.enrollment.models import Seat, SeatLink
from app.enrollment.seat_mails import Occasion, may_mail, queue_invitation
from app.enrollment.seats import AddressUnproved, seat_user
from app.enrollment.services import list_open_course_ids
from app.errors import AppError, InvalidInput, NotFound
from app.signing import LinkExpired, LinkInvalid, read_link, sign_link

log = structlog.get_logger()

LINK_LIFETIME = timedelta(days=30)
JOIN_PURPOSE = "seat-join"
# The row says when the link ends; this outer bound only keeps the signature from living for ever.
LONGEST_SECONDS = 10 * 365 * 24 * 3600
ASK_THE_OWNER = "Ask the person who sent it to you. They can make a new one."


class LinkFull(AppError):
    """All the seats this link may give out are taken."""

    code = "link_full"
    status = 409
    title = "Every seat is taken"
    sentence = "Ask the person who sent you the link. They can add seats or raise its limit."


class AlreadyJoined(AppError):
    """This person has what the link offers."""

    code = "already_joined"
    status = 409
    title = "You’re in already"
    sentence = "You have this course, so the seat stays free for somebody else."


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedLink:
    """A link as its owner and its readers may see it; left is how many more it gives out now."""

    public_id: str
    order_item_id: int
    limit_count: int
    used_count: int
    left: int
    expires_at: datetime
    course_ids: tuple[int, ...]

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= clock.now()


@retry_conflicts
def open_shared_link(*, order_item_id: int, limit_count: int) -> None:
    """Make the item's shared link for 30 days; one that was out before stops working.

    Raises InvalidInput (field "limit") for a limit below 1 or above the number of seats, NotFound.
    """
    with transaction() as session:
        lock_item(order_item_id)
        seats = session.scalars(select(func.count(Seat.id)).where(Seat.order_item_id == order_item_id)).one()
        if not seats:
            raise NotFound
        if not 1 <= limit_count <= seats:
            raise InvalidInput(f"Enter a number from 1 to {seats}.", field="limit")
        _switch_off(order_item_id)
        moment = clock.now()
        session.add(
            SeatLink(
                public_id=make_public_id("slk"), order_item_id=order_item_id, limit_count=limit_count, used_count=0,
                created_at=moment, expires_at=moment + LINK_LIFETIME,
            )
        )  # fmt: skip


@retry_conflicts
def close_shared_link(*, order_item_id: int) -> None:
    """Switch the item's shared link off. Seats it gave out stay with their people; any number of calls."""
    with transaction():
        lock_item(order_item_id)
        _switch_off(order_item_id)


def find_shared_link(*, order_item_id: int) -> SharedLink | None:
    """The item's link that is switched on, expired or not."""
    link = db.session.scalars(
        select(SeatLink)
        .where(SeatLink.order_item_id == order_item_id, SeatLink.revoked_at.is_(None))
        .order_by(SeatLink.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    ).one_or_none()
    return None if link is None else _show(link)


def make_join_token(link: SharedLink) -> str:
    """What stands in the link's address."""
    return sign_link(JOIN_PURPOSE, link.public_id)


def get_shared_link(token: str) -> SharedLink:
    """The link of a token. Raises LinkInvalid, LinkExpired (also when it was switched off or renewed)."""
    public_id = read_link(JOIN_PURPOSE, token, max_age_seconds=LONGEST_SECONDS)
    if not isinstance(public_id, str):
        raise LinkInvalid
    link = db.session.scalars(
        select(SeatLink).where(SeatLink.public_id == public_id).execution_options(populate_existing=True)
    ).one_or_none()
    if link is None:
        raise LinkInvalid
    if link.revoked_at is not None or link.expires_at <= clock.now():
        raise LinkExpired(ASK_THE_OWNER)
    return _show(link)


@retry_conflicts
def join_by_mail(*, token: str, email: str, occasion: Occasion) -> None:
    """Keep a seat for an address (normalized) and mail it the link that takes it.

    An address that has a seat of this order gets no second one, and its asker the same answer; one that had its share
    of mails today is kept a seat and gets the mail when the owner sends it. Raises LinkInvalid, LinkExpired, LinkFull.
    """
    link = get_shared_link(token)
    if not link.left:
        raise LinkFull
    try:
        with transaction():
            seat_id = _take_one(link, email=email)
            if may_mail(email):
                queue_invitation(seat_id=seat_id, occasion=occasion)
    except AddressHasSeat:
        log.info("joined_before", link=link.public_id)


@retry_conflicts
def join_into(*, token: str, user_id: int) -> None:
    """Take one of the link's seats for a signed-in person; one that was kept for their address before any other.

    Raises LinkInvalid, LinkExpired, LinkFull, AlreadyJoined, AddressHasSeat, AddressUnproved.
    """
    link = get_shared_link(token)
    email = proved_email(db.session.get_one(User, user_id))
    if email is None:
        raise AddressUnproved
    if set(link.course_ids) <= list_open_course_ids(user_id=user_id):
        raise AlreadyJoined
    with transaction():
        lock_item(link.order_item_id)
        seat_id = _find_kept_seat(link.order_item_id, email) or _take_one(link, email=email)
        if not seat_user(seat_id=seat_id, user_id=user_id):
            raise LinkFull


def _take_one(link: SharedLink, *, email: str) -> int:
    """Count one use and write the address on a free seat, both or neither. Inside transaction()."""
    lock_item(link.order_item_id)
    if email in list_addresses(link.order_item_id):
        raise AddressHasSeat
    if not count_use(link.public_id):
        raise LinkFull
    seat_id = reserve_seat(order_item_id=link.order_item_id, email=email)
    if seat_id is None:
        raise LinkFull
    return seat_id


def count_use(public_id: str) -> bool:
    """One more use of a link that has one left: the conditional update decides. Inside transaction()."""
    counted = db.session.execute(
        update(SeatLink)
        .where(SeatLink.public_id == public_id, SeatLink.used_count < SeatLink.limit_count)
        .where(SeatLink.revoked_at.is_(None), SeatLink.expires_at > clock.now())
        .values(used_count=SeatLink.used_count + 1)
        .returning(SeatLink.id)
    ).scalar_one_or_none()
    return counted is not None


def _find_kept_seat(order_item_id: int, email: str) -> int | None:
    return db.session.scalar(
        select(Seat.id)
        .where(Seat.order_item_id == order_item_id, Seat.invited_email == email)
        .where(Seat.claimed_by_id.is_(None), Seat.status == "active")
        .limit(1)
    )


def _switch_off(order_item_id: int) -> None:
    db.session.execute(
        update(SeatLink)
        .where(SeatLink.order_item_id == order_item_id, SeatLink.revoked_at.is_(None))
        .values(revoked_at=clock.now())
    )


def _show(link: SeatLink) -> SharedLink:
    seats = db.session.scalars(select(Seat).where(Seat.order_item_id == link.order_item_id)).all()
    free = sum(
        1 for seat in seats if seat.status == "active" and seat.claimed_by_id is None and seat.invited_email is None
    )
    return SharedLink(
        public_id=link.public_id,
        order_item_id=link.order_item_id,
        limit_count=link.limit_count,
        used_count=link.used_count,
        left=min(free, link.limit_count - link.used_count),
        expires_at=link.expires_at,
        course_ids=tuple(sorted({each["course_id"] for seat in seats for each in seat.courses})),
    )
