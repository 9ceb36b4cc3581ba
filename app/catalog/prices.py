"""Prices: never edited, only replaced. The table is the history."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import clock
from app.catalog.models import Price, Product
from app.db import make_public_id, retry_conflicts, transaction
from app.errors import InvalidInput, NotFound
from app.money import MoneyError, check_currency, check_price


@retry_conflicts
def replace_price(*, product_id: int, unit_amount: int, currency: str) -> Price:
    """Put a new one-time price in force: the old one of that currency retires, past orders and open sessions keep it.

    The same amount as now changes nothing and returns the price in force. A product has one price per currency.
    Raises NotFound, InvalidInput (an unknown currency, or an amount that Stripe would not charge; 0 is free).
    """
    currency = check_chargeable(unit_amount, currency)
    with transaction() as session:
        # The product's row is the lock: of two replacements at once, the second sees the first one's price.
        if session.scalar(select(Product.id).where(Product.id == product_id).with_for_update()) is None:
            raise NotFound
        return write_price(session, product_id=product_id, unit_amount=unit_amount, currency=currency)


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


@retry_conflicts
def retire_price(*, price_id: int) -> None:
    """Take a price out of force; without another the product is not on sale. A retired one stays as it is."""
    with transaction() as session:
        session.execute(
            update(Price)
            .where(Price.id == price_id, Price.status != "retired")
            .values(status="retired", retired_at=clock.now())
        )


def write_price(session: Session, *, product_id: int, unit_amount: int, currency: str) -> Price:
    """replace_price() for callers that are inside transaction() and hold the product's row. Raises InvalidInput."""
    currency = check_chargeable(unit_amount, currency)
    moment = clock.now()
    active = session.scalars(
        select(Price).where(
            Price.product_id == product_id,
            Price.currency == currency,
            Price.status == "active",
            Price.type == "one_time",
        )
    ).one_or_none()
    if active is not None:
        if active.unit_amount == unit_amount:
            return active
        active.status, active.retired_at = "retired", moment
        # Before the insert: the database allows one active price for each product and currency.
        session.flush()
    price = Price(
        public_id=make_public_id("prc"),
        product_id=product_id,
        unit_amount=unit_amount,
        currency=currency,
        activated_at=moment,
        created_at=moment,
    )
    session.add(price)
    session.flush()
    return price
