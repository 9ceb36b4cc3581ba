"""Numbered pages of a list, for people who look at it in a browser. (Programs get cursor pages: app/api/paging.py.)"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, func, select

from app.db import db

Row = TypeVar("Row")
PAGE_SIZE = 50
# Nobody pages further by hand, and an offset costs the database all the rows before it.
LAST_PAGE = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list: which page, out of how many rows in all."""

    rows: Sequence[Row]
    total: int
    number: int = 1
    size: int = PAGE_SIZE

    @property
    def count(self) -> int:
        """How many pages there are, one at least."""
        return min(max(-(-self.total // self.size), 1), LAST_PAGE)

    @property
    def first(self) -> int:
        """The place of the first row shown, 1 for the list's first; 0 when nothing is shown."""
        return (self.number - 1) * self.size + 1 if self.rows else 0

    @property
    def last(self) -> int:
        """The place of the last row shown."""
        return self.first + len(self.rows) - 1 if self.rows else 0


def count_rows(statement: Select[Any]) -> int:
    """How many rows the statement gives, without order and limit."""
    return db.session().scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0


def clamp_page(number: int, *, total: int, size: int = PAGE_SIZE) -> int:
    """The page that is there: a number past the end is the last page, one below 1 the first."""
    return min(max(number, 1), max(-(-total // size), 1), LAST_PAGE)


def read_page(statement: Select[Any], *, number: int, size: int = PAGE_SIZE, total: int | None = None) -> Page[Any]:
    """A page of an ordered statement: its entities or values when it selects one thing, else its rows.

    total: the count where the caller knows it already, for example with a sum.
    """
    total = count_rows(statement) if total is None else total
    shown = clamp_page(number, total=total, size=size)
    result = db.session().execute(statement.limit(size).offset((shown - 1) * size))
    rows = result.scalars().all() if len(statement.column_descriptions) == 1 else result.all()
    return Page(rows=rows, total=total, number=shown, size=size)
