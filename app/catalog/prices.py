"""Prices: never edited, only replaced. The table is the history; what is planned ahead lives in price_plans.py."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import clock
from app.audit import SYSTEM, acting_as, record_audit
from app.catalog.models import Price, Product
from app.catalog.price_history import list_charged, list_periods, list_regular_periods
from app.catalog.price_rules import ACTIVE, REGULAR, RETIRED, SALE, SCHEDULED
from app.db import make_public_id, retry_conflicts, transaction
from app.errors import AppError, InvalidInput, NotFound
from app.formatting import datetime_short, money
from app.money import MoneyError, check_currency, check_price, to_decimal


class PriceChanged(AppError):
    """Somebody else, or a planned change, was faster; nothing was written."""

    code = "price_changed"
    status = 409
    title = "The price has changed meanwhile"
    sentence = "The price has changed since you opened this page. Look at what it is now, then decide anew."


@retry_conflicts
def replace_price(*, product_id: int, unit_amount: int, currency: str) -> Price:
    """Put a new one-time price in force: the old one of that currency retires, past orders and open sessions keep it.

    The same amount as now changes nothing and returns the price in force. A product has one price per currency.
    Raises NotFound, InvalidInput (an unknown currency, an amount that Stripe would not charge, or not above a sale's;
    0 is free).
    """
    currency = check_chargeable(unit_amount, currency)
    with transaction() as session:
        lock_product(session, product_id)
        return write_price(session, product_id=product_id, unit_amount=unit_amount, currency=currency)


@retry_conflicts
def replace_seen_price(
    *, product_id: int, unit_amount: int, currency: str, seen_price_id: str | None, compare_at_amount: int | None = None
) -> Price:
    """replace_price() for somebody who looked at the price with that public id (None: there was none) before.

    Of several at once one replaces it, and the others raise PriceChanged, unless they wanted the very same.
    compare_at_amount is shown struck through: it must have been charged in the last 30 days. Raises InvalidInput with
    the field unit_amount, currency or compare_at_amount.
    """
    currency = check_chargeable(unit_amount, currency)
    moment = clock.now()
    try:
        with transaction() as session:
            lock_product(session, product_id)
            write_due_prices(session, product_id)
            active = _find_active(session, product_id, currency)
            is_done = active is not None and (active.unit_amount, active.compare_at_amount) == (
                unit_amount, compare_at_amount,
            )  # fmt: skip
            if active is not None and is_done and active.public_id != seen_price_id:
                return active
            check_replacement(
                list_prices(session, product_id, currency), unit_amount=unit_amount,
                compare_at_amount=compare_at_amount, moment=moment,
            )  # fmt: skip
            # The database decides which of two replacements at once counts: the row retires once.
            if seen_price_id is not None and not _retire_seen(session, seen_price_id, product_id, currency, moment):
                raise PriceChanged
            return add_price(
                session, former=active if seen_price_id is not None else None,
                product_id=product_id, unit_amount=unit_amount, currency=currency,
                compare_at_amount=compare_at_amount, activated_at=moment,
            )  # fmt: skip
    except IntegrityError as error:
        # There is a price where this one saw none.
        raise PriceChanged from error


@retry_conflicts
def retire_price(*, price_id: int) -> None:
    """Take a price out of force; without another the product is not on sale. A retired one stays as it is."""
    with transaction() as session:
        session.execute(
            update(Price)
            .where(Price.id == price_id, Price.status != RETIRED)
            .values(status=RETIRED, retired_at=clock.now())
        )


@retry_conflicts
def withdraw_currency(*, product_id: int, currency: str, seen_price_id: str) -> None:
    """Stop selling in a currency: its price, its sale and what is planned end. Raises PriceChanged, NotFound."""
    with transaction() as session:
        lock_product(session, product_id)
        write_due_prices(session, product_id)
        active = _find_active(session, product_id, currency)
        if active is None or active.public_id != seen_price_id:
            raise PriceChanged
        _withdraw(session, Price.product_id == product_id, Price.currency == currency)


def check_chargeable(unit_amount: int, currency: str) -> str:
    """The currency as it is stored, of a price that can be made. Raises InvalidInput with the field that is wrong."""
    try:
        code = check_currency(currency)
    except MoneyError as error:
        raise InvalidInput(str(error), field="currency") from error
    try:
        check_price(unit_amount, code)
    except MoneyError as error:
        raise InvalidInput(str(error), field="unit_amount") from error
    return code


def lock_product(session: Session, product_id: int) -> None:
    """The product's row is the lock of its prices: of two changes the second sees the first. Raises NotFound."""
    if session.scalar(select(Product.id).where(Product.id == product_id).with_for_update()) is None:
        raise NotFound


