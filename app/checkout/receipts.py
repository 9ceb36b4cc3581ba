"""The mails of an order, queued under keys that make each go out once. Inside the caller's transaction()."""

from datetime import timedelta

from sqlalchemy import select

from app.catalog.models import Course
from app.checkout.models import LedgerEntry, Order
from app.checkout.numbers import format_order_number
from app.db import db
from app.mail.services import queue_message

ORDER_PURPOSE = "order"


def queue_receipt(order: Order, *, again: str = "") -> None:
    """The receipt to the address that paid, once for each order and each value of again."""
    if order.email is None:
        return
    is_guest = order.user_id is None
    order_link = {"path": "/orders/{token}", "purpose": ORDER_PURPOSE, "value": order.public_id}
    queue_message(
        key=":".join(filter(None, ("receipt", order.public_id, again))),
        template="receipt",
        to_address=order.email,
        data={
            "order_number": format_order_number(order.number),
            "order_public_id": order.public_id,
            "customer_name": order.customer_name,
            "items": [
                {"title": item.title, "quantity": item.quantity, "total_amount": item.total_amount}
                for item in order.items
            ],
            "subtotal_amount": order.subtotal_amount,
            "discount_amount": order.discount_amount,
            "tax_amount": order.tax_amount,
            "total_amount": order.total_amount + order.tax_amount,
            "currency": order.currency,
            "paid_at": order.paid_at.isoformat() if order.paid_at else "",
            "payment_method_label": order.payment_method_label,
            "refund_until": _refund_until(order),
            "is_guest": is_guest,
            "order_url": order_link,
            "button_label": "View your order" if is_guest else "Start learning",
            "button_url": order_link if is_guest else {"path": "/account/courses", "purpose": "", "value": ""},
        },
    )


def queue_refund_notice(order: Order, *, entry: LedgerEntry, is_access_closed: bool) -> None:
    """Says that money is on its way back, once for each refund."""
    if order.email is None:
        return
    queue_message(
        key=f"refund:{entry.stripe_object_id}",
        template="order_refunded",
        to_address=order.email,
        data={
            "order_number": format_order_number(order.number),
            "amount": entry.amount,
            "currency": entry.currency,
            "access_closed": is_access_closed,
        },
    )


def queue_payment_failed(order: Order) -> None:
    """Says that a delayed payment did not come, once for each order."""
    if order.email is None:
        return
    course_ids = [course["course_id"] for item in order.items for course in item.courses]
    slug = db.session.scalar(select(Course.slug).where(Course.id.in_(course_ids)).limit(1))
    queue_message(
        key=f"payment-failed:{order.public_id}",
        template="payment_failed",
        to_address=order.email,
        data={
            "titles": [item.title for item in order.items],
            "reason": order.failure_reason or "",
            "course_url": {"path": f"/courses/{slug}" if slug else "/courses", "purpose": "", "value": ""},
        },
    )


def _refund_until(order: Order) -> str:
    days = min((item.refund_days for item in order.items), default=0)
    if order.paid_at is None or days == 0 or order.total_amount == 0:
        return ""
    return (order.paid_at + timedelta(days=days)).isoformat()
