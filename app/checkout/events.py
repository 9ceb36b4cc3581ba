"""What a stored Stripe event means: which order should look at Stripe again. The payload itself is never believed."""

from collections.abc import Mapping
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import or_, select

from app.checkout.errors import AmountMismatch, UnknownOrder
from app.checkout.findings import record_finding
from app.checkout.models import CheckoutAttempt, LedgerEntry, Order
from app.checkout.settle import settle
from app.config import Settings
from app.db import db
from app.errors import AppError
from app.payments.events import claim_event, get_event_object, mark_event, note_event_error
from app.payments.facts import object_id
from app.payments.gateway import get_payment_metadata
from app.payments.models import StripeEvent

log = structlog.get_logger()

HANDLED_EVENTS = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "charge.refunded",
        "charge.refund.updated",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    }
)


def handle_event(event_id: str) -> None:
    """Handle one stored event if it is due. Safe to repeat and to run at once; a failure keeps it for a later try.

    Foreign and unknown events end as ignored without effect (P8); ours without an order are retried and become a
    finding (P9); one that cannot be settled never holds up the others.
    """
    event = claim_event(event_id)
    if event is None:
        return
    try:
        state = _handle(event)
    except AppError as error:
        note_event_error(event_id, error=error.code)
    else:
        mark_event(event_id, state=state)
        log.info("event_done", stripe_event=event_id, type=event.type, state=state)


def _handle(event: StripeEvent) -> str:
    settings: Settings = current_app.config["SETTINGS"]
    if event.type not in HANDLED_EVENTS or event.livemode != settings.is_livemode:
        return "ignored"
    stripe_object = get_event_object(event)
    order = _find_order(stripe_object)
    if order is None:
        return "ignored"
    is_session = stripe_object.get("object") == "checkout.session"
    try:
        settle(order_id=order.id, session_id=object_id(stripe_object) if is_session else None)
    except AmountMismatch:
        # The finding says it all; trying again would not change what was charged.
        return "handled"
    return "handled"


def _find_order(stripe_object: Mapping[str, Any]) -> Order | None:
    """The order an object belongs to, None when it is not ours. Raises UnknownOrder when it says it is, wrongly."""
    metadata = stripe_object.get("metadata")
    order = _find_order_by_metadata(metadata) if isinstance(metadata, Mapping) else None
    if order is not None:
        return order
    ids = [
        object_id(stripe_object),
        object_id(stripe_object.get("payment_intent")),
        object_id(stripe_object.get("charge")),
    ]
    order = _find_order_by_stripe_ids([each for each in ids if each is not None])
    if order is not None:
        return order
    payment_intent_id = ids[1]
    if payment_intent_id is None:
        return None
    # Refunds and disputes carry no metadata of ours; their PaymentIntent does.
    return _find_order_by_metadata(get_payment_metadata(payment_intent_id))


def _find_order_by_metadata(metadata: Mapping[str, Any]) -> Order | None:
    settings: Settings = current_app.config["SETTINGS"]
    order_public_id = metadata.get("order")
    if metadata.get("app_id") != settings.stripe_app_id or not isinstance(order_public_id, str):
        return None
    order = db.session.scalar(select(Order).where(Order.public_id == order_public_id))
    if order is None:
        record_finding(
            key=f"unknown_order:{order_public_id}",
            order_id=None,
            kind="unknown_order",
            detail=f"Stripe names the order {order_public_id[:60]}, which this shop does not know.",
        )
        raise UnknownOrder
    return order


def _find_order_by_stripe_ids(ids: list[str]) -> Order | None:
    attempts = select(CheckoutAttempt.order_id).where(CheckoutAttempt.stripe_checkout_session_id.in_(ids))
    entries = select(LedgerEntry.order_id).where(LedgerEntry.stripe_object_id.in_(ids))
    return db.session.scalar(
        select(Order)
        .where(or_(Order.stripe_payment_intent_id.in_(ids), Order.id.in_(attempts), Order.id.in_(entries)))
        .limit(1)
    )
