"""Who holds a course, for the catalog's question whether it may be hidden or deleted."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.catalog.holders import Holders, counts_holders
from app.catalog.models import ProductCourse
from app.enrollment.models import Grant, Seat


@counts_holders
def count_people(session: Session, course_id: int) -> Holders:
    """People with a grant."""
    people = select(func.count(Grant.user_id.distinct())).where(Grant.course_id == course_id)
    return Holders(now=session.scalar(people.where(Grant.revoked_at.is_(None))) or 0, ever=session.scalar(people) or 0)


@counts_holders
def count_unclaimed_seats(session: Session, course_id: int) -> Holders:
    """Seats that were bought and not taken yet; a taken one has its person's grant."""
    seats = (
        select(func.count(Seat.id))
        .join(ProductCourse, ProductCourse.product_id == Seat.product_id)
        .where(ProductCourse.course_id == course_id, Seat.claimed_by_id.is_(None))
    )
    return Holders(now=session.scalar(seats.where(Seat.status != "revoked")) or 0, ever=session.scalar(seats) or 0)
