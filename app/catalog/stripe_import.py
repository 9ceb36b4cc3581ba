"""Takes over products and prices that the Stripe account has from before: as drafts, sold under Stripe's own ids."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import clock
from app.audit import record_audit
from app.catalog.course_rows import SlugTaken, ensure_category, find_own_product, insert_course, refuse_taken_slug
from app.catalog.models import Category, Price, Product
from app.catalog.prices import check_chargeable
from app.db import db, make_public_id, retry_conflicts, transaction
from app.errors import InvalidInput
from app.markdown import slugify_heading
from app.payments.catalog import CatalogPrice, CatalogProduct, StripeCatalog, list_catalog

log = structlog.get_logger()

Kind = Literal["course", "bundle"]
State = Literal["new", "linked", "refused"]
STATES: tuple[State, ...] = ("new", "refused", "linked")
LONGEST_TITLE = 160
MOST_SLUGS = 50
MOST_TRIES = 3
TOPIC = "Imported"
SHAPES = {
    "recurring": "it is a subscription; only one-time prices are sold here",
    "tiered": "its amount depends on the quantity",
    "custom": "the buyer chooses the amount",
    "grouped": "it is charged for groups of units",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportPrice:
    """A price of the account: amount in minor units, None where there is none; reason says why it is left out."""

    stripe_price_id: str
    unit_amount: int | None
    currency: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportRow:
    """A product of the account and what importing it would make; reason says why it cannot be ticked."""

    stripe_product_id: str
    title: str
    state: State
    prices: tuple[ImportPrice, ...]
    reason: str = ""

    @property
    def usable_prices(self) -> tuple[ImportPrice, ...]:
        """The prices that would be made."""
        return tuple(each for each in self.prices if not each.reason)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportPlan:
    """The preview: what can be imported first, the newest of each first.

    is_complete is False where the account has more than is read.
    """

    rows: tuple[ImportRow, ...]
    is_complete: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """What was made, by title, and how many of those asked for were there already or had become impossible."""

    titles: tuple[str, ...]
    skipped_count: int


def plan_import() -> ImportPlan:
    """What could be imported from the account now. Writes nothing. Raises PaymentUnavailable."""
    return _plan(list_catalog())


def import_products(kinds: Mapping[str, Kind]) -> Imported:
    """Make drafts of these Stripe products, each by itself: a course, or a bundle that is not on sale yet.

    Stripe is read anew: what the form says is only which. Any number of times, also by two at once: one product is
    made once, decided by the database. Raises PaymentUnavailable.
    """
    plan = plan_import()
    rows = [row for row in plan.rows if row.stripe_product_id in kinds and row.state == "new"]
    titles = [row.title for row in rows if _import_row(row, kinds[row.stripe_product_id])]
    log.info("products_imported", count=len(titles))
    return Imported(titles=tuple(titles), skipped_count=len(kinds) - len(titles))


def _plan(catalog: StripeCatalog) -> ImportPlan:
    known = _list_known_ids([each.id for each in catalog.products], [each.id for each in catalog.prices])
    prices: dict[str, list[CatalogPrice]] = {}
    for price in catalog.prices:
        prices.setdefault(price.product_id, []).append(price)
    rows = [_plan_row(product, prices.get(product.id, []), known) for product in catalog.products]
    # What can be ticked comes first.
    rows.sort(key=lambda row: STATES.index(row.state))
    return ImportPlan(rows=tuple(rows), is_complete=catalog.is_complete)


def _list_known_ids(product_ids: list[str], price_ids: list[str]) -> set[str]:
    known: set[str] = set()
    for column, ids in ((Product.stripe_product_id, product_ids), (Price.stripe_price_id, price_ids)):
        for start in range(0, len(ids), 500):
            known |= {
                each for each in db.session.scalars(select(column).where(column.in_(ids[start : start + 500]))) if each
            }
    return known


def _plan_row(product: CatalogProduct, prices: list[CatalogPrice], known: Collection[str]) -> ImportRow:
    # The product's default price first, then the newest: of several in one currency the first is the one.
    ordered = sorted(prices, key=lambda price: price.id != product.default_price_id)
    planned: list[ImportPrice] = []
    taken: set[str] = set()
    for price in ordered:
        reason = _refuse_price(price, taken, known)
        if not reason:
            taken.add(price.currency)
        planned.append(
            ImportPrice(stripe_price_id=price.id, unit_amount=price.unit_amount, currency=price.currency, reason=reason)
        )
    state, reason = _judge_row(product, planned, known)
    title = " ".join(product.name.split())[:LONGEST_TITLE]
    return ImportRow(stripe_product_id=product.id, title=title, state=state, prices=tuple(planned), reason=reason)


def _judge_row(product: CatalogProduct, prices: list[ImportPrice], known: Collection[str]) -> tuple[State, str]:
    if product.id in known:
        return "linked", "It is sold here already."
    if not product.is_active:
        return "refused", "It is archived at Stripe."
    if all(price.reason for price in prices):
        return "refused", "It has no price that can be sold here."
    return "new", ""


def _refuse_price(price: CatalogPrice, taken: Collection[str], known: Collection[str]) -> str:
    if price.id in known:
        return "it is used here already"
    if not price.is_active:
        return "it is archived at Stripe"
    if price.shape in SHAPES:
        return SHAPES[price.shape]
    if price.unit_amount is None:
        return "its amount is no whole number of the smallest unit"
    try:
        check_chargeable(price.unit_amount, price.currency)
    except InvalidInput as error:
        return error.sentence.rstrip(".")
    return (
        f"one price in {price.currency.upper()} is enough, and another comes first" if price.currency in taken else ""
    )


def _import_row(row: ImportRow, kind: Kind) -> bool:
    """False when somebody else was quicker: the unique ids of product and prices decide."""
    for _ in range(MOST_TRIES):
        try:
            _insert_row(row, kind)
        except IntegrityError:
            # Another draft took the web address at the same moment, or another import this very product.
            db.session.rollback()
            if _list_known_ids([row.stripe_product_id], [each.stripe_price_id for each in row.usable_prices]):
                return False
        else:
            return True
    return False


@retry_conflicts
def _insert_row(row: ImportRow, kind: Kind) -> None:
    with transaction() as session:
        _insert(session, row, kind)


def _insert(session: Session, row: ImportRow, kind: Kind) -> None:
    moment = clock.now()
    if kind == "course":
        course = insert_course(
            session, slug=_find_free_slug(session, row.title), title=row.title,
            category_id=_choose_category(session), status="draft",
        )  # fmt: skip
        subject = ("course", course.public_id)
        product = find_own_product(session, course.id)
        if product is None:
            raise LookupError(course.public_id)
    else:
        # Without courses it must not be sold yet: whoever fills it puts it on sale.
        product = Product(
            public_id=make_public_id("prd"), kind="bundle", title=row.title, status="archived", created_at=moment
        )
        session.add(product)
        subject = ("product", product.public_id)
    product.stripe_product_id = row.stripe_product_id
    session.flush()
    for price in row.usable_prices:
        session.add(
            Price(
                public_id=make_public_id("prc"), product_id=product.id, unit_amount=price.unit_amount,
                currency=price.currency, stripe_price_id=price.stripe_price_id, activated_at=moment, created_at=moment,
            )
        )  # fmt: skip
    after = {
        "title": row.title,
        "stripe_product_id": row.stripe_product_id,
        "prices": [f"{price.unit_amount} {price.currency} {price.stripe_price_id}" for price in row.usable_prices],
    }
    record_audit(
        action=f"{subject[0]}.imported_from_stripe", subject_type=subject[0], subject_id=subject[1], after=after
    )
    session.flush()


def _choose_category(session: Session) -> int:
    first = session.scalar(select(Category.id).order_by(Category.position, Category.id).limit(1))
    return ensure_category(session, TOPIC) if first is None else first


def _find_free_slug(session: Session, title: str) -> str:
    slug = slugify_heading(title)[:110].strip("-")
    for number in range(1, MOST_SLUGS):
        candidate = slug if number == 1 else f"{slug}-{number}"
        try:
            refuse_taken_slug(session, slug=candidate, course_id=None)
        except SlugTaken:
            continue
        return candidate
    return f"{slug[:90]}-{make_public_id('s').lower()}"
