"""Which price counts at a moment: the one rule, as a condition in SQL, for every page, the checkout and the exports.

It asks the clock when the statement runs, so a planned change counts from its very second on, and a sale until its
end, whether the worker has written it down yet or not.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, exists, literal_column, or_
from sqlalchemy.orm import aliased

from app import clock
from app.catalog.models import Price
from app.db import UTCDateTime

REGULAR, SALE = "regular", "sale"
SCHEDULED, ACTIVE, RETIRED = "scheduled", "active", "retired"
# Filled in anew each time a statement runs: the statements themselves are built once.
MOMENT: Any = bindparam("price_moment", callable_=clock.now, type_=UTCDateTime)

# Written into the statement: a database that plans before it knows them would not find the partial indexes.
_REGULAR: ColumnElement[str] = literal_column("'regular'")
_SALE: ColumnElement[str] = literal_column("'sale'")
_SCHEDULED: ColumnElement[str] = literal_column("'scheduled'")
_ACTIVE: ColumnElement[str] = literal_column("'active'")
_ONE_TIME: ColumnElement[str] = literal_column("'one_time'")

PriceRow = type[Price]


def in_force(price: PriceRow = Price) -> ColumnElement[bool]:
    """What is charged now: one price at most for each product and currency. A sale counts over the regular price."""
    sale = aliased(Price)
    has_sale = exists().where(_is_same_thing(sale, price), sale.kind == _SALE, _is_running(sale))
    return or_(and_(price.kind == _SALE, _is_running(price)), and_(is_regular_now(price), ~has_sale))


def is_regular_now(price: PriceRow = Price) -> ColumnElement[bool]:
    """The price without its sale: the newest regular one that has begun. One at most for each product and currency."""
    later = aliased(Price)
    has_later = exists().where(
        _is_same_thing(later, price), later.kind == _REGULAR, later.status == _SCHEDULED, later.scheduled_at <= MOMENT,
        or_(price.status == _ACTIVE, later.scheduled_at > price.scheduled_at),
    )  # fmt: skip
    has_begun = or_(price.status == _ACTIVE, and_(price.status == _SCHEDULED, price.scheduled_at <= MOMENT))
    return and_(price.kind == _REGULAR, price.type == _ONE_TIME, has_begun, ~has_later)


def _is_running(sale: PriceRow) -> ColumnElement[bool]:
    """A sale that has begun and not ended."""
    has_begun = or_(sale.status == _ACTIVE, and_(sale.status == _SCHEDULED, sale.scheduled_at <= MOMENT))
    return and_(sale.type == _ONE_TIME, has_begun, sale.ends_at > MOMENT)


def _is_same_thing(one: PriceRow, other: PriceRow) -> ColumnElement[bool]:
    return and_(one.product_id == other.product_id, one.currency == other.currency, one.type == _ONE_TIME)
