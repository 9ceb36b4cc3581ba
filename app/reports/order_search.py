"""Finding one order among many by what somebody has in hand: a number, an address, a name, an id of Stripe or ours."""

import re
from collections.abc import Iterable

from sqlalchemy import ColumnElement, or_, select

from app.checkout.models import CheckoutAttempt, LedgerEntry, Order, OrderItem, RefundRequest, StripeFee
from app.checkout.owners import find_owner
from app.db import db
from app.enrollment.models import Seat
from app.payments.events import get_event_object
from app.payments.facts import object_id
from app.payments.models import StripeEvent
from app.word_search import find_words, match_words

# "NSL-1001" as people see it, or "1001"; nine digits are what an integer column holds.
NUMBER = re.compile(r"(?:[a-z]{1,4}-)?([0-9]{1,9})", re.IGNORECASE)
MACHINE_ID = re.compile(r"[a-z]{2,6}_[A-Za-z0-9_]{3,250}")
# More orders than this of one address or customer: the list is the place to look on.
MOST_FOUND = 1000


def match_orders(text: str) -> ColumnElement[bool]:
    """The condition on Order that the text asks for; each of its parts has an index of its own.

    An id matches exactly, an address by how it begins, a name by how its words begin. A seat is found by the address it
    was given to.
    """
    if MACHINE_ID.fullmatch(text):
        return Order.id.in_(list_orders_of_id(text))
    parts = [Order.email.startswith(text.lower(), autoescape=True)]
    number = NUMBER.fullmatch(text)
    if number is not None:
        parts.append(Order.number == int(number.group(1)))
    words = find_words(text)
    if words and "@" not in text:
        parts.append(match_words(words, Order.customer_name.expression))
    if "@" in text:
        parts.append(Order.id.in_(_list_orders_of_seats(text.lower())))
    return or_(*parts)


def list_orders_of_id(text: str) -> list[int]:
    """The orders that an id belongs to: of a payment, session, charge, refund, dispute, invoice, customer, balance
    transaction or event of Stripe's, or of an order, seat or refund of ours. Asks nobody but the database."""
    if text.startswith("evt_"):
        return _list_orders_of_event(text)
    found = set(
        db.session.scalars(
            select(Order.id)
            .where(
                or_(
                    Order.public_id == text,
                    Order.stripe_payment_intent_id == text,
                    Order.stripe_customer_id == text,
                    Order.stripe_invoice_id == text,
                )
            )
            .limit(MOST_FOUND)
        )
    )
    for query in (
        select(CheckoutAttempt.order_id).where(CheckoutAttempt.stripe_checkout_session_id == text),
        select(LedgerEntry.order_id).where(LedgerEntry.stripe_object_id == text),
        select(StripeFee.order_id).where(StripeFee.stripe_balance_transaction_id == text),
        select(RefundRequest.order_id).where(
            or_(RefundRequest.stripe_refund_id == text, RefundRequest.public_id == text)
        ),
        select(OrderItem.order_id).join(Seat, Seat.order_item_id == OrderItem.id).where(Seat.public_id == text),
    ):
        found |= set(db.session.scalars(query))
    return sorted(found)


def _list_orders_of_event(event_id: str) -> list[int]:
    event = db.session.get(StripeEvent, event_id)
    if event is None:
        return []
    stripe_object = get_event_object(event)
    metadata = stripe_object.get("metadata")
    owner = find_owner(
        metadata=metadata if isinstance(metadata, dict) else None,
        stripe_ids=_list_ids(event.object_id, stripe_object.get("payment_intent"), stripe_object.get("charge")),
    )
    return [owner.order.id] if owner.order is not None else []


def _list_ids(*values: object) -> Iterable[str | None]:
    return [object_id(each) for each in values]


def _list_orders_of_seats(address: str) -> list[int]:
    return list(
        db.session.scalars(
            select(OrderItem.order_id)
            .join(Seat, Seat.order_item_id == OrderItem.id)
            .where(Seat.invited_email == address)
            .limit(MOST_FOUND)
        )
    )
