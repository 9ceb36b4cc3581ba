"""Compares what Stripe lists with what we have: which order an object is of, and whether our books know it."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app.checkout.ledger import list_new_facts
from app.checkout.models import Order
from app.checkout.owners import find_owner
from app.checkout.settle import PAID_STATUSES
from app.db import db
from app.payments.facts import CheckoutFacts, DisputeFacts, PaymentFacts, RefundFacts
from app.payments.listing import ListedObject


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspicion:
    """An object that our books do not know as Stripe tells it: settle() will show whether they differ.

    Without order_id there is no such order: unknown_order is what Stripe calls it, "" where the object is unreadable.
    """

    order_id: int | None = None
    session_id: str | None = None
    unknown_order: str = ""


def compare(listed: ListedObject) -> Suspicion | None:
    """None when the object is another app's or our books agree with it. Only reads the database."""
    owner = find_owner(metadata=listed.metadata, stripe_ids=listed.stripe_ids)
    if owner.unknown_order is not None:
        return Suspicion(unknown_order=owner.unknown_order)
    if owner.order is None:
        return None
    order = _load(owner.order.id)
    facts = listed.facts
    if isinstance(facts, CheckoutFacts):
        return Suspicion(order_id=order.id, session_id=facts.id) if _session_differs(order, facts) else None
    if facts is None or _move_differs(order, facts):
        return Suspicion(order_id=order.id)
    return None


def _session_differs(order: Order, facts: CheckoutFacts) -> bool:
    if facts.id not in {attempt.stripe_checkout_session_id for attempt in order.attempts}:
        return True
    if facts.status == "open":
        return order.state != "pending"
    if facts.status == "complete" and facts.payment_status in PAID_STATUSES:
        paid = facts.stripe_payment_intent_id or facts.id
        known = [entry for entry in order.entries if entry.kind == "payment"]
        return all(paid not in {entry.stripe_object_id, entry.related_stripe_object_id} for entry in known)
    if facts.status == "complete":
        return order.state in {"pending", "expired"}
    return order.state == "pending" and facts.id == order.attempts[-1].stripe_checkout_session_id


def _move_differs(order: Order, facts: RefundFacts | DisputeFacts) -> bool:
    """Whether the very rules that write the ledger would write something for this refund or dispute."""
    payment = PaymentFacts(
        id="",
        status="",
        failure_reason=None,
        metadata={},
        charges=(),
        refunds=(facts,) if isinstance(facts, RefundFacts) else (),
        disputes=(facts,) if isinstance(facts, DisputeFacts) else (),
    )
    known = {(entry.kind, entry.stripe_object_id) for entry in order.entries}
    return any((fact.kind, fact.stripe_object_id) not in known for fact in list_new_facts(payment, order.entries))


def _load(order_id: int) -> Order:
    return db.session.scalars(
        select(Order)
        .where(Order.id == order_id)
        .options(selectinload(Order.attempts), selectinload(Order.entries))
        .execution_options(populate_existing=True)
    ).one()
