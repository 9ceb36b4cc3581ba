"""A seat goes from one hand to another and may come back: what its holder had is written down in JSON's types.

Steps of a larger use case, inside its transaction(), with the seat's row locked.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from app import clock
from app.db import db
from app.enrollment.models import Grant, Seat
from app.enrollment.seat_mails import cancel_invitation_mails
from app.enrollment.seats import seat_user


def take_seat(seat: Seat) -> dict[str, Any]:
    """Free the seat: its holder's grants end, unsent mails and every link that is out die; gives who had it."""
    grants = db.session.execute(
        select(Grant.course_id, Grant.expires_at).where(Grant.seat_id == seat.id, Grant.user_id == seat.claimed_by_id)
    ).all()
    former = {
        "seat_id": seat.id,
        "user_id": seat.claimed_by_id,
        "email": seat.invited_email,
        "ends": {str(course_id): ends.isoformat() if ends is not None else None for course_id, ends in grants},
    }
    db.session.execute(
        update(Grant)
        .where(Grant.seat_id == seat.id, Grant.user_id == seat.claimed_by_id)
        .values(revoked_at=clock.now())
    )
    cancel_invitation_mails(seat)
    seat.claimed_by_id = seat.claimed_at = seat.claim_expires_at = None
    seat.invited_email = seat.invited_at = None
    seat.claim_version += 1
    db.session.flush()
    return former


def give_seat(seat: Seat, *, user_id: int | None, email: str | None, ends: dict[str, str | None]) -> None:
    """Put a person on a free seat, or only write an address on it; access ends when it would have before."""
    seat.invited_email, seat.invited_at = email, clock.now() if email is not None else None
    db.session.flush()
    if user_id is None or not seat_user(seat_id=seat.id, user_id=user_id):
        return
    for course_id, moment in ends.items():
        db.session.execute(
            update(Grant)
            .where(Grant.seat_id == seat.id, Grant.user_id == user_id, Grant.course_id == int(course_id))
            .values(expires_at=datetime.fromisoformat(moment) if moment is not None else None)
        )
