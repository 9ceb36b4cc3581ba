"""Bundles as tests need them."""

from app.catalog.bundle_edits import BundleEdit, create_bundle
from app.catalog.bundles import get_bundle
from app.catalog.models import Course
from app.catalog.prices import replace_price
from app.db import db


def make_bundle(*courses: Course, title: str = "Both at once", unit_amount: int | None = 15000) -> str:
    """A bundle of these courses, on sale in dollars unless None; gives its public id."""
    made = create_bundle(BundleEdit(title=title, summary="", course_ids=tuple(course.id for course in courses)))
    public_id, product_id = made.public_id, made.id
    if unit_amount is not None:
        replace_price(product_id=product_id, unit_amount=unit_amount, currency="usd")
    db.session.remove()
    return public_id


def find_price_id(slug: str = "both-at-once") -> str:
    """The price that the bundle's page sells it at."""
    db.session.rollback()
    price_id = get_bundle(slug=slug).offer.price_id
    assert price_id is not None
    return price_id
