"""Fetches by its id what Stripe should have told and did not: an event into the inbox, or an object for its order."""

from dataclasses import dataclass
from typing import Any

from app.audit import record_audit
from app.checkout.numbers import format_order_number
from app.checkout.owners import find_owner, report_unknown_order
from app.checkout.reconcile_orders import heal_order
from app.db import db, retry_conflicts, transaction
from app.errors import InvalidInput
from app.payments.events import parse_event, record_event
from app.payments.fetching import fetch_event, fetch_object, is_stripe_id
from app.payments.gateway import StripeObjectMissing
from app.payments.models import StripeEvent

GONE_EVENT = (
    "Stripe no longer has this event: it keeps them for 30 days. Enter the id of the payment, checkout session, charge,"
    " refund or dispute instead; those it never forgets."
)
GONE_OBJECT = "Stripe knows no such object. Look at the id, and whether it belongs to this account and mode."


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What came of it: the id of the event now in the inbox, or the public id of the object's order, and a sentence."""

    sentence: str
    event_id: str = ""
    order_public_id: str = ""
    has_failed: bool = False


def fetch_from_stripe(stripe_id: str) -> Fetched:
    """Fetch one event or object. Any number of times, also at once: an event is stored once, an order settled once.

    Raises InvalidInput where no such id can be fetched or Stripe has nothing under it, PaymentUnavailable.
    """
    if stripe_id.startswith("evt_") and is_stripe_id(stripe_id):
        return _fetch_event(stripe_id)
    try:
        found = fetch_object(stripe_id)
    except StripeObjectMissing as error:
        raise InvalidInput(GONE_OBJECT, field="id") from error
    owner = find_owner(metadata=found.metadata, stripe_ids=found.stripe_ids)
    if owner.unknown_order is not None:
        report_unknown_order(owner.unknown_order)
        sentence = (
            f"Stripe names the order {owner.unknown_order[:60]}, which is not here. It is on the list that needs you."
        )
        return Fetched(sentence=sentence, has_failed=True)
    if owner.order is None:
        return Fetched(sentence="Stripe has it, but it belongs to no order of this shop.", has_failed=True)
    public_id, name = owner.order.public_id, format_order_number(owner.order.number) or owner.order.public_id
    outcome = heal_order(owner.order.id, session_id=found.id if found.id.startswith("cs_") else None)
    if outcome is None:
        return Fetched(sentence=f"Order {name} agrees with Stripe already.", order_public_id=public_id)
    if outcome.result != "healed":
        return Fetched(sentence=outcome.reason, order_public_id=public_id, has_failed=True)
    _record("order.fetched", "order", public_id, {"stripe_id": found.id})
    return Fetched(sentence=f"Order {name} was brought in line with Stripe.", order_public_id=public_id)


def _fetch_event(event_id: str) -> Fetched:
    if db.session.get(StripeEvent, event_id) is not None:
        return Fetched(sentence="The event is in the inbox already.", event_id=event_id)
    try:
        body = fetch_event(event_id)
    except StripeObjectMissing as error:
        raise InvalidInput(GONE_EVENT, field="id") from error
    record_event(payload=body)
    _record("event.fetched", "event", parse_event(body).id, {"state": "received"})
    return Fetched(sentence="The event is in the inbox now and will be handled at once.", event_id=event_id)


@retry_conflicts
def _record(action: str, subject_type: str, subject_id: str, after: dict[str, Any]) -> None:
    with transaction():
        record_audit(action=action, subject_type=subject_type, subject_id=subject_id, after=after)
