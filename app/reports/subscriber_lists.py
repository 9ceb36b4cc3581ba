"""The newsletter's subscribers for the back-office: the list, the same rows as CSV, and how the list grows."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select

from app.accounts.emails import normalize_email
from app.db import db
from app.errors import InvalidInput
from app.newsletter.models import Subscriber
from app.newsletter.services import erased_address
from app.reports.keyset import Cursor, Order, Slice, read_slice, seek
from app.reports.ledger_export import quote_formula
from app.reports.local_days import local_day
from app.reports.periods import Period

BATCH_SIZE = 500
MOST_SOURCES = 30
SORTS: dict[str, ColumnElement[Any]] = {"asked": Subscriber.id.expression, "email": Subscriber.email.expression}


@dataclass(frozen=True, kw_only=True, slots=True)
class SubscriberQuery:
    """Which subscribers: "" leaves a condition out. view is a status."""

    view: str = ""
    text: str = ""
    source: str = ""
    sort: str = "asked"
    is_descending: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class SubscriberCsvRow:
    """A subscriber as a spreadsheet reads it; of an erased one there is no address."""

    subscriber: str
    email: str
    status: str
    source: str
    asked_at: str
    confirmed_at: str
    left_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """How many confirmed on each bucket of a period, and in the one before; left: how many went."""

    joined: tuple[int, ...]
    joined_before: tuple[int, ...]
    left: int


CSV_COLUMNS = tuple(field.name for field in fields(SubscriberCsvRow))


def list_subscribers(query: SubscriberQuery, cursor: Cursor) -> Slice[Subscriber]:
    """A page of the list."""
    return read_slice(select_subscribers(query), make_order(query), cursor)


def select_subscribers(query: SubscriberQuery) -> Select[Subscriber]:
    """The subscribers that fit, not sorted. An erased one is found by the whole address."""
    statement = select(Subscriber)
    if query.view:
        statement = statement.where(Subscriber.status == query.view)
    if query.source:
        statement = statement.where(Subscriber.source == query.source)
    if query.text.startswith("sub_"):
        return statement.where(Subscriber.public_id == query.text)
    if query.text:
        begins = Subscriber.email.startswith(query.text.lower(), autoescape=True)
        statement = statement.where(or_(begins, Subscriber.email == _hash(query.text)))
    return statement


def make_order(query: SubscriberQuery) -> Order:
    """What select_subscribers() is sorted by."""
    column = SORTS[query.sort]
    row_id = column if query.sort == "asked" else Subscriber.id.expression
    return Order(
        column=column, id=row_id, public_id=Subscriber.public_id.expression, is_descending=query.is_descending
    )  # fmt: skip


def count_statuses() -> dict[str, int]:
    """How many subscribers each view holds, by its key; "" is all of them."""
    counts: dict[str, int] = dict(
        db.session.execute(select(Subscriber.status, func.count()).group_by(Subscriber.status)).all()
    )
    return {"": sum(counts.values()), **dict.fromkeys(("confirmed", "pending", "unsubscribed", "erased"), 0), **counts}


def list_sources() -> tuple[str, ...]:
    """The pages that most subscribers came from, the best first."""
    rows = db.session.scalars(
        select(Subscriber.source)
        .where(Subscriber.source != "")
        .group_by(Subscriber.source)
        .order_by(func.count().desc(), Subscriber.source)
        .limit(MOST_SOURCES)
    )
    return tuple(rows)


def read_growth(period: Period) -> Growth:
    """Confirmations by day or month of the period, and how many left in it."""
    left = db.session.scalar(
        select(func.count())
        .select_from(Subscriber)
        .where(Subscriber.unsubscribed_at >= period.since, Subscriber.unsubscribed_at < period.until)
    )
    joined, before = _count_joined(period), _count_joined(period.previous)
    # Months of two spans of days are not always as many.
    before = (*before, *(0 for _ in joined))[: len(joined)]
    return Growth(joined=joined, joined_before=before, left=left or 0)


def iterate_subscriber_rows(query: SubscriberQuery) -> Iterator[list[str]]:
    """The CSV's cells, row by row in the list's order: exactly those that fit when it began, in batches.

    No cell is taken for a formula by a spreadsheet (attack A60).
    """
    ids = list(db.session.scalars(seek(select_subscribers(query), make_order(query)).with_only_columns(Subscriber.id)))
    for start in range(0, len(ids), BATCH_SIZE):
        batch = ids[start : start + BATCH_SIZE]
        found = {row.id: row for row in db.session.scalars(select(Subscriber).where(Subscriber.id.in_(batch)))}
        for row_id in batch:
            if row_id in found:
                yield [quote_formula(value) for value in asdict(_shape_csv_row(found[row_id])).values()]
        # What was written is not needed again, and a long list must not fill the memory.
        db.session.expunge_all()


def _count_joined(period: Period) -> tuple[int, ...]:
    day = local_day(Subscriber.confirmed_at, since=period.since, until=period.until, zone=period.zone)
    joined = (
        select(day.label("day"))
        .where(Subscriber.confirmed_at >= period.since, Subscriber.confirmed_at < period.until)
        .subquery()
    )
    rows = db.session.execute(select(joined.c.day, func.count()).group_by(joined.c.day)).all()
    counts = {date.fromisoformat(day): count for day, count in rows}
    return tuple(
        sum(count for day, count in counts.items() if bucket.first_day <= day <= bucket.last_day)
        for bucket in period.buckets
    )


def _hash(text: str) -> str:
    try:
        return erased_address(normalize_email(text))
    except InvalidInput:
        return ""


def _shape_csv_row(row: Subscriber) -> SubscriberCsvRow:
    return SubscriberCsvRow(
        subscriber=row.public_id,
        email=row.email if row.status != "erased" else "",
        status=row.status,
        source=row.source,
        asked_at=_write_time(row.requested_at),
        confirmed_at=_write_time(row.confirmed_at),
        left_at=_write_time(row.unsubscribed_at),
    )


def _write_time(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
