"""Handling stored events again, on a person's word: what it would change, then the handling itself."""

import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from flask import current_app
from sqlalchemy import select

from app.checkout.events import HANDLED_EVENTS, find_event_owner
from app.checkout.models import CheckoutAttempt, LedgerEntry, Order
from app.checkout.owners import Owner, find_owner
from app.checkout.preview import Difference
from app.checkout.reconcile_orders import heal_order, plan_order
from app.config import Settings
from app.db import db
from app.errors import AppError, NotFound
from app.payments.events import arm_event, claim_replay, get_event, get_event_object, list_unhandled_event_ids
from app.payments.facts import object_id
from app.payments.models import StripeEvent
from app.queue import run_task

NOT_HANDLED = "Events of this type, or of this mode, have no effect."
NOT_OURS = "It belongs to another app."
AGREES = "The order agrees with Stripe."
TAKEN = "A worker has taken it: look again in a moment."
EMPTIED = "Its payload was emptied after 90 days and its order is not known: run flask stripe reconcile."


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """One event replayed, or looked at in a dry run: its state before and after, and what its order differed in.

    note says in a sentence why nothing changes, or what went wrong; error is the code of what the handling met.
    """

    event_id: str
    type: str
    state_before: str
    state_after: str
    has_failed: bool
    order_public_id: str = ""
    difference: Difference | None = None
    note: str = ""
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As JSON; no addresses are in it."""
        return asdict(self)


def plan_replay(event_id: str) -> Replay:
    """What replaying a stored event would change. Writes nothing. Raises NotFound."""
    settings: Settings = current_app.config["SETTINGS"]
    event = get_event(event_id)
    plan = Replay(
        event_id=event.id, type=event.type, state_before=event.state, state_after=event.state, has_failed=False
    )
    if event.type not in HANDLED_EVENTS or event.livemode != settings.is_livemode:
        return replace(plan, state_after="ignored", note=NOT_HANDLED)
    try:
        owner = _find_owner(event)
    except AppError as error:
        return replace(plan, state_after="received", has_failed=True, note=error.sentence)
    if owner.unknown_order is not None:
        note = f"Stripe names the order {owner.unknown_order[:60]}, which is not here."
        return replace(plan, state_after="received", has_failed=True, note=note)
    if owner.order is None:
        return replace(plan, has_failed=True, note=EMPTIED) if not event.payload else _ignore(plan)
    return _plan_for(owner.order, event, plan)


def replay_event(event_id: str) -> Replay:
    """Handle a stored event again now, whatever became of it before. Any number of times: settle() decides what is new.

    Its handling can fail like that of any event; then it stays due. Of an event whose payload was emptied, the order is
    settled. Raises NotFound.
    """
    return _replay(event_id, replay_count=None)


def replay_shown_event(event_id: str, *, replay_count: int) -> Replay:
    """replay_event() for a person before a page, who saw the event when it had been replayed so many times.

    Of two who press at once, one replays it. Raises AlreadyReplayed for the other, NotFound.
    """
    return _replay(event_id, replay_count=replay_count)


def _replay(event_id: str, *, replay_count: int | None) -> Replay:
    plan = plan_replay(event_id)
    if not get_event(event_id).payload:
        claim_replay(event_id, replay_count=replay_count)
        return _settle_by_order(plan)
    arm_event(event_id, replay_count=replay_count)
    # The queue's own way to run a task: whatever it raises is logged and does not reach the next event.
    run_task("checkout.handle_event", [event_id])
    event = get_event(event_id)
    is_mismatch = plan.difference is not None and plan.difference.mismatch is not None
    if event.state in {"handled", "ignored"}:
        return replace(plan, state_after=event.state, has_failed=is_mismatch)
    if event.error is None:
        return replace(plan, state_after=event.state, note=TAKEN)
    note = f"It could not be handled: {event.error}."
    return replace(plan, state_after=event.state, has_failed=True, note=note, error=event.error)


def find_order_id(name: str) -> int:
    """The order with this number ("NSL-1087", "1087") or public id. Raises NotFound."""
    number = re.fullmatch(r"(?:[A-Za-z]{1,4}-)?(\d{1,9})", name)
    condition = Order.number == int(number[1]) if number is not None else Order.public_id == name
    order_id = db.session.scalar(select(Order.id).where(condition))
    if order_id is None:
        raise NotFound(f"There is no order {name[:80]}.")
    return order_id


def list_events_of_order(order_id: int) -> list[str]:
    """Unhandled events about any Stripe object that is known to be the order's, oldest first."""
    order = db.session.get_one(Order, order_id, populate_existing=True)
    attempts = select(CheckoutAttempt.stripe_checkout_session_id).where(CheckoutAttempt.order_id == order_id)
    entries = select(LedgerEntry.stripe_object_id).where(LedgerEntry.order_id == order_id)
    ids = {order.stripe_payment_intent_id, *db.session.scalars(attempts), *db.session.scalars(entries)}
    return list_unhandled_event_ids([each for each in ids if each is not None])


def _find_owner(event: StripeEvent) -> Owner:
    if not event.payload:
        return find_owner(metadata=None, stripe_ids=(event.object_id,))
    return find_event_owner(get_event_object(event))


def _ignore(plan: Replay) -> Replay:
    return replace(plan, state_after="ignored", note=NOT_OURS)


def _plan_for(order: Order, event: StripeEvent, plan: Replay) -> Replay:
    stripe_object = get_event_object(event)
    is_session = stripe_object.get("object") == "checkout.session"
    plan = replace(plan, order_public_id=order.public_id, state_after="handled", note=AGREES)
    outcome = plan_order(order.id, session_id=object_id(stripe_object) if is_session else None)
    if outcome is None:
        return plan
    plan = replace(plan, difference=outcome.difference, note=outcome.reason, has_failed=outcome.result != "would_heal")
    return plan if outcome.difference is not None else replace(plan, state_after="received")


def _settle_by_order(plan: Replay) -> Replay:
    """The row of an event without payload stays the dedupe key it is; only its order is looked at."""
    plan = replace(plan, state_after=plan.state_before)
    if not plan.order_public_id:
        return plan
    outcome = heal_order(find_order_id(plan.order_public_id))
    if outcome is None or outcome.result == "healed":
        return replace(plan, has_failed=False, note="Its payload was emptied; its order was settled.")
    return replace(plan, has_failed=True, note=outcome.reason)
