"""Closing a checkout that its buyer left for another choice: at Stripe first, so that two are never payable."""

from contextlib import suppress

import structlog
from sqlalchemy.orm import selectinload

from app.checkout.apply import close_unpaid
from app.checkout.models import CheckoutAttempt, Order
from app.checkout.sessions import find_session_of_order, save_session
from app.checkout.settle import lock_order, settle
from app.db import db, retry_conflicts, transaction
from app.payments.gateway import PaymentRefused, expire_checkout_session

log = structlog.get_logger()


def close_open_order(order_id: int) -> Order:
    """End an order's open sessions at Stripe and bring it in line: expired, or paid when the payment was faster.

    Safe to repeat and to run at once. Raises PaymentUnavailable: the order is as it was, call again.
    """
    order = _load(order_id)
    for attempt in order.attempts:
        session_id = _find_session_id(order, attempt)
        if session_id is not None:
            # Refused means that it is not open any more; settle() reads what it became.
            with suppress(PaymentRefused):
                expire_checkout_session(session_id)
    settle(order_id=order_id)
    _close_unopened(order_id)
    order = _load(order_id)
    log.info("checkout_left", order=order.public_id, state=order.state)
    return order


def _find_session_id(order: Order, attempt: CheckoutAttempt) -> str | None:
    if attempt.stripe_checkout_session_id is not None:
        return attempt.stripe_checkout_session_id
    facts = find_session_of_order(order, attempt)
    if facts is None:
        return None
    save_session(attempt_id=attempt.id, facts=facts)
    return facts.id


@retry_conflicts
def _close_unopened(order_id: int) -> None:
    """Stripe knows no session of this order. One that is being made right now is closed by whoever made it."""
    with transaction():
        order = lock_order(order_id)
        if order.state == "pending" and not any(each.stripe_checkout_session_id for each in order.attempts):
            close_unpaid(order, state="expired")


def _load(order_id: int) -> Order:
    return db.session.get_one(Order, order_id, populate_existing=True, options=[selectinload(Order.attempts)])
