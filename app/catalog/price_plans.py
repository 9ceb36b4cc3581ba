"""Prices planned ahead: a change at a moment to come, and sales that end by themselves.

Nothing here has to run at the planned moment: price_rules.py reads the plan as it stands. The worker only writes down
what has begun and ended, with its audit entry.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update

from app import clock
from app.audit import record_audit
from app.catalog.models import Price
from app.catalog.price_history import begin_of, list_regular_periods
from app.catalog.price_rules import ACTIVE, REGULAR, RETIRED, SALE, SCHEDULED
from app.catalog.prices import (
    PriceChanged,
    add_price,
    check_chargeable,
    list_prices,
    lock_product,
    refuse_below_sales,
    refuse_unproven,
    write_amount,
    write_due_prices,
)
from app.db import db, retry_conflicts, transaction
from app.errors import InvalidInput, NotFound
from app.formatting import datetime_short, money

LATEST = timedelta(days=2 * 366)


@retry_conflicts
def plan_price(
    *, product_id: int, unit_amount: int, currency: str, starts_at: datetime, compare_at_amount: int | None = None
) -> Price:
    """A regular price that replaces the other at starts_at. The same plan twice is one.

    Raises NotFound, InvalidInput with the field unit_amount, currency, starts_at or compare_at_amount.
    """
    currency = check_chargeable(unit_amount, currency)
    with transaction() as session:
        lock_product(session, product_id)
        write_due_prices(session, product_id)
        prices = list_prices(session, product_id, currency)
        there = check_plan(prices, unit_amount=unit_amount, starts_at=starts_at, compare_at_amount=compare_at_amount)
        return there or add_price(
            session, former=None, action="price.planned", product_id=product_id, unit_amount=unit_amount,
            currency=currency, compare_at_amount=compare_at_amount, status=SCHEDULED, scheduled_at=starts_at,
        )  # fmt: skip


@retry_conflicts
def plan_sale(
    *, product_id: int, unit_amount: int, currency: str, starts_at: datetime | None, ends_at: datetime,
    compare_at_amount: int | None = None,
) -> Price:  # fmt: skip
    """A lower price from starts_at (None: from now) until ends_at; afterwards the regular price counts again.

    Windows do not overlap. The same sale twice is one. Raises NotFound, InvalidInput with the field unit_amount,
    currency, starts_at, ends_at or compare_at_amount.
    """
    currency = check_chargeable(unit_amount, currency)
    begins_at = starts_at or clock.now()
    with transaction() as session:
        lock_product(session, product_id)
        write_due_prices(session, product_id)
        prices = list_prices(session, product_id, currency)
        there = check_sale(
            prices, unit_amount=unit_amount, starts_at=starts_at, ends_at=ends_at, compare_at_amount=compare_at_amount
        )
        return there or add_price(
            session, former=None, action="price.sale_planned" if starts_at else "price.sale_began", kind=SALE,
            product_id=product_id, unit_amount=unit_amount, currency=currency, compare_at_amount=compare_at_amount,
            scheduled_at=begins_at, ends_at=ends_at, status=SCHEDULED if starts_at else ACTIVE,
            activated_at=None if starts_at else begins_at,
        )  # fmt: skip


@retry_conflicts
def stop_planned_price(*, product_id: int, price_public_id: str) -> Price:
    """Cancel what has not begun, or end a sale that runs. Raises NotFound, PriceChanged where it is neither now, and
    InvalidInput where a planned sale would ask more than the price that stays."""
    with transaction() as session:
        lock_product(session, product_id)
        write_due_prices(session, product_id)
        price = session.scalars(
            select(Price).where(Price.public_id == price_public_id, Price.product_id == product_id)
        ).one_or_none()
        if price is None:
            raise NotFound
        was_planned = price.status == SCHEDULED
        if was_planned and price.kind == REGULAR:
            _refuse_needed(list_prices(session, product_id, price.currency), price)
        stopped = session.execute(
            update(Price)
            .where(Price.id == price.id, or_(Price.status == SCHEDULED, Price.kind == SALE), Price.status != RETIRED)
            .values(status=RETIRED, retired_at=clock.now())
            .returning(Price.id)
        )
        if stopped.scalar_one_or_none() is None:
            raise PriceChanged
        record_audit(
            action="price.plan_canceled" if was_planned else "price.sale_ended",
            subject_type="price", subject_id=price.public_id,
            before={"price": write_amount(price.unit_amount, price.currency)},
        )  # fmt: skip
        return price


def check_plan(
    prices: Sequence[Price], *, unit_amount: int, starts_at: datetime, compare_at_amount: int | None
) -> Price | None:
    """The very same plan where it is there already. prices: all of that currency. Raises InvalidInput."""
    _check_future(starts_at, field="starts_at")
    for each in prices:
        if each.kind != REGULAR or each.status != SCHEDULED or each.scheduled_at != starts_at:
            continue
        if (each.unit_amount, each.compare_at_amount) == (unit_amount, compare_at_amount):
            return each
        raise InvalidInput(
            f"A change to {money(each.unit_amount, each.currency)} is planned for that moment. Cancel it first, or "
            "choose another time.",
            field="starts_at",
        )
    refuse_below_sales(prices, unit_amount, since=starts_at)
    refuse_unproven(prices, compare_at_amount, unit_amount=unit_amount, begins_at=starts_at)
    return None


def check_sale(
    prices: Sequence[Price], *, unit_amount: int, starts_at: datetime | None, ends_at: datetime,
    compare_at_amount: int | None,
) -> Price | None:  # fmt: skip
    """The very same sale where it is there already. prices: all of that currency. Raises InvalidInput."""
    begins_at = starts_at or clock.now()
    if starts_at is not None:
        _check_future(starts_at, field="starts_at")
    _check_future(ends_at, field="ends_at")
    if ends_at <= begins_at:
        raise InvalidInput("A sale must end after it starts.", field="ends_at")
    other = _find_overlap(prices, begins_at, ends_at)
    if other is not None:
        is_same = (other.unit_amount, other.compare_at_amount, other.ends_at) == (
            unit_amount, compare_at_amount, ends_at,
        ) and starts_at in {None, other.scheduled_at}  # fmt: skip
        if is_same:
            return other
        raise InvalidInput(_name_overlap(other), field="starts_at")
    _refuse_not_lower(prices, unit_amount, begins_at, ends_at)
    refuse_unproven(prices, compare_at_amount, unit_amount=unit_amount, begins_at=begins_at)
    return None


def list_due_product_ids() -> list[int]:
    """Products of which a planned price has begun, or a sale ended, that nobody has written down yet."""
    moment = clock.now()
    begun = select(Price.product_id).where(Price.status == SCHEDULED, Price.scheduled_at <= moment)
    ended = select(Price.product_id).where(Price.status == ACTIVE, Price.ends_at <= moment)
    return sorted(set(db.session().scalars(begun.union(ended))))


@retry_conflicts
def write_due_prices_of(*, product_id: int) -> None:
    """Write down what has begun and ended of a product by plan; safe to call at any time. Raises NotFound."""
    with transaction() as session:
        lock_product(session, product_id)
        write_due_prices(session, product_id)


def _check_future(moment: datetime, *, field: str) -> None:
    if moment <= clock.now():
        raise InvalidInput("Choose a day and time to come.", field=field)
    if moment > clock.now() + LATEST:
        raise InvalidInput("Choose a day within the next two years.", field=field)


def _find_overlap(prices: Sequence[Price], begins_at: datetime, ends_at: datetime) -> Price | None:
    for each in prices:
        if each.kind != SALE or each.status == RETIRED:
            continue
        began_at = begin_of(each)
        if began_at is not None and each.ends_at is not None and began_at < ends_at and each.ends_at > begins_at:
            return each
    return None


def _name_overlap(other: Price) -> str:
    span = f"from {datetime_short(begin_of(other))} to {datetime_short(other.ends_at)}"
    verb = "runs" if other.status == ACTIVE else "is planned"
    deed = "End that one" if other.status == ACTIVE else "Cancel that one"
    return f"A sale at {money(other.unit_amount, other.currency)} {verb} {span}. {deed} first, or choose other days."


def _refuse_needed(prices: Sequence[Price], plan: Price) -> None:
    """Without the plan no sale may stand over a price that is not higher."""
    left = [each for each in prices if each.id != plan.id]
    for sale in left:
        begins_at = begin_of(sale)
        if sale.kind != SALE or sale.status == RETIRED or begins_at is None or sale.ends_at is None:
            continue
        beneath = [each for each in list_regular_periods(left) if each.touches(begins_at, sale.ends_at)]
        if any(each.price.unit_amount <= sale.unit_amount for each in beneath) or not beneath:
            amount = money(sale.unit_amount, sale.currency)
            raise InvalidInput(
                f"The sale at {amount} until {datetime_short(sale.ends_at)} needs this price over it: without it, the "
                "sale would ask as much or more. Cancel the sale first.",
            )


def _refuse_not_lower(prices: Sequence[Price], unit_amount: int, begins_at: datetime, ends_at: datetime) -> None:
    beneath = [each for each in list_regular_periods(prices) if each.touches(begins_at, ends_at)]
    if not beneath or beneath[0].began_at > begins_at:
        raise InvalidInput(
            "There is no regular price at that time to come back to. Set one first.", field="unit_amount"
        )
    lowest = min(each.price.unit_amount for each in beneath)
    if unit_amount >= lowest:
        raise InvalidInput(
            f"A sale must be below the regular price, which is {money(lowest, prices[0].currency)} in that time.",
            field="unit_amount",
        )