def write_price(session: Session, *, product_id: int, unit_amount: int, currency: str) -> Price:
    """replace_price() for callers that are inside transaction() and hold the product's row. Raises InvalidInput."""
    currency = check_chargeable(unit_amount, currency)
    moment = clock.now()
    write_due_prices(session, product_id)
    active = _find_active(session, product_id, currency)
    if active is not None and active.unit_amount == unit_amount:
        return active
    refuse_below_sales(list_prices(session, product_id, currency), unit_amount, since=moment)
    if active is not None:
        active.status, active.retired_at = RETIRED, moment
    return add_price(
        session, former=active, product_id=product_id, unit_amount=unit_amount,
        currency=currency, activated_at=moment,
    )  # fmt: skip


def withdraw_other_currencies(session: Session, *, product_id: int, kept: Collection[str]) -> None:
    """End every price, sale and plan in other currencies, for callers that hold the product's row."""
    _withdraw(session, Price.product_id == product_id, Price.currency.not_in(kept))


def write_due_prices(session: Session, product_id: int) -> None:
    """Write down what has begun and ended by plan, at its planned moment, for callers that hold the product's row."""
    moment = clock.now()
    due = session.scalars(
        select(Price)
        .where(Price.product_id == product_id, Price.status == SCHEDULED, Price.scheduled_at <= moment)
        .order_by(Price.scheduled_at, Price.id)
    )
    with acting_as(SYSTEM):
        for price in list(due):
            former = _find_active(session, product_id, price.currency, price.kind)
            if former is not None:
                former.status, former.retired_at = RETIRED, former.ends_at or price.scheduled_at
                # Before the other begins: the database allows one active price of a kind.
                session.flush()
                if former.kind == SALE:
                    _record("price.sale_ended", former, former)
            price.status, price.activated_at = ACTIVE, price.scheduled_at
            session.flush()
            _record("price.began", price, former if price.kind == REGULAR else None)
        for sale in session.scalars(
            select(Price).where(Price.product_id == product_id, Price.status == ACTIVE, Price.ends_at <= moment)
        ):
            sale.status, sale.retired_at = RETIRED, sale.ends_at
            _record("price.sale_ended", sale, sale)
    session.flush()


def list_prices(session: Session, product_id: int, currency: str) -> list[Price]:
    """Every one-time price of a product and currency, past and planned ones too, in the order they were made."""
    return list(
        session.scalars(
            select(Price)
            .where(Price.product_id == product_id, Price.currency == currency, Price.type == "one_time")
            .order_by(Price.id)
        )
    )


def add_price(session: Session, *, former: Price | None, action: str = "", **values: object) -> Price:
    """Insert a price with its audit entry, in the caller's transaction."""
    session.flush()
    price = Price(**{"public_id": make_public_id("prc"), "created_at": clock.now(), **values})
    session.add(price)
    session.flush()
    _record(action or ("price.replaced" if former else "price.added"), price, former)
    return price


def check_replacement(
    prices: Sequence[Price], *, unit_amount: int, compare_at_amount: int | None, moment: datetime
) -> None:
    """Raises InvalidInput where a regular price cannot be replaced by this one now. prices: all of that currency."""
    now = next((each.price for each in reversed(list_regular_periods(prices)) if each.began_at <= moment), None)
    is_in_force = now is not None and now.status != RETIRED
    if now and is_in_force and (now.unit_amount, now.compare_at_amount) == (unit_amount, compare_at_amount):
        raise InvalidInput(f"It costs {money(unit_amount, now.currency)} already.", field="unit_amount")
    refuse_below_sales(prices, unit_amount, since=moment)
    refuse_unproven(prices, compare_at_amount, unit_amount=unit_amount, begins_at=moment)


