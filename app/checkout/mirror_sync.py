"""Compares our products and prices with Stripe's, and sends again what is missing, archived or different there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import or_, select, union, update
from sqlalchemy.sql.elements import ColumnElement

from app import clock
from app.audit import record_audit
from app.catalog.models import Price, Product
from app.checkout.mirror import ensure_own_product, in_sync, note_mirror_error, write_mirror_state
from app.checkout.mirror_models import MirrorState
from app.db import db, retry_conflicts, transaction
from app.errors import NotFound
from app.money import format_money
from app.payments.catalog import (
    CatalogPrice,
    StripeCatalog,
    activate_price,
    find_price,
    list_catalog,
    replace_stripe_price,
    update_product,
)
from app.payments.gateway import (
    PaymentRefused,
    PaymentUnavailable,
    StripeObjectMissing,
    ensure_price,
    ensure_product,
)
from app.queue import send_after_commit

log = structlog.get_logger()

# Longer than one product can take.
LEASE = timedelta(minutes=5)
# Buyers' writes must not wait for a long one of ours.
BATCH_SIZE = 200
MOST_SENT = 1_000
LONGEST_TITLE = 160
# A price that is charged; free ones never reach Stripe.
IS_SENT = (Price.status == "active", Price.type == "one_time", Price.unit_amount > 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """How many products and prices were compared; is_complete is False where Stripe has more than was read."""

    count: int
    trouble_count: int
    is_complete: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What Stripe has of one product or price of ours."""

    public_id: str
    state: str
    detail: str = ""


def compare_with_stripe() -> Compared:
    """Read the account's products and prices and write down how ours are there. Changes nothing at Stripe.

    Only what was sent is compared. Raises PaymentUnavailable.
    """
    catalog = list_catalog()
    verdicts = [*_compare_products(catalog), *_compare_prices(catalog)]
    for start in range(0, len(verdicts), BATCH_SIZE):
        _save_verdicts(verdicts[start : start + BATCH_SIZE])
    trouble = sum(each.state != "in_sync" for each in verdicts)
    log.info("mirror_compared", count=len(verdicts), trouble=trouble)
    return Compared(count=len(verdicts), trouble_count=trouble, is_complete=catalog.is_complete)


def send_product_again(public_id: str) -> None:
    """Bring a product and its prices in force at Stripe in line with ours. Safe to repeat, also at once.

    An archived one is put back on sale, a missing one made, a price with another amount replaced by a new one.
    Raises NotFound, PaymentRefused, PaymentUnavailable: then the error is kept with the product.
    """
    product = db.session.scalar(select(Product).where(Product.public_id == public_id))
    if product is None:
        raise NotFound("There is no such product.")
    prices = list(db.session.scalars(select(Price).where(Price.product_id == product.id, *IS_SENT)))
    try:
        stripe_product_id = _send_product(product)
        sent = {price.id: _send_price(price, stripe_product_id) for price in prices}
    except (PaymentRefused, PaymentUnavailable) as error:
        note_mirror_error(public_id, error=error.code)
        raise
    _save_sent(public_id, stripe_product_id, sent)


@retry_conflicts
def ask_to_send_all() -> int:
    """Let a worker send the products on sale that are not in sync or were never sent, 1,000 at most; gives how many."""
    moment = clock.now()
    wanted = select(Product.public_id).where(Product.status == "active", needs_sending()).order_by(Product.id)
    with transaction() as session:
        ids = session.scalars(wanted.limit(MOST_SENT)).all()
        for public_id in ids:
            write_mirror_state(public_id, wanted_at=moment)
            send_after_commit("checkout.send_product", public_id)
        if ids:
            record_audit(
                action="stripe.products_sent", subject_type="stripe", subject_id="products",
                after={"count": len(ids)},
            )  # fmt: skip
    return len(ids)


def list_wanted_product_ids() -> list[str]:
    """Products that somebody wants sent, the longest waiting first."""
    query = select(MirrorState.public_id).where(MirrorState.wanted_at <= clock.now()).order_by(MirrorState.wanted_at)
    return list(db.session.scalars(query.limit(200)))


def send_wanted_product(public_id: str) -> None:
    """Send a product if somebody wants that and no other worker is at it. A failure is kept; it is not tried again."""
    if not _claim(public_id):
        return
    try:
        send_product_again(public_id)
    except (PaymentRefused, PaymentUnavailable) as error:
        log.warning("product_not_sent", product=public_id, error=error.code)
    _end_wish(public_id)


def needs_sending() -> ColumnElement[bool]:
    """The condition on Product: it or a price in force was never sent, is otherwise at Stripe, or sending it failed."""
    # One set of few ids: three conditions joined by "or" would be asked of each product.
    trouble = or_(MirrorState.state != "in_sync", MirrorState.error.is_not(None))
    products = select(Product.id).join(MirrorState, MirrorState.public_id == Product.public_id).where(trouble)
    prices = select(Price.product_id).join(MirrorState, MirrorState.public_id == Price.public_id)
    unsent = select(Price.product_id).where(*IS_SENT, Price.stripe_price_id.is_(None))
    return Product.id.in_(union(products, prices.where(trouble, *IS_SENT), unsent))


