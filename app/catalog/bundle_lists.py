"""The back-office's list of bundles: narrowed and ordered, one page at a time."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from app.catalog.bundles import BUNDLE
from app.catalog.models import Course, Price, Product, ProductCourse
from app.catalog.offers import CURRENT_PRICE, site_currency
from app.catalog.search import LONGEST_SEARCH, MOST_WORDS
from app.db import db
from app.paging import PAGE_SIZE, Page, clamp_page, count_rows

_COURSE_COUNT = (
    select(func.count(ProductCourse.course_id))
    .where(ProductCourse.product_id == Product.id)
    .correlate(Product)
    .scalar_subquery()
)
_HIDDEN_COUNT = (
    select(func.count(ProductCourse.course_id))
    .join(Course, Course.id == ProductCourse.course_id)
    .where(ProductCourse.product_id == Product.id, Course.status != "published")
    .correlate(Product)
    .scalar_subquery()
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleRow:
    """A bundle in the list. hidden_count: courses of it that are not published, which keep it off sale."""

    public_id: str
    slug: str
    title: str
    status: str
    course_count: int
    hidden_count: int
    unit_amount: int | None
    currency: str | None


def count_bundle_views() -> dict[str, int]:
    """How many bundles each view holds; "" is all of them."""
    rows = db.session().execute(
        select(Product.status, func.count(Product.id)).where(Product.kind == BUNDLE).group_by(Product.status)
    )
    counts = {status: int(count) for status, count in rows}
    return {"active": counts.get("active", 0), "archived": counts.get("archived", 0), "": sum(counts.values())}


def list_bundle_rows(*, view: str = "", q: str = "", page: int = 1) -> Page[BundleRow]:
    """One page, by title."""
    total = count_rows(_matching(view, q))
    number = clamp_page(page, total=total)
    rows = db.session().execute(select_bundle_rows(view=view, q=q, number=number), {"site_currency": site_currency()})
    return Page(rows=[BundleRow(**row._mapping) for row in rows], total=total, number=number)  # noqa: SLF001 - its public name


def select_bundle_rows(*, view: str = "", q: str = "", number: int = 1) -> Select[Any]:
    """The rows of one page; courses and prices are read for the few on it only."""
    found = (
        _matching(view, q).order_by(Product.title, Product.id).limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)
    ).subquery()
    return (
        select(
            Product.public_id, Product.slug, Product.title, Product.status, _COURSE_COUNT.label("course_count"),
            _HIDDEN_COUNT.label("hidden_count"), Price.unit_amount, Price.currency,
        )
        .join(found, found.c.id == Product.id)
        .outerjoin(Price, Price.id == CURRENT_PRICE)
        .order_by(Product.title, Product.id)
    )  # fmt: skip


def _matching(view: str, q: str) -> Select[Any]:
    statement: Select[Any] = select(Product.id).where(Product.kind == BUNDLE)
    if view:
        statement = statement.where(Product.status == view)
    for word in q[:LONGEST_SEARCH].replace("\x00", " ").split()[:MOST_WORDS]:
        statement = statement.where(Product.title.icontains(word, autoescape=True))
    return statement
