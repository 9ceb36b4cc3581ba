"""Bundles: products of several courses, with a page of their own. What they cost is a price like any other."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from app.catalog.cards import CourseCard, list_course_cards
from app.catalog.models import Price, Product, ProductCourse
from app.catalog.offers import CURRENT_PRICE, Offer, OfferState, site_currency
from app.catalog.struck_prices import prove_struck_prices
from app.db import db
from app.errors import NotFound

BUNDLE = "bundle"
_COLUMNS: tuple[Any, ...] = (
    Product.id, Product.slug, Product.title, Product.summary, Product.status, Product.capacity, Product.taken_seats,
    Price.public_id.label("price_public_id"), Price.unit_amount, Price.currency, Price.compare_at_amount,
)  # fmt: skip
_BUNDLES: Select[Any] = (
    select(*_COLUMNS)
    .outerjoin(Price, Price.id == CURRENT_PRICE)
    .where(Product.kind == BUNDLE)
    .order_by(Product.title, Product.id)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """A bundle as visitors see it; courses are those of it that are public, in order.

    separate_amount: what the courses cost one by one now, in minor units of the offer's currency; None where one of
    them is not sold in it.
    """

    product_id: int
    slug: str
    title: str
    summary: str
    courses: tuple[CourseCard, ...]
    offer: Offer
    separate_amount: int | None

    @property
    def saved_amount(self) -> int:
        """What buying them together saves; 0 where nothing is, or nobody can say."""
        if (
            self.separate_amount is None
            or self.offer.unit_amount is None
            or self.offer.state not in {"on_sale", "free"}
        ):
            return 0
        return max(0, self.separate_amount - self.offer.unit_amount)


def get_bundle(*, slug: str) -> Bundle:
    """The bundle at slug, archived ones too. Raises NotFound, also while none of its courses is public."""
    bundle = find_bundle(slug=slug)
    if bundle is None or not bundle.courses:
        raise NotFound
    return bundle


def find_bundle(*, slug: str) -> Bundle | None:
    """The bundle at slug as it is, whoever may see it."""
    return next(iter(_read(_BUNDLES.where(Product.slug == slug))), None)


def list_bundles_with_course(*, course_id: int) -> tuple[Bundle, ...]:
    """The bundles on sale that a course is part of; one query where there are none."""
    holding = select(ProductCourse.product_id).where(ProductCourse.course_id == course_id)
    found = _read(_BUNDLES.where(Product.id.in_(holding), Product.status == "active"))
    return tuple(bundle for bundle in found if bundle.offer.state in {"on_sale", "free"})


def find_bundle_slug(*, price_public_id: str) -> str | None:
    """The page of the bundle that a price belongs to; None for a course's own."""
    return db.session().scalar(
        select(Product.slug)
        .join(Price, Price.product_id == Product.id)
        .where(Price.public_id == price_public_id, Product.kind == BUNDLE)
    )


def _read(statement: Select[Any]) -> list[Bundle]:
    rows = list(db.session().execute(statement, {"site_currency": site_currency()}))
    if not rows:
        return []
    course_ids = _list_course_ids([row.id for row in rows])
    cards = {
        card.course_id: card
        for card in list_course_cards(sorted({each for ids in course_ids.values() for each in ids}))
    }
    inside = {row.id: tuple(cards[each] for each in course_ids[row.id] if each in cards) for row in rows}
    offers = prove_struck_prices([
        _offer(row, is_whole=_is_whole(inside[row.id], course_ids[row.id])) for row in rows
    ])  # fmt: skip
    return [
        Bundle(
            product_id=row.id, slug=row.slug or "", title=row.title, summary=row.summary, courses=inside[row.id],
            offer=offer, separate_amount=_add_up(inside[row.id], offer.currency),
        )
        for row, offer in zip(rows, offers, strict=True)
    ]  # fmt: skip


def _is_whole(courses: Sequence[CourseCard], course_ids: Sequence[int]) -> bool:
    """Whether every course of a bundle can be sold."""
    return bool(courses) and len(courses) == len(course_ids) and all(each.offer.state != "archived" for each in courses)


def _list_course_ids(product_ids: Sequence[int]) -> dict[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for row in db.session().execute(
        select(ProductCourse.product_id, ProductCourse.course_id)
        .where(ProductCourse.product_id.in_(product_ids))
        .order_by(ProductCourse.position, ProductCourse.course_id)
    ):
        found[row.product_id].append(row.course_id)
    return found


def _offer(row: Any, *, is_whole: bool) -> Offer:
    return Offer(
        state=_decide(row, is_whole=is_whole), price_id=row.price_public_id, unit_amount=row.unit_amount,
        currency=row.currency, struck_amount=row.compare_at_amount,
    )  # fmt: skip


def _decide(row: Any, *, is_whole: bool) -> OfferState:
    if row.status == "archived":
        return "archived"
    if row.price_public_id is None or not is_whole:
        return "not_on_sale"
    if row.capacity is not None and row.taken_seats >= row.capacity:
        return "sold_out"
    return "free" if row.unit_amount == 0 else "on_sale"


def _add_up(courses: Iterable[CourseCard], currency: str | None) -> int | None:
    total = 0
    for card in courses:
        is_sold = card.offer.state in {"on_sale", "free"} and card.offer.currency == currency
        if not is_sold or card.offer.unit_amount is None:
            return None
        total += card.offer.unit_amount
    return total
