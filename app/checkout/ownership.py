"""Whether a buyer has already what they are about to buy.

Asked early, for a kind answer, and again in the transaction that writes the order, where it counts.
"""

from datetime import timedelta

from sqlalchemy import ColumnElement, or_, select

from app import clock
from app.checkout.choices import Buyer, Choice, Wish
from app.checkout.errors import AlreadyEnrolled
from app.checkout.models import Order, OrderItem
from app.db import db
from app.enrollment.services import list_open_course_ids

OWNED_STATES = ("processing", "paid", "partially_refunded", "disputed")
GUEST_ACCESS = timedelta(hours=24)


def find_ownership(choice: Choice, buyer: Buyer) -> AlreadyEnrolled | None:
    """Why this buyer needs no seat of their own, None when they do."""
    own_orders = (
        select(Order.public_id)
        .where(Order.buyer_key == buyer.key, Order.takes_seat)
        .where(Order.id.in_(select(OrderItem.order_id).where(OrderItem.product_id == choice.product.id)))
        .order_by(Order.id.desc())
        .limit(1)
    )
    owned_order = db.session.scalar(own_orders.where(Order.state.in_(OWNED_STATES), _is_lasting(buyer)))
    if buyer.user_id is not None:
        open_ids = list_open_course_ids(user_id=buyer.user_id)
        if all(course.id in open_ids for course in choice.courses):
            return AlreadyEnrolled(order_public_id=owned_order)
        # A paid order whose access ran out may be bought again; one still being confirmed may not.
        owned_order = db.session.scalar(own_orders.where(Order.state == "processing"))
    return AlreadyEnrolled(order_public_id=owned_order) if owned_order is not None else None


def _is_lasting(buyer: Buyer) -> ColumnElement[bool]:
    """A guest's browser remembers a purchase for a day; after that it may belong to somebody else."""
    if buyer.user_id is not None:
        return Order.buyer_key == buyer.key
    return or_(Order.paid_at.is_(None), Order.paid_at > clock.now() - GUEST_ACCESS)


def refuse_sent_before(buyer: Buyer, wish: Wish, digest: str) -> None:
    """Seats and gifts may be bought again, but not by sending the form of a paid order once more (back, stale tab)."""
    if not wish.form_key:
        return
    bought = db.session.scalar(
        select(Order.public_id)
        .where(Order.buyer_key == buyer.key, Order.choice_digest == digest, Order.state.in_(OWNED_STATES))
        .limit(1)
    )
    if bought is not None:
        raise AlreadyEnrolled(order_public_id=bought)
