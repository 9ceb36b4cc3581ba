"""Orders for the command line: lists, and everything there is to know about one. Amounts in minor units, times UTC."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import selectinload

from app.catalog.models import PromotionCode
from app.checkout.ledger import sum_entries
from app.checkout.models import (
    CheckoutAttempt,
    Finding,
    Gift,
    LedgerEntry,
    Order,
    OrderConsent,
    OrderItem,
    OrderNote,
    PromotionRedemption,
)
from app.checkout.numbers import format_order_number
from app.checkout.refund_plans import OrderSeat, list_order_seats
from app.checkout.refunds import list_requests
from app.db import db
from app.errors import NotFound
from app.mail.models import Message
from app.payments.models import StripeEvent

Document = dict[str, Any]
ORDER_STATES = (
    "pending", "processing", "paid", "partially_refunded", "refunded", "disputed", "lost", "failed", "expired",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderFilter:
    """Which orders: None and "" leave out a condition; since is UTC, the order's beginning."""

    state: str | None = None
    email: str = ""
    since: datetime | None = None


def list_orders(wanted: OrderFilter, *, limit: int) -> list[Document]:
    """The newest orders that fit, at most limit."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.state is not None:
        conditions.append(Order.state == wanted.state)
    if wanted.email:
        conditions.append(func.lower(Order.email) == wanted.email.strip().lower())
    if wanted.since is not None:
        conditions.append(Order.created_at >= wanted.since)
    orders = db.session.scalars(
        select(Order)
        .where(*conditions)
        .options(selectinload(Order.items), selectinload(Order.entries))
        .order_by(Order.id.desc())
        .limit(limit)
    )
    return [_shape_head(order) for order in orders]


def find_order_public_id(text: str) -> str:
    """The public id of an order named by it, by its number ("1001") or as people see that ("NSL-1001").

    Raises NotFound.
    """
    number = text.rpartition("-")[2] if text.count("-") == 1 else text
    condition = Order.public_id == text
    if number.isascii() and number.isdecimal() and len(number) < 10:  # noqa: PLR2004 - what an integer column holds
        condition = Order.number == int(number)
    row = db.session.execute(select(Order.public_id, Order.number).where(condition)).one_or_none()
    if row is None or text not in {row.public_id, str(row.number), format_order_number(row.number)}:
        raise NotFound(f"There is no order “{text[:60]}”.")
    return str(row.public_id)


def get_order_currency(public_id: str) -> str:
    """What an order's amounts are in. Raises NotFound."""
    currency = db.session.scalar(select(Order.currency).where(Order.public_id == public_id))
    if currency is None:
        raise NotFound("There is no such order.")
    return currency


def get_order_file(public_id: str) -> Document:
    """Everything stored about one order. Raises NotFound."""
    order = db.session.scalar(
        select(Order)
        .where(Order.public_id == public_id)
        .options(selectinload(Order.items), selectinload(Order.entries), selectinload(Order.attempts))
        .execution_options(populate_existing=True)
    )
    if order is None:
        raise NotFound("There is no such order.")
    seats = list_order_seats(order)
    sums = sum_entries(order.entries)
    return {
        **_shape_head(order),
        "purpose": order.purpose,
        "customer_name": order.customer_name,
        "subtotal_amount": order.subtotal_amount,
        "discount_amount": order.discount_amount,
        "tax_amount": order.tax_amount,
        "is_tax_included": order.is_tax_included,
        "captured_amount": sums.captured_amount,
        "withdrawn_amount": sums.withdrawn_amount,
        "reinstated_amount": sums.reinstated_amount,
        "net_amount": sums.net_amount,
        "payment_method": order.payment_method_label,
        "failure_reason": order.failure_reason,
        "stripe_payment_intent": order.stripe_payment_intent_id,
        "stripe_customer": order.stripe_customer_id,
        "stripe_invoice": order.stripe_invoice_id,
        "check_after": _write_time(order.check_after),
        "items": [_shape_item(line, item) for line, item in enumerate(order.items, start=1)],
        "seats": [_shape_seat(each) for each in seats],
        "ledger": [_shape_entry(entry) for entry in order.entries],
        "refunds": _list_refunds(order, seats),
        "attempts": [_shape_attempt(each) for each in order.attempts],
        "redemption": _find_redemption(order.id),
        "consents": _list_consents(order.id),
        "gift": _find_gift(order.id),
        "mails": _list_mails(order, seats),
        "events": _list_events(order),
        "notes": _list_notes(order.id),
        "findings": _list_findings(order.id),
    }


def _shape_head(order: Order) -> Document:
    return {
        "order": order.public_id,
        "number": format_order_number(order.number),
        "state": order.state,
        "email": order.email or "",
        "titles": [item.title for item in order.items],
        "quantity": sum(item.quantity for item in order.items),
        "currency": order.currency,
        "charged_amount": order.charged_amount,
        "refunded_amount": sum_entries(order.entries).refunded_amount,
        "created_at": _write_time(order.created_at),
        "paid_at": _write_time(order.paid_at),
    }


def _shape_item(line: int, item: OrderItem) -> Document:
    return {
        "line": line,
        "title": item.title,
        "quantity": item.quantity,
        "held_quantity": item.held_quantity,
        "unit_amount": item.unit_amount,
        "subtotal_amount": item.subtotal_amount,
        "discount_amount": item.discount_amount,
        "total_amount": item.total_amount,
        "courses": [course["title"] for course in item.courses],
    }


