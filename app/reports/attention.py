"""What needs a person: findings about money, events and mails that were given up, orders that wait for long."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CompoundSelect, Select, func, select

from app import clock
from app.checkout.findings import list_open_findings
from app.checkout.models import Finding, Order, OrderItem
from app.checkout.numbers import format_order_number
from app.db import db
from app.mail.models import Message
from app.payments.models import StripeEvent

WAITING = timedelta(hours=1)
EVENT_PATIENCE = timedelta(minutes=5)
LATEST_ORDERS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Attention:
    """One thing to look at: what it is in a sentence, since when (UTC)."""

    kind: str
    sentence: str
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRow:
    """An order in a list; amount in minor units of currency."""

    public_id: str
    number: str
    title: str
    email: str
    state: str
    total_amount: int
    currency: str
    created_at: datetime


def list_attention() -> list[Attention]:
    """Everything that needs a person now, oldest first."""
    found = [
        Attention(kind=finding.kind, sentence=finding.detail, since=finding.created_at)
        for finding in list_open_findings()
    ]
    found += _count(
        "events",
        "{count} Stripe events wait for handling longer than five minutes.",
        select(func.count(), func.min(StripeEvent.received_at)).where(
            StripeEvent.state == "received", StripeEvent.received_at < clock.now() - EVENT_PATIENCE
        ),
    )
    found += _count(
        "events",
        "{count} Stripe events were given up after many tries.",
        select(func.count(), func.min(StripeEvent.received_at)).where(StripeEvent.state == "failed"),
    )
    found += _count(
        "mail",
        "{count} mails could not be sent.",
        select(func.count(), func.min(Message.created_at)).where(Message.failed_at.is_not(None)),
    )
    found += _count(
        "orders",
        "{count} payments have been processing for more than an hour.",
        select(func.count(), func.min(Order.created_at)).where(
            Order.state == "processing", Order.created_at < clock.now() - WAITING
        ),
    )
    return sorted(found, key=lambda each: each.since)


def list_latest_orders() -> list[OrderRow]:
    """The newest orders, whatever their state."""
    rows = db.session.execute(
        select(Order, func.min(OrderItem.title))
        .join(OrderItem, OrderItem.order_id == Order.id)
        .group_by(Order.id)
        .order_by(Order.id.desc())
        .limit(LATEST_ORDERS)
    )
    return [
        OrderRow(
            public_id=order.public_id,
            number=format_order_number(order.number),
            title=title,
            email=order.email or "",
            state=order.state,
            total_amount=order.total_amount + order.tax_amount,
            currency=order.currency,
            created_at=order.created_at,
        )
        for order, title in rows
    ]


def list_order_ids_to_look_at() -> CompoundSelect[Any]:
    """The query for orders that a person should look at: open findings about them, and payments that take long."""
    slow = select(Order.id).where(Order.state == "processing", Order.created_at < clock.now() - WAITING)
    noted = select(Finding.order_id).where(Finding.resolved_at.is_(None), Finding.order_id.is_not(None))
    return slow.union(noted)


def count_orders_to_look_at() -> int:
    """How many orders a person should look at."""
    return db.session.scalar(select(func.count()).select_from(list_order_ids_to_look_at().subquery())) or 0


def _count(kind: str, sentence: str, query: Select[int, datetime]) -> list[Attention]:
    count, since = db.session.execute(query).one()
    return [Attention(kind=kind, sentence=sentence.format(count=count), since=since)] if count else []
