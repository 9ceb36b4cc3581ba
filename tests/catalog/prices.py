"""Prices as tests plan and read them."""

from datetime import datetime, timedelta

from sqlalchemy import select

from app import clock
from app.audit import AuditEntry
from app.catalog.models import Course, Price
from app.catalog.price_plans import plan_sale
from app.catalog.services import get_course_page
from app.checkout.choices import get_choice
from app.checkout.errors import NotOnSale
from app.db import db
from tests.conftest import MovableClock


def shown(course: Course) -> int | None:
    """What the course's page says it costs now."""
    db.session.rollback()
    return get_course_page(slug=course.slug).card.offer.unit_amount


def charged(course: Course) -> int:
    """What a checkout begun from the page of this moment asks for."""
    db.session.rollback()
    price_id = get_course_page(slug=course.slug).card.offer.price_id
    assert price_id is not None
    return get_choice(price_id).price.unit_amount


def is_sold(price_public_id: str) -> bool:
    db.session.rollback()
    try:
        get_choice(price_public_id)
    except NotOnSale:
        return False
    return True


def rows(**where: str) -> list[tuple[int, str, str]]:
    """(amount, kind, status) of every price, in the order they were made."""
    db.session.rollback()
    statement = select(Price).filter_by(**where).order_by(Price.id).execution_options(populate_existing=True)
    return [(each.unit_amount, each.kind, each.status) for each in db.session.scalars(statement)]


def price_actions() -> list[tuple[str, str]]:
    """(action, kind of actor) of what the log says of prices, oldest first."""
    db.session.rollback()
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.subject_type == "price").order_by(AuditEntry.id))
    return [(entry.action, entry.actor_kind) for entry in entries]


def freeze(moving_clock: MovableClock) -> datetime:
    """A whole second that stands still until the test moves it."""
    moment = clock.now().replace(microsecond=0)
    moving_clock.freeze(moment)
    return moment


def sell_cheaper(product_id: int, amount: int, *, days: float = 7, starts_in: float | None = None) -> Price:
    """A sale in dollars, from now or in some days."""
    moment = clock.now()
    starts_at = None if starts_in is None else moment + timedelta(days=starts_in)
    return plan_sale(
        product_id=product_id, unit_amount=amount, currency="usd", starts_at=starts_at,
        ends_at=(starts_at or moment) + timedelta(days=days),
    )  # fmt: skip
