"""Reading orders for their owners. Ownership is part of every query: another's order does not exist."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import selectinload

from app import clock
from app.checkout.ledger import sum_entries
from app.checkout.models import CheckoutAttempt, LedgerEntry, Order
from app.checkout.numbers import format_order_number
from app.checkout.receipts import ORDER_PURPOSE
from app.checkout.services import GUEST_ACCESS
from app.db import db
from app.errors import NotFound
from app.formatting import money
from app.signing import read_link

ORDER_LINK_SECONDS = 10 * 365 * 24 * 60 * 60
TIMELINE_SENTENCES = {
    "payment": "{amount} paid",
    "refund": "{amount} refunded",
    "refund_failed": "The refund of {amount} failed and came back to us",
    "dispute_opened": "Your bank opened a dispute about {amount}",
    "dispute_won": "The dispute was closed in favor of the payment",
    "dispute_lost": "The dispute returned the payment to you",
}
TIMELINE_KINDS = {
    "payment": "paid",
    "refund": "refunded",
    "refund_failed": "failed",
    "dispute_opened": "disputed",
    "dispute_won": "access",
    "dispute_lost": "refunded",
}
GRANTING_STATES = ("paid", "partially_refunded")


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderLine:
    """An item as a receipt shows it; amounts in minor units of the order's currency."""

    title: str
    quantity: int
    subtotal_amount: int
    total_amount: int
    course_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderView:
    """An order as its buyer may see it; amounts in minor units of currency, times UTC."""

    id: int
    public_id: str
    user_id: int | None
    number: str
    state: str
    email: str
    customer_name: str
    items: tuple[OrderLine, ...]
    subtotal_amount: int
    discount_amount: int
    tax_amount: int
    total_amount: int
    refunded_amount: int
    currency: str
    created_at: datetime
    paid_at: datetime | None
    payment_method_label: str
    failure_reason: str | None
    refund_until: datetime | None
    price_public_id: str

    @property
    def course_ids(self) -> tuple[int, ...]:
        return tuple(course_id for item in self.items for course_id in item.course_ids)


def find_order_of_session(*, stripe_checkout_session_id: str) -> OrderView | None:
    """The order of a Checkout Session, whoever asks: show nothing of it before its owner is known."""
    return _view_one(
        Order.id.in_(
            select(CheckoutAttempt.order_id).where(
                CheckoutAttempt.stripe_checkout_session_id == stripe_checkout_session_id
            )
        )
    )


def find_order_by_public_id(public_id: str) -> OrderView | None:
    """An order by its public id, whoever asks: show nothing of it before its owner is known."""
    return _view_one(Order.public_id == public_id)


def get_order_of_user(*, public_id: str, user_id: int, email: str | None) -> OrderView:
    """One of this person's orders: bought signed in, or paid with the address they have proved. Raises NotFound."""
    order = _view_one(Order.public_id == public_id, _is_theirs(user_id, email))
    if order is None:
        raise NotFound
    return order


def get_order_of_link(token: str) -> OrderView:
    """The order of a link that was mailed to its buyer. Raises LinkInvalid, NotFound."""
    public_id = read_link(ORDER_PURPOSE, token, max_age_seconds=ORDER_LINK_SECONDS)
    order = _view_one(Order.public_id == public_id) if isinstance(public_id, str) else None
    if order is None:
        raise NotFound
    return order


def list_orders_of_user(*, user_id: int, email: str | None, limit: int = 50) -> list[OrderView]:
    """This person's orders that got a number, newest first."""
    orders = db.session.scalars(
        _select_orders()
        .where(_is_theirs(user_id, email), Order.number.is_not(None))
        .order_by(Order.id.desc())
        .limit(limit)
    )
    return [_view(order) for order in orders]


def list_guest_course_ids(*, order_public_ids: Sequence[str]) -> set[int]:
    """What the browser that began these orders may open without an account: for 24 hours from the payment."""
    if not order_public_ids:
        return set()
    orders = db.session.scalars(
        select(Order)
        .options(selectinload(Order.items))
        .where(Order.public_id.in_(list(order_public_ids)[-20:]))
        .where(Order.state.in_(GRANTING_STATES), Order.holds_capacity.is_(True))
        .where(Order.user_id.is_(None), Order.paid_at > clock.now() - GUEST_ACCESS)
    )
    return {course["course_id"] for order in orders for item in order.items for course in item.courses}


def list_timeline(*, order_id: int, currency: str) -> list[tuple[str, str, str, datetime]]:
    """What happened to an order, newest first: (kind, sentence, detail, UTC time)."""
    facts: list[tuple[str, str, str, datetime]] = [
        (
            TIMELINE_KINDS.get(entry.kind, entry.kind),
            TIMELINE_SENTENCES[entry.kind].format(amount=money(entry.amount, currency)),
            "",
            entry.occurred_at,
        )
        for entry in db.session.scalars(select(LedgerEntry).where(LedgerEntry.order_id == order_id))
        if entry.kind in TIMELINE_SENTENCES and (entry.amount or entry.kind != "payment")
    ]
    created_at = db.session.scalar(select(Order.created_at).where(Order.id == order_id))
    if created_at is not None:
        facts.append(("created", "Order placed", "", created_at))
    # Stripe tells whole seconds: within one, what was paid comes after what was placed.
    return sorted(facts, key=lambda fact: fact[3].replace(microsecond=0), reverse=True)


def _is_theirs(user_id: int, email: str | None) -> ColumnElement[bool]:
    if email is None:
        return Order.user_id == user_id
    return or_(Order.user_id == user_id, Order.email == email)


def _select_orders() -> Select[Order]:
    return select(Order).options(selectinload(Order.items), selectinload(Order.entries))


def _view_one(*conditions: ColumnElement[bool]) -> OrderView | None:
    order = db.session.scalar(_select_orders().where(*conditions).execution_options(populate_existing=True))
    return None if order is None else _view(order)


def _view(order: Order) -> OrderView:
    days = min((item.refund_days for item in order.items), default=0)
    refund_until = order.paid_at + timedelta(days=days) if order.paid_at and days and order.total_amount else None
    return OrderView(
        id=order.id,
        public_id=order.public_id,
        user_id=order.user_id,
        number=format_order_number(order.number),
        state=order.state,
        email=order.email or "",
        customer_name=order.customer_name,
        items=tuple(
            OrderLine(
                title=item.title,
                quantity=item.quantity,
                subtotal_amount=item.subtotal_amount,
                total_amount=item.total_amount,
                course_ids=tuple(course["course_id"] for course in item.courses),
            )
            for item in order.items
        ),
        subtotal_amount=order.subtotal_amount,
        discount_amount=order.discount_amount,
        tax_amount=order.tax_amount,
        total_amount=order.total_amount + order.tax_amount,
        refunded_amount=sum_entries(order.entries).refunded_amount,
        currency=order.currency,
        created_at=order.created_at,
        paid_at=order.paid_at,
        payment_method_label=order.payment_method_label,
        failure_reason=order.failure_reason,
        refund_until=refund_until,
        price_public_id=order.choice_key.partition(":")[0],
    )
