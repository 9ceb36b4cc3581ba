"""Every course with what it costs and how many seats are taken: what the person who runs the shop looks at."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import select

from app.catalog.models import Course, Price, Product
from app.catalog.offers import OWN_PRODUCT
from app.catalog.price_rules import in_force
from app.db import db


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseStock:
    """A course's line. prices are (minor units, currency) in force, by currency; capacity none: no limit."""

    slug: str
    title: str
    status: str
    prices: tuple[tuple[int, str], ...]
    capacity: int | None
    taken_seats: int


def list_course_stock() -> list[CourseStock]:
    """Every course, drafts and archived ones too, in the catalog's order; two queries."""
    session = db.session()
    prices: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    for price in session.execute(
        select(Price.product_id, Price.unit_amount, Price.currency).where(in_force()).order_by(Price.currency)
    ):
        prices[price.product_id].append((price.unit_amount, price.currency))
    rows = session.execute(
        select(Course.slug, Course.title, Course.status, Product.id, Product.capacity, Product.taken_seats)
        .outerjoin(Product, Product.id == OWN_PRODUCT)
        .order_by(Course.position, Course.id)
    )
    return [
        CourseStock(
            slug=row.slug,
            title=row.title,
            status=row.status,
            prices=tuple(prices[row.id]),
            capacity=row.capacity,
            taken_seats=row.taken_seats or 0,
        )
        for row in rows
    ]