def _shape_seat(each: OrderSeat) -> Document:
    seat = each.seat
    return {
        "seat": each.number,
        "line": each.line,
        "public_id": seat.public_id,
        "status": seat.status,
        "holder": each.holder,
        "is_claimed": seat.claimed_by_id is not None,
        "invited_email": seat.invited_email,
        "invited_at": _write_time(seat.invited_at),
        "claimed_at": _write_time(seat.claimed_at),
    }


def _shape_entry(entry: LedgerEntry) -> Document:
    return {
        "kind": entry.kind,
        "amount": entry.amount,
        "currency": entry.currency,
        "stripe_object": entry.stripe_object_id,
        "related_stripe_object": entry.related_stripe_object_id,
        "status": entry.status,
        "occurred_at": _write_time(entry.occurred_at),
        "recorded_at": _write_time(entry.recorded_at),
    }


def _list_refunds(order: Order, seats: Sequence[OrderSeat]) -> list[Document]:
    numbers = {each.seat.id: each.number for each in seats}
    lines = {item.id: line for line, item in enumerate(order.items, start=1)}
    return [
        {
            "refund_request": request.public_id,
            "amount": request.amount,
            "seat": numbers.get(request.seat_id or 0),
            "line": lines.get(request.order_item_id or 0),
            "reason": request.reason,
            "stripe_charge": request.stripe_charge_id,
            "stripe_refund": request.stripe_refund_id,
            "error": request.error,
            "attempts": request.attempt_count,
            "created_at": _write_time(request.created_at),
        }
        for request in list_requests(order.id)
    ]


def _shape_attempt(attempt: CheckoutAttempt) -> Document:
    return {
        "number": attempt.number,
        "stripe_checkout_session": attempt.stripe_checkout_session_id,
        "idempotency_key": attempt.idempotency_key,
        "expires_at": _write_time(attempt.expires_at),
        "created_at": _write_time(attempt.created_at),
    }


def _find_redemption(order_id: int) -> Document | None:
    row = db.session.execute(
        select(PromotionCode.code, PromotionRedemption.amount, PromotionRedemption.status)
        .join(PromotionRedemption, PromotionRedemption.promotion_code_id == PromotionCode.id)
        .where(PromotionRedemption.order_id == order_id)
    ).one_or_none()
    return None if row is None else {"code": row.code, "amount": row.amount, "status": row.status}


def _list_consents(order_id: int) -> list[Document]:
    rows = db.session.scalars(select(OrderConsent).where(OrderConsent.order_id == order_id).order_by(OrderConsent.id))
    return [
        {
            "kind": each.kind,
            "text_version": each.text_version,
            "text": each.text,
            "given_at": _write_time(each.given_at),
        }
        for each in rows
    ]


def _find_gift(order_id: int) -> Document | None:
    gift = db.session.get(Gift, order_id)
    if gift is None:
        return None
    return {
        "recipient_email": gift.recipient_email,
        "recipient_name": gift.recipient_name,
        "giver_name": gift.giver_name,
        "message": gift.message,
        "send_at": _write_time(gift.send_at),
    }


def _list_mails(order: Order, seats: Sequence[OrderSeat]) -> list[Document]:
    """The mails whose key names the order, one of its seats, or money of its."""
    names = [order.public_id, *(each.seat.public_id for each in seats)]
    names += [entry.stripe_object_id for entry in order.entries]
    rows = db.session.scalars(
        select(Message)
        .where(or_(*(Message.key.contains(name, autoescape=True) for name in dict.fromkeys(names))))
        .order_by(Message.id)
    )
    return [
        {
            "key": message.key,
            "template": message.template,
            "to": message.to_address,
            "created_at": _write_time(message.created_at),
            "send_after": _write_time(message.send_after),
            "sent_at": _write_time(message.sent_at),
            "error": message.error,
        }
        for message in rows
    ]


def _list_events(order: Order) -> list[Document]:
    ids = {each.stripe_checkout_session_id for each in order.attempts} | {order.stripe_payment_intent_id}
    for entry in order.entries:
        ids |= {entry.stripe_object_id, entry.related_stripe_object_id}
    rows = db.session.execute(
        select(StripeEvent.id, StripeEvent.type, StripeEvent.state, StripeEvent.received_at, StripeEvent.error)
        .where(StripeEvent.object_id.in_(sorted(each for each in ids if each is not None)))
        .order_by(StripeEvent.received_at, StripeEvent.id)
    )
    return [
        {
            "event": row.id,
            "type": row.type,
            "state": row.state,
            "received_at": _write_time(row.received_at),
            "error": row.error,
        }
        for row in rows
    ]


def _list_notes(order_id: int) -> list[Document]:
    rows = db.session.scalars(select(OrderNote).where(OrderNote.order_id == order_id).order_by(OrderNote.id))
    return [{"kind": each.kind, "text": each.text, "created_at": _write_time(each.created_at)} for each in rows]


def _list_findings(order_id: int) -> list[Document]:
    rows = db.session.scalars(select(Finding).where(Finding.order_id == order_id).order_by(Finding.id))
    return [
        {"key": each.key, "kind": each.kind, "detail": each.detail, "resolved_at": _write_time(each.resolved_at)}
        for each in rows
    ]


def _write_time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
