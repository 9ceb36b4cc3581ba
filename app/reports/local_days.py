"""Moments as days of the shop's time zone, in SQL: both databases then add up by day and send a few hundred rows."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, String, case
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement, literal_column

SECOND = timedelta(seconds=1)
STEP = timedelta(days=1)


class _ShiftedDay(FunctionElement[str]):
    """The day, as YYYY-MM-DD, of a moment moved by a number of seconds."""

    inherit_cache = True
    name = "shifted_day"
    type = String()


@compiles(_ShiftedDay, "sqlite")
def _write_for_sqlite(element: _ShiftedDay, compiler: Any, **options: Any) -> str:
    moment, seconds = (compiler.process(each, **options) for each in element.clauses)
    # Without its fraction: SQLite would round 23:59:59.9999 up to the next day.
    return f"date(substr({moment}, 1, 19), ({seconds}) || ' seconds')"


@compiles(_ShiftedDay, "postgresql")
def _write_for_postgresql(element: _ShiftedDay, compiler: Any, **options: Any) -> str:
    moment, seconds = (compiler.process(each, **options) for each in element.clauses)
    return f"to_char(({moment}) AT TIME ZONE 'UTC' + ({seconds}) * interval '1 second', 'YYYY-MM-DD')"


def local_day(
    column: ColumnElement[datetime] | Any, *, since: datetime, until: datetime, zone: ZoneInfo
) -> ColumnElement[str]:
    """The zone's day of a moment between since and until, daylight saving included."""
    offsets = list(_list_offsets(since, until, zone))
    seconds: ColumnElement[Any] = literal_column(str(offsets[-1][1]))
    if len(offsets) > 1:
        seconds = case(
            *((column < until_moment, literal_column(str(offset))) for until_moment, offset in offsets[:-1]),
            else_=seconds,
        )
    return _ShiftedDay(column, seconds)


def _list_offsets(since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, int]]:
    """The zone's offsets in order, in seconds, each with the moment it ends."""
    moment, offset = since, _offset(since, zone)
    while moment < until:
        following = min(moment + STEP, until)
        if _offset(following, zone) != offset:
            low, high = moment, following
            while high - low > SECOND:
                middle = low + timedelta(seconds=(high - low) // SECOND // 2)
                low, high = (middle, high) if _offset(middle, zone) == offset else (low, middle)
            yield high, offset
            offset = _offset(following, zone)
        moment = following
    yield until, offset


def _offset(moment: datetime, zone: ZoneInfo) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
