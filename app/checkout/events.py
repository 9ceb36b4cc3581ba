"""What a stored Stripe event means: which order should look at Stripe again. The payload itself is never believed."""

from collections.abc import Mapping
from typing import Any

import structlog
from flask import current_app

from app.checkout.errors import AmountMismatch, UnknownOrder
from app.checkout.models import Order
from app.checkout.owners import Owner, find_owner, report_unknown_order
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
    except Exception as error:
        # The worker's loop logs it; the inbox must say why this event waits (F15).
        db.session.rollback()
        note_event_error(event_id, error=f"crashed: {type(error).__name__}")
        raise
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
    owner = find_event_owner(stripe_object)
    if owner.unknown_order is not None:
        report_unknown_order(owner.unknown_order)
        raise UnknownOrder
    return owner.order


def find_event_owner(stripe_object: Mapping[str, Any]) -> Owner:
    """Whose the object of an event is. Refunds and disputes carry no metadata of ours; their PaymentIntent does.

    Asks Stripe for that one when nothing here knows the object: raises PaymentUnavailable, StripeObjectMissing.
    """
    metadata = stripe_object.get("metadata")
    payment_intent_id = object_id(stripe_object.get("payment_intent"))
    stripe_ids = (object_id(stripe_object), payment_intent_id, object_id(stripe_object.get("charge")))
    owner = find_owner(metadata=metadata if isinstance(metadata, Mapping) else None, stripe_ids=stripe_ids)
    if owner != Owner() or payment_intent_id is None:
        return owner
    return find_owner(metadata=get_payment_metadata(payment_intent_id), stripe_ids=())
