"""What a course costs now, and whether it can be bought: read with the course in one query, never one per row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import bindparam, case, select
from sqlalchemy.orm import aliased

from app.catalog.models import Course, Price, Product, ProductCourse
from app.catalog.price_rules import in_force
from app.config import current_settings
from app.db import db
from app.errors import NotFound

OfferState = Literal["on_sale", "free", "sold_out", "not_on_sale", "archived"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """The present price. price_id is the price's public id; the three are None together when nothing is on sale.

    struck_amount was charged before and stands struck through beside it, with the lowest_amount of the 30 days before
    this price began; both are None where the shop shows none, or its history does not prove it.
    """

    state: OfferState
    price_id: str | None
    unit_amount: int | None
    currency: str | None
    struck_amount: int | None = None
    lowest_amount: int | None = None


_product = aliased(Product)
_price = aliased(Price)

# A course's own product; bundles and memberships that hold the course too are sold on their own pages.
OWN_PRODUCT = (
    select(_product.id)
    .join(ProductCourse, ProductCourse.product_id == _product.id)
    .where(ProductCourse.course_id == Course.id, _product.kind == "course")
    .order_by(_product.id)
    .limit(1)
    .correlate(Course)
    .scalar_subquery()
)
# The shop's own currency first; a price in another is better than none.
CURRENT_PRICE = (
    select(_price.id)
    .where(_price.product_id == Product.id, in_force(_price))
    .order_by(case((_price.currency == bindparam("site_currency"), 0), else_=1), _price.id)
    .limit(1)
    .correlate(Product)
    .scalar_subquery()
)
OFFER_COLUMNS = (
    Course.status.label("course_status"),
    Product.id.label("product_id"),
    Product.status.label("product_status"),
    Product.capacity,
    Product.taken_seats,
    Price.public_id.label("price_public_id"),
    Price.unit_amount,
    Price.currency,
    Price.compare_at_amount,
)


def site_currency() -> str:
    """The currency the shop shows its prices in."""
    settings = current_settings()
    return settings.site_currency.lower()


def read_offer(row: Any) -> Offer:
    """The offer of a row that holds OFFER_COLUMNS; its struck price is yet to be proven (struck_prices.py)."""
    return Offer(
        state=_decide(row), price_id=row.price_public_id, unit_amount=row.unit_amount, currency=row.currency,
        struck_amount=row.compare_at_amount,
    )  # fmt: skip


def _decide(row: Any) -> OfferState:
    if row.course_status == "archived":
        return "archived"
    if row.course_status != "published" or row.price_public_id is None or row.product_status != "active":
        return "not_on_sale"
    if row.capacity is not None and row.taken_seats >= row.capacity:
        return "sold_out"
    return "free" if row.unit_amount == 0 else "on_sale"


def list_product_ids_by_course_slug(slugs: Sequence[str]) -> dict[str, int]:
    """The own products of the courses with these slugs. Raises NotFound for a slug that no course has."""
    rows = db.session().execute(select(Course.slug, OWN_PRODUCT.label("product_id")).where(Course.slug.in_(slugs)))
    found: dict[str, int] = {row.slug: row.product_id for row in rows if row.product_id is not None}
    missing = next((slug for slug in slugs if slug not in found), None)
    if missing is not None:
        raise NotFound(f"There is no course “{missing}”.", field="course")
    return found


def list_products_for_sale() -> list[tuple[int, str]]:
    """Every product that is not archived, as (id, title), by title."""
    statement = select(Product.id, Product.title).where(Product.status == "active").order_by(Product.title, Product.id)
    return [(product_id, title) for product_id, title in db.session().execute(statement)]
