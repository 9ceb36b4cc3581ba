"""The back-office's inbox of Stripe's events: which, newest first, page by page behind the event last seen.

Nothing here counts or skips all rows: a shop of some years has a million of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import load_only, selectinload

from app.checkout.events import HANDLED_EVENTS
from app.checkout.models import Order
from app.db import db
from app.payments.models import StripeEvent
from app.reports.order_pages import list_stripe_ids
from app.reports.order_search import NUMBER

PAGE_SIZE = 50
# Beyond so many a count says "and more"; nobody acts on the difference.
MOST_COUNTED = 1_000
MOST_TYPES = 100
# Views, each with the state it shows.
VIEW_STATES = {"failed": "failed", "waiting": "received", "handled": "handled", "ignored": "ignored"}
COUNTED_VIEWS = ("failed", "waiting")


@dataclass(frozen=True, kw_only=True, slots=True)
class EventQuery:
    """Which events; "" and None leave a condition out. since and until are UTC; after and before are ids of events:
    the page that follows the one, or that comes before the other."""

    view: str = ""
    text: str = ""
    type: str = ""
    since: datetime | None = None
    until: datetime | None = None
    after: str = ""
    before: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class EventPage:
    """Some events, newest first; older and newer are the ids to ask behind, "" where nothing is."""

    rows: Sequence[StripeEvent]
    newer: str
    older: str


def list_event_page(query: EventQuery) -> EventPage:
    """A page of the list."""
    rows = list(db.session.scalars(select_events(query)))
    has_more = len(rows) > PAGE_SIZE
    rows = rows[:PAGE_SIZE]
    if query.before:
        rows.reverse()
        has_older, has_newer = bool(rows), has_more
    else:
        has_older, has_newer = has_more, bool(query.after and rows)
    return EventPage(
        rows=rows, older=rows[-1].id if has_older else "", newer=rows[0].id if has_newer else ""
    )  # fmt: skip


def select_events(query: EventQuery) -> Select[StripeEvent]:
    """The list's statement: one row more than a page, without payloads; oldest first where before is asked for."""
    conditions = [make for make in _list_conditions(query) if make is not None]
    order: tuple[Any, ...] = (StripeEvent.received_at.desc(), StripeEvent.id.desc())
    if query.before:
        order = (StripeEvent.received_at.asc(), StripeEvent.id.asc())
    columns = load_only(
        StripeEvent.id, StripeEvent.type, StripeEvent.state, StripeEvent.object_id, StripeEvent.received_at,
        StripeEvent.handled_at, StripeEvent.attempt_count, StripeEvent.error,
    )  # fmt: skip
    return select(StripeEvent).options(columns).where(*conditions).order_by(*order).limit(PAGE_SIZE + 1)


def count_views() -> dict[str, int]:
    """How many events need somebody, by view; counting stops at a thousand."""
    counts = {}
    for view in COUNTED_VIEWS:
        some = select(StripeEvent.id).where(StripeEvent.state == VIEW_STATES[view]).limit(MOST_COUNTED).subquery()
        counts[view] = db.session.scalar(select(func.count()).select_from(some)) or 0
    return counts


def list_types() -> list[str]:
    """The types that have come or have an effect here, by name."""
    # From one type to the next through the index: a DISTINCT would read every row.
    first = select(func.min(StripeEvent.type).label("type")).cte("types", recursive=True)
    following = select(func.min(StripeEvent.type)).where(StripeEvent.type > first.c.type).scalar_subquery()
    types = first.union_all(select(following).where(first.c.type.is_not(None)))
    found = db.session.scalars(select(types.c.type).where(types.c.type.is_not(None)).limit(MOST_TYPES))
    return sorted({*found, *HANDLED_EVENTS})


def _list_conditions(query: EventQuery) -> list[ColumnElement[bool] | None]:
    state = VIEW_STATES.get(query.view)
    return [
        StripeEvent.state == state if state else None,
        _match_text(query.text) if query.text else None,
        StripeEvent.type == query.type if query.type else None,
        StripeEvent.received_at >= query.since if query.since else None,
        StripeEvent.received_at < query.until if query.until else None,
        _place(query.after, is_older=True) if query.after else None,
        _place(query.before, is_older=False) if query.before else None,
    ]


def _match_text(text: str) -> ColumnElement[bool]:
    number = NUMBER.fullmatch(text)
    is_order = Order.number == int(number[1]) if number is not None else Order.public_id == text
    order = db.session.scalar(
        select(Order).where(is_order).options(selectinload(Order.entries), selectinload(Order.attempts))
    )
    if order is not None:
        return StripeEvent.object_id.in_(list_stripe_ids(order))
    return or_(StripeEvent.id == text, StripeEvent.object_id == text)


def _place(event_id: str, *, is_older: bool) -> ColumnElement[bool] | None:
    """Behind or before an event in the list; events are never removed, so an old link finds its place."""
    received_at = db.session.scalar(select(StripeEvent.received_at).where(StripeEvent.id == event_id))
    if received_at is None:
        return None
    at, key = StripeEvent.received_at, StripeEvent.id
    # Written so that the index may be entered at the place: the first half bounds it, the second refines.
    if is_older:
        return and_(at <= received_at, or_(at < received_at, key < event_id))
    return and_(at >= received_at, or_(at > received_at, key > event_id))
