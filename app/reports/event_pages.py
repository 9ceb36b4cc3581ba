"""One of Stripe's events as the back-office shows it."""

from dataclasses import dataclass

from sqlalchemy import select

from app.checkout.events import HANDLED_EVENTS
from app.checkout.models import Order
from app.checkout.numbers import format_order_number
from app.db import db
from app.payments.events import get_event
from app.payments.models import StripeEvent
from app.reports.audit_log import Activity, list_subject_activity
from app.reports.event_words import STATE_MEANINGS, explain_error
from app.reports.order_search import list_orders_of_id

MOST_DEEDS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class EventOrder:
    """An order that the event is about."""

    public_id: str
    name: str
    state: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EventDetail:
    """An event, what its state means, and what it belongs to; error is the last try's in words, "" for none."""

    event: StripeEvent
    meaning: str
    error: str
    has_effect: bool
    orders: tuple[EventOrder, ...]
    deeds: tuple[Activity, ...]


def get_event_page(event_id: str) -> EventDetail:
    """Everything the page shows, from the database alone. Raises NotFound."""
    event = get_event(event_id)
    orders = db.session.execute(
        select(Order.public_id, Order.number, Order.state).where(Order.id.in_(list_orders_of_id(event.id)))
    )
    return EventDetail(
        event=event,
        meaning=STATE_MEANINGS[event.state],
        error=explain_error(event.error),
        has_effect=event.type in HANDLED_EVENTS,
        orders=tuple(
            EventOrder(public_id=row.public_id, name=format_order_number(row.number) or "Not paid yet", state=row.state)
            for row in orders
        ),
        deeds=tuple(list_subject_activity(subject_type="event", subject_id=event.id, limit=MOST_DEEDS)),
    )
