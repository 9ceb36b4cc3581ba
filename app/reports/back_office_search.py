"""The search field of the back-office: orders, learners, courses, events. What may be found the caller says."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app.catalog.models import Course
from app.checkout.models import Order
from app.db import db
from app.payments.models import StripeEvent
from app.reports.order_lists import OrderListRow, shape_order_row
from app.reports.order_search import match_orders
from app.reports.people_search import search_people

MOST_HITS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseHit:
    """A course whose title holds the text."""

    public_id: str
    title: str
    status: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonHit:
    """A learner whom the text names."""

    public_id: str
    name: str
    email: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Hits:
    """What the text found, the newest first, at most 20 of each; event is the id of a stored event of Stripe's."""

    orders: tuple[OrderListRow, ...] = ()
    courses: tuple[CourseHit, ...] = ()
    people: tuple[PersonHit, ...] = ()
    event: str = ""

    @property
    def count(self) -> int:
        """How many things were found. An event and the order it is about are one: the order tells the event.

        So do a learner and their orders: an order's page leads to its learner.
        """
        buyers = {order.email for order in self.orders}
        others = [person for person in self.people if person.email not in buyers]
        return len(self.orders) + len(self.courses) + len(others) + (1 if self.event and not self.orders else 0)


def search_orders(text: str) -> tuple[OrderListRow, ...]:
    """The orders that the text names, newest first."""
    orders = db.session.scalars(
        select(Order)
        .options(selectinload(Order.items))
        .where(match_orders(text))
        .order_by(Order.id.desc())
        .limit(MOST_HITS)
    )
    return tuple(shape_order_row(order) for order in orders)


def search_courses(text: str) -> tuple[CourseHit, ...]:
    """The courses with the text in their title."""
    rows = db.session.execute(
        select(Course.public_id, Course.title, Course.status)
        .where(Course.title.icontains(text, autoescape=True), Course.deleted_at.is_(None))
        .order_by(Course.title)
        .limit(MOST_HITS)
    )
    return tuple(CourseHit(public_id=row.public_id, title=row.title, status=row.status) for row in rows)


def find_people(text: str) -> tuple[PersonHit, ...]:
    """The learners with an account that the text names, newest first."""
    return tuple(PersonHit(public_id=user.public_id, name=user.name, email=user.email) for user in search_people(text))


def find_event_id(text: str) -> str:
    """The stored event of that id, "" for none."""
    return db.session.scalar(select(StripeEvent.id).where(StripeEvent.id == text)) or ""
