"""What an owner may see of the seats of an order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select

from app import clock
from app.accounts.models import User
from app.db import db
from app.enrollment.models import Enrollment, LessonProgress, Seat
from app.enrollment.seat_mails import CLAIM_LIFETIME

SeatState = Literal["free", "scheduled", "invited", "expired", "taken", "suspended", "revoked"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatView:
    """A seat of an order; times UTC. email is whom the owner invited, never another address of the learner."""

    public_id: str
    order_item_id: int
    position: int
    state: SeatState
    email: str
    invited_at: datetime | None
    sends_at: datetime | None  # of an invitation that has not gone out yet
    expires_at: datetime | None  # of the newest link
    claimed_at: datetime | None
    claimed_by_id: int | None
    is_used: bool  # a lesson was opened since it was taken


def list_seats(*, order_item_ids: Sequence[int]) -> list[SeatView]:
    """The seats of these order items in their order."""
    seats = db.session.scalars(
        select(Seat)
        .where(Seat.order_item_id.in_(order_item_ids))
        .order_by(Seat.order_item_id, Seat.position)
        .execution_options(populate_existing=True)
    ).all()
    used = _list_used([seat for seat in seats if seat.claimed_by_id is not None])
    unnamed = [seat.claimed_by_id for seat in seats if seat.invited_email is None]
    names = {row.id: row.email for row in db.session.execute(select(User.id, User.email).where(User.id.in_(unnamed)))}
    return [_view(seat, is_used=seat.id in used, fallback=names.get(seat.claimed_by_id or 0, "")) for seat in seats]


def _list_used(seats: Sequence[Seat]) -> set[int]:
    """Ids of the taken seats whose learner opened or finished a lesson since."""
    rows = db.session.execute(
        select(Enrollment.user_id, Enrollment.course_id, Enrollment.last_opened_at).where(
            Enrollment.user_id.in_([seat.claimed_by_id for seat in seats])
        )
    ).all()
    done = db.session.execute(
        select(Enrollment.user_id, Enrollment.course_id, LessonProgress.completed_at)
        .join(LessonProgress, LessonProgress.enrollment_id == Enrollment.id)
        .where(Enrollment.user_id.in_([seat.claimed_by_id for seat in seats]))
    ).all()
    moments: dict[tuple[int, int], datetime] = {}
    for user_id, course_id, moment in [*rows, *done]:
        key = (user_id, course_id)
        if moment is not None and (key not in moments or moment > moments[key]):
            moments[key] = moment
    return {
        seat.id
        for seat in seats
        for course in seat.courses
        if seat.claimed_by_id is not None
        and seat.claimed_at is not None
        and (opened := moments.get((seat.claimed_by_id, course["course_id"]))) is not None
        and opened >= seat.claimed_at
    }


def _view(seat: Seat, *, is_used: bool, fallback: str) -> SeatView:
    sends_at = seat.claim_expires_at - CLAIM_LIFETIME if seat.claim_expires_at is not None else None
    is_scheduled = sends_at is not None and sends_at > clock.now()
    return SeatView(
        public_id=seat.public_id,
        order_item_id=seat.order_item_id,
        position=seat.position,
        state=_name_state(seat, is_scheduled=is_scheduled),
        email=seat.invited_email or fallback,
        invited_at=seat.invited_at,
        sends_at=sends_at if is_scheduled else None,
        expires_at=seat.claim_expires_at,
        claimed_at=seat.claimed_at,
        claimed_by_id=seat.claimed_by_id,
        is_used=is_used,
    )


def _name_state(seat: Seat, *, is_scheduled: bool) -> SeatState:
    if seat.status == "revoked":
        return "revoked"
    if seat.status == "suspended":
        return "suspended"
    if seat.claimed_by_id is not None:
        return "taken"
    if seat.invited_email is None:
        return "free"
    if is_scheduled:
        return "scheduled"
    return "expired" if seat.claim_expires_at is None or seat.claim_expires_at <= clock.now() else "invited"
