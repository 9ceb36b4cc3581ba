"""Who holds a course, for the catalog's question whether it may be deleted."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.catalog.holders import counts_holders
from app.catalog.models import ProductCourse
from app.enrollment.models import Grant, Seat


@counts_holders
def count_people(session: Session, course_id: int) -> int:
    """People with a grant, live or not."""
    return session.scalar(select(func.count(Grant.user_id.distinct())).where(Grant.course_id == course_id)) or 0


@counts_holders
def count_unclaimed_seats(session: Session, course_id: int) -> int:
    """Seats that were bought and not taken; a taken one has its person's grant."""
    seats = (
        select(func.count(Seat.id))
        .join(ProductCourse, ProductCourse.product_id == Seat.product_id)
        .where(ProductCourse.course_id == course_id, Seat.claimed_by_id.is_(None))
    )
    return session.scalar(seats) or 0
