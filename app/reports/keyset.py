"""Pages of a list by the last row seen, not by number: the thousandth costs what the first costs.

Rows are in the order of a column and an id that makes an order of equals. A cursor is the public id of a row: where
that row stands is read from the database, so a cursor says nothing and outlives a change of the row's place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, select, tuple_

from app.db import db
from app.paging import PAGE_SIZE

Row = TypeVar("Row")
# Beyond it a count says "more than": a count of all is what makes a long list slow.
MOST_COUNTED = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """Where a page begins: after a row, or before one; both "" is the first page."""

    after: str = ""
    before: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice(Generic[Row]):
    """A page; newer and older are cursors for its neighbors, "" where there is none.

    count: how many rows there are in all, up to one more than MOST_COUNTED; None but on the first page.
    """

    rows: Sequence[Row]
    newer: str = ""
    older: str = ""
    count: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What the rows are sorted by; column and id are of the listed table, public_id names a row in a cursor."""

    column: ColumnElement[Any]
    id: ColumnElement[int]
    public_id: ColumnElement[str]
    is_descending: bool


def read_slice(statement: Select[Any], order: Order, cursor: Cursor, *, size: int = PAGE_SIZE) -> Slice[Any]:
    """A page of a statement that selects one entity with a public_id, without an order of its own.

    A cursor whose row is gone gives the first page. Only the first page counts: what costs is asked once for both.
    """
    place = find_place(order, cursor.after or cursor.before)
    if place is None:
        return _read_first(statement, order, size)
    is_back = not cursor.after
    found = list(db.session.scalars(seek(statement, order, place, is_back=is_back).limit(size + 1)))
    has_more, rows = len(found) > size, found[:size]
    if is_back:
        rows.reverse()
    has_newer, has_older = (has_more, True) if is_back else (True, has_more)
    return Slice(
        rows=rows,
        newer=rows[0].public_id if rows and has_newer else "",
        older=rows[-1].public_id if rows and has_older else "",
    )


def seek(
    statement: Select[Any], order: Order, place: tuple[Any, int] | None = None, *, is_back: bool = False
) -> Select[Any]:
    """The statement sorted, beyond a place in the order (column, id) where there is one; is_back: the other way."""
    is_down = order.is_descending is not is_back
    columns = [order.id] if order.column is order.id else [order.column, order.id]
    if place is not None:
        key, values = tuple_(*columns), place[-len(columns) :]
        statement = statement.where(key < values if is_down else key > values)
    return statement.order_by(*(each.desc() if is_down else each.asc() for each in columns))


def find_place(order: Order, public_id: str) -> tuple[Any, int] | None:
    """Where a row stands, (column, id); None for "" and for a row that is gone."""
    if not public_id:
        return None
    row = db.session.execute(select(order.column, order.id).where(order.public_id == public_id)).one_or_none()
    return (row[0], row[1]) if row is not None else None


def _read_first(statement: Select[Any], order: Order, size: int) -> Slice[Any]:
    ids = list(db.session.scalars(seek(statement, order).with_only_columns(order.id).limit(MOST_COUNTED + 1)))
    entity = statement.column_descriptions[0]["entity"]
    shown = ids[:size]
    found = {row.id: row for row in db.session.scalars(select(entity).where(order.id.in_(shown)))}
    rows = [found[row_id] for row_id in shown if row_id in found]
    return Slice(rows=rows, older=rows[-1].public_id if rows and len(ids) > size else "", count=len(ids))
