"""The mails of an order, queued under keys that make each go out once. Inside the caller's transaction()."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.catalog.models import Course, PromotionCode
from app.checkout.access_links import describe_access_link
from app.checkout.models import Gift, LedgerEntry, Order, PromotionRedemption, RefundRequest
from app.checkout.numbers import format_order_number
from app.checkout.order_links import ORDER_PURPOSE, order_link_value, order_link_words
from app.checkout.withdrawal_terms import describe_withdrawal_link, find_withdrawal_terms, last_moment
from app.db import db
from app.enrollment.models import Seat
from app.mail.models import Message
from app.mail.services import queue_message

OPEN_STATES = ("paid", "partially_refunded")
ENDED_STATES = ("refunded", "lost")


def queue_receipt(order: Order, *, again: str = "") -> bool:
    """The receipt to the address that paid, once for each order and each value of again; whether it was queued."""
    gift = db.session.get(Gift, order.id) if order.purpose == "gift" else None
    order_link = {"path": "/orders/{token}", "purpose": ORDER_PURPOSE, "value": order_link_value(order)}
    opens_course = order.user_id is not None and order.takes_seat and gift is None
    return _queue(
        order,
        key=":".join(filter(None, ("receipt", order.public_id, again))),
        template="receipt",
        data={
            "order_number": format_order_number(order.number),
            "order_public_id": order.public_id,
            "customer_name": order.customer_name,
            "items": [
                {"title": item.title, "quantity": item.quantity, "total_amount": item.subtotal_amount}
                for item in order.items
            ],
            "subtotal_amount": order.subtotal_amount,
            "discount_amount": order.discount_amount,
            "discount_code": find_code_name(order),
            "tax_amount": order.tax_amount,
            "is_tax_included": order.is_tax_included,
            "total_amount": order.charged_amount,
            "currency": order.currency,
            "paid_at": order.paid_at.isoformat() if order.paid_at else "",
            "payment_method_label": order.payment_method_label,
            "refund_until": _refund_until(order),
            "is_guest": order.user_id is None,
            "takes_seat": order.takes_seat and gift is None,
            "free_seats": sum(item.quantity for item in order.items) - (1 if order.takes_seat else 0)
            if gift is None
            else 0,
            "gift_recipient": (gift.recipient_name or gift.recipient_email) if gift is not None else "",
            "gift_on": gift.send_at.isoformat() if gift is not None and gift.send_at is not None else "",
            "order_url": order_link,
            **_describe_withdrawal(order),
            "access_url": describe_access_link(*order_link_words(order)),
            "button_label": "Start learning" if opens_course else "View your order",
            "button_url": {"path": "/account/courses", "purpose": "", "value": ""} if opens_course else order_link,
        },
    )


def queue_refund_notice(order: Order, *, entry: LedgerEntry, request: RefundRequest | None) -> None:
    """Says that money is on its way back, for what, and what stays open; once for each refund."""
    _queue(
        order,
        key=f"refund:{entry.stripe_object_id}",
        template="order_refunded",
        data={
            "order_number": format_order_number(order.number),
            "amount": entry.amount,
            "currency": entry.currency,
            "access_closed": order.state in ENDED_STATES,
            "access_paused": order.state == "disputed",
            **_describe_target(order, request),
        },
    )


def queue_refund_failed(order: Order, *, entry: LedgerEntry, request: RefundRequest | None) -> None:
    """Takes back what an earlier mail said: the refund failed. Once for each refund that its buyer was told about."""
    keys = [f"refund:{entry.stripe_object_id}"]
    if request is not None:
        keys.append(f"returned:{request.request_key}")
    if db.session.scalar(select(Message.id).where(Message.key.in_(keys)).limit(1)) is None:
        return
    _queue(
        order,
        key=f"refund-failed:{entry.stripe_object_id}",
        template="refund_failed",
        data={
            "order_number": format_order_number(order.number),
            "amount": entry.amount,
            "currency": entry.currency,
            "access_open": order.state in OPEN_STATES,
        },
    )


def queue_order_returned(order: Order, *, key: str, amount: int, cause: str) -> None:
    """Says why a payment goes back by itself, before its buyer wonders; once for each key.

    cause is "sold_out" (the last seat had gone, P3) or "paid_twice" (P4).
    """
    _queue(
        order,
        key=f"returned:{key}",
        template="order_returned",
        data={
            "order_number": format_order_number(order.number),
            "titles": [item.title for item in order.items],
            "amount": amount,
            "currency": order.currency,
            "cause": cause,
            "course_url": _find_course_url(order),
        },
    )


def queue_payment_failed(order: Order) -> None:
    """Says that a delayed payment did not come, once for each order."""
    _queue(
        order,
        key=f"payment-failed:{order.public_id}",
        template="payment_failed",
        data={
            "titles": [item.title for item in order.items],
            "reason": order.failure_reason or "",
            "course_url": _find_course_url(order),
        },
    )


def find_code_name(order: Order) -> str:
    """The promotion code that an order was bought with, "" for none."""
    if not order.discount_amount:
        return ""
    return (
        db.session.scalar(
            select(PromotionCode.code)
            .join(PromotionRedemption, PromotionRedemption.promotion_code_id == PromotionCode.id)
            .where(PromotionRedemption.order_id == order.id)
        )
        or ""
    )


def _queue(order: Order, *, key: str, template: str, data: dict[str, Any]) -> bool:
    """To the address that paid; Stripe may know none, and then nobody is written to."""
    return order.email is not None and queue_message(key=key, template=template, to_address=order.email, data=data)


def _describe_target(order: Order, request: RefundRequest | None) -> dict[str, Any]:
    """What a refund was for: "seat", "line" or, when it names neither, "amount"."""
    item = next((each for each in order.items if request is not None and each.id == request.order_item_id), None)
    if request is None or item is None:
        return {"target": "amount"}
    if request.seat_id is None:
        return {"target": "line", "title": item.title}
    seat = db.session.get_one(Seat, request.seat_id)
    return {
        "target": "seat",
        "title": item.title,
        "seat_position": seat.position,
        "seat_count": item.quantity,
        "seat_email": seat.invited_email or "",
    }


def _find_course_url(order: Order) -> dict[str, str]:
    course_ids = [course["course_id"] for item in order.items for course in item.courses]
    slug = db.session.scalar(select(Course.slug).where(Course.id.in_(course_ids)).order_by(Course.id).limit(1))
    return {"path": f"/courses/{slug}" if slug else "/courses", "purpose": "", "value": ""}


def _describe_withdrawal(order: Order) -> dict[str, Any]:
    """The way to withdraw, where the buyer has the right to; {} elsewhere."""
    terms = find_withdrawal_terms(order)
    if terms is None or terms.is_waived:
        return {}
    return {
        "withdrawal_url": describe_withdrawal_link(order),
        "withdrawal_until": last_moment(terms.ends_at).isoformat(),
    }


def _refund_until(order: Order) -> str:
    days = min((item.refund_days for item in order.items), default=0)
    if order.paid_at is None or days == 0 or order.total_amount == 0:
        return ""
    return (order.paid_at + timedelta(days=days)).isoformat()