def _compare_products(catalog: StripeCatalog) -> list[Verdict]:
    there = {each.id: each for each in catalog.products}
    verdicts = []
    for product in db.session.scalars(select(Product).where(Product.stripe_product_id.is_not(None))):
        found = there.get(product.stripe_product_id or "")
        if found is None and not catalog.is_complete:
            continue
        if found is None:
            verdicts.append(Verdict(public_id=product.public_id, state="missing"))
        elif not found.is_active and product.status == "active":
            verdicts.append(Verdict(public_id=product.public_id, state="archived"))
        elif " ".join(found.name.split())[:LONGEST_TITLE] != product.title:
            detail = f"name: “{found.name[:LONGEST_TITLE]}” at Stripe"
            verdicts.append(Verdict(public_id=product.public_id, state="differs", detail=detail))
        else:
            verdicts.append(Verdict(public_id=product.public_id, state="in_sync"))
    return verdicts


def _compare_prices(catalog: StripeCatalog) -> list[Verdict]:
    there = {each.id: each for each in catalog.prices}
    rows = db.session.execute(
        select(Price, Product.stripe_product_id)
        .join(Product, Product.id == Price.product_id)
        .where(*IS_SENT, Price.stripe_price_id.is_not(None))
    )
    verdicts = []
    for price, stripe_product_id in rows:
        found = there.get(price.stripe_price_id or "")
        if found is None and not catalog.is_complete:
            continue
        state, detail = _judge_price(price, stripe_product_id, found)
        verdicts.append(Verdict(public_id=price.public_id, state=state, detail=detail))
    return verdicts


def _judge_price(price: Price, stripe_product_id: str | None, found: CatalogPrice | None) -> tuple[str, str]:
    if found is None:
        return "missing", ""
    differences = []
    if found.shape != "one_time" or found.unit_amount is None:
        differences.append("it is no one-time price at Stripe")
    elif (found.unit_amount, found.currency) != (price.unit_amount, price.currency):
        differences.append(f"amount: {format_money(found.unit_amount, found.currency)} at Stripe")
    if found.product_id != stripe_product_id:
        differences.append("it belongs to another product at Stripe")
    if differences:
        return "differs", ", ".join(differences)
    return ("in_sync", "") if found.is_active else ("archived", "")


@retry_conflicts
def _save_verdicts(verdicts: Sequence[Verdict]) -> None:
    moment = clock.now()
    with transaction():
        for each in verdicts:
            write_mirror_state(each.public_id, state=each.state, detail=each.detail, checked_at=moment)


def _send_product(product: Product) -> str:
    stripe_product_id = ensure_own_product(product)
    try:
        update_product(stripe_product_id, name=product.title)
    except StripeObjectMissing:
        # One that was imported and then deleted at Stripe: from here on it is ours.
        stripe_product_id = ensure_product(public_id=product.public_id, title=product.title)
        update_product(stripe_product_id, name=product.title)
    return stripe_product_id


def _send_price(price: Price, stripe_product_id: str) -> str:
    stripe_price_id = price.stripe_price_id or ensure_price(
        public_id=price.public_id, stripe_product_id=stripe_product_id, unit_amount=price.unit_amount,
        currency=price.currency,
    )  # fmt: skip
    found = find_price(stripe_price_id)
    state, _ = _judge_price(price, stripe_product_id, found)
    if state in {"missing", "differs"}:
        return replace_stripe_price(
            public_id=price.public_id, former_id=stripe_price_id, stripe_product_id=stripe_product_id,
            unit_amount=price.unit_amount, currency=price.currency,
        )  # fmt: skip
    if state == "archived":
        activate_price(stripe_price_id)
    return stripe_price_id


@retry_conflicts
def _save_sent(public_id: str, stripe_product_id: str, sent: dict[int, str]) -> None:
    with transaction() as session:
        product = session.scalars(
            select(Product).where(Product.public_id == public_id).execution_options(populate_existing=True)
        ).one()
        before: dict[str, str | None] = {}
        after: dict[str, str | None] = {}
        if product.stripe_product_id != stripe_product_id:
            before["stripe_product_id"], after["stripe_product_id"] = product.stripe_product_id, stripe_product_id
            product.stripe_product_id = stripe_product_id
        write_mirror_state(public_id, **in_sync())
        for price in session.scalars(select(Price).where(Price.id.in_(sent)).execution_options(populate_existing=True)):
            if price.stripe_price_id != sent[price.id]:
                before[price.public_id], after[price.public_id] = price.stripe_price_id, sent[price.id]
                price.stripe_price_id = sent[price.id]
            write_mirror_state(price.public_id, **in_sync())
        record_audit(
            action="product.sent_to_stripe", subject_type="product", subject_id=public_id, before=before, after=after
        )


@retry_conflicts
def _claim(public_id: str) -> bool:
    moment = clock.now()
    with transaction() as session:
        claimed = session.scalar(
            update(MirrorState)
            .where(MirrorState.public_id == public_id, MirrorState.wanted_at <= moment)
            .values(wanted_at=moment + LEASE)
            .returning(MirrorState.public_id)
        )
    return claimed is not None


@retry_conflicts
def _end_wish(public_id: str) -> None:
    with transaction() as session:
        session.execute(update(MirrorState).where(MirrorState.public_id == public_id).values(wanted_at=None))