def refuse_below_sales(
    prices: Sequence[Price], unit_amount: int, *, since: datetime, until: datetime | None = None
) -> None:
    """Raises InvalidInput where a sale would ask as much as a regular price in force between these moments, or more."""
    following = [each.began_at for each in list_regular_periods(prices) if each.began_at > since]
    end = min([*following, *([until] if until else [])], default=None)
    for sale in prices:
        is_over = sale.kind != SALE or sale.status == RETIRED or sale.ends_at is None or sale.ends_at <= since
        if is_over or (end is not None and sale.scheduled_at is not None and sale.scheduled_at >= end):
            continue
        if sale.unit_amount >= unit_amount:
            raise InvalidInput(
                f"The sale until {datetime_short(sale.ends_at)} asks {money(sale.unit_amount, sale.currency)}: the "
                "regular price must be higher. End or cancel the sale first.",
                field="unit_amount",
            )


def refuse_unproven(
    prices: Sequence[Price], compare_at_amount: int | None, *, unit_amount: int, begins_at: datetime
) -> None:
    """Raises InvalidInput for a struck price that nobody was asked for in the 30 days before the new one begins."""
    if compare_at_amount is None:
        return
    if compare_at_amount <= unit_amount:
        raise InvalidInput("A struck price must be higher than the new one.", field="compare_at_amount")
    charged = list_charged(list_periods(prices), before=begins_at)
    if compare_at_amount in charged:
        return
    currency = prices[0].currency if prices else ""
    higher = [money(amount, currency) for amount in charged if amount > unit_amount]
    raise InvalidInput(
        "That price wasn’t charged in the 30 days before, so it can’t be shown struck. "
        + (f"You can strike {' or '.join(higher)}." if higher else "Leave it empty: nothing higher was charged."),
        field="compare_at_amount",
    )


def write_amount(amount: int, currency: str) -> str:
    """An amount as the audit log keeps it: "97.00 USD"."""
    return f"{to_decimal(amount, currency)} {currency.upper()}"


def _find_active(session: Session, product_id: int, currency: str, kind: str = REGULAR) -> Price | None:
    price: Price | None = session.scalars(
        select(Price).where(
            Price.product_id == product_id, Price.currency == currency, Price.status == ACTIVE,
            Price.type == "one_time", Price.kind == kind,
        )
    ).one_or_none()  # fmt: skip
    return price


def _retire_seen(session: Session, public_id: str, product_id: int, currency: str, moment: datetime) -> bool:
    retired = session.execute(
        update(Price)
        .where(
            Price.public_id == public_id, Price.product_id == product_id, Price.currency == currency,
            Price.kind == REGULAR, Price.status == ACTIVE,
        )
        .values(status=RETIRED, retired_at=moment)
        .returning(Price.id)
    )  # fmt: skip
    return retired.scalar_one_or_none() is not None


def _withdraw(session: Session, *which: ColumnElement[bool]) -> None:
    moment = clock.now()
    for price in session.scalars(select(Price).where(*which, Price.status != RETIRED, Price.type == "one_time")):
        price.status, price.retired_at = RETIRED, moment
        _record("price.withdrawn", price, price)
    session.flush()


def _record(action: str, price: Price, former: Price | None) -> None:
    """former is what counted before; the price itself where it ends and nothing of its kind follows."""
    is_end = former is price
    record_audit(
        action=action,
        subject_type="price",
        subject_id=price.public_id,
        before={"price": write_amount(former.unit_amount, former.currency)} if former is not None else None,
        after=None if is_end else _describe(price),
    )


def _describe(price: Price) -> dict[str, str]:
    facts = {"price": write_amount(price.unit_amount, price.currency)}
    if price.compare_at_amount is not None:
        facts["struck"] = write_amount(price.compare_at_amount, price.currency)
    for name in ("scheduled_at", "ends_at"):
        moment = getattr(price, name)
        if moment is not None:
            facts[name] = moment.isoformat()
    return facts
