"""settle(): brings an order in line with what Stripe says now. Reads first, then writes in one transaction.

The webhook's task, the return page and the reconciler all call it; none of them knows anything about money.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app import clock
from app.accounts.emails import normalize_email
from app.checkout.apply import apply_money, close_unpaid
from app.checkout.errors import AmountMismatch
from app.checkout.findings import record_finding
from app.checkout.ledger import Entry, list_new_facts, record_entry, record_fees
from app.checkout.models import CheckoutAttempt, Order
from app.checkout.money_returns import note_inquiry
from app.checkout.sessions import carries, find_session_of_order, make_metadata, save_session
from app.config import Settings
from app.db import db, retry_conflicts, transaction
from app.errors import InvalidInput
from app.payments.facts import CheckoutFacts, PaymentFacts
from app.payments.gateway import PaymentRefused, expire_checkout_session, get_checkout_session, get_payment

log = structlog.get_logger()

OPEN_STATES = ("pending", "processing")
CLOSED_STATES = ("failed", "expired")
UNPAID_STATES = OPEN_STATES + CLOSED_STATES
PAID_STATUSES = frozenset({"paid", "no_payment_required"})
# How long after a session's end a lost one may still be found in Stripe's list.
EXPIRY_MARGIN = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What Stripe said of one order, and when the reading began (UTC)."""

    started_at: datetime
    sessions: tuple[CheckoutFacts, ...]
    payments: tuple[PaymentFacts, ...]
    # By attempt id: sessions that Stripe has and we do not, because its answer was lost.
    found_sessions: dict[int, CheckoutFacts] = field(default_factory=dict)

    @property
    def paid_sessions(self) -> tuple[CheckoutFacts, ...]:
        return tuple(
            each for each in self.sessions if each.payment_status in PAID_STATUSES and each.status == "complete"
        )


def settle(*, order_id: int, session_id: str | None = None) -> None:
    """Bring an order in line with what Stripe says now. Safe to call any number of times, also at once.

    session_id is a hint for an order whose own session id was never stored (a crash between Stripe's answer and our
    commit, or an event that came before it); it counts only if Stripe's metadata names this order.
    Raises AmountMismatch: currency, mode, livemode or amount differ from the order (P1); nothing is granted and a
    finding is recorded. PaymentUnavailable: Stripe did not answer; call again.
    Source: Stripe's fulfillment guide (read 2026-11).
    """
    order = _load_order(order_id)
    if needs_no_stripe(order):
        settle_free_order(order_id=order_id)
        return
    reading = read_stripe(order, session_id)
    for attempt_id, facts in reading.found_sessions.items():
        save_session(attempt_id=attempt_id, facts=facts)
    mismatch = find_mismatch(order, reading)
    if mismatch is not None:
        record_finding(
            key=f"amount_mismatch:{order.public_id}", order_id=order.id, kind="amount_mismatch", detail=mismatch
        )
        raise AmountMismatch
    _save_reading(order_id, reading)
    _close_leftovers(order_id, reading)


def _close_leftovers(order_id: int, reading: Reading) -> None:
    """An order that is paid or closed leaves no session behind on which somebody could still pay."""
    still_open = [each.id for each in reading.sessions if each.status == "open"]
    if not still_open or db.session.get_one(Order, order_id, populate_existing=True).state in OPEN_STATES:
        return
    for session_id in still_open:
        with suppress(PaymentRefused):
            expire_checkout_session(session_id)


@retry_conflicts
def settle_free_order(*, order_id: int) -> None:
    """Complete an order of amount zero that needs no Stripe: the entry of zero is its payment. Idempotent."""
    with transaction():
        apply_free_order(order_id)


def apply_free_order(order_id: int) -> None:
    """As settle_free_order(), as a step of a larger use case: inside its transaction()."""
    order = lock_order(order_id)
    if order.state != "pending" or order.total_amount != 0:
        return
    record_entry(
        order_id=order.id,
        entry=Entry(
            kind="payment",
            stripe_object_id=order.public_id,
            related_stripe_object_id=None,
            amount=0,
            currency=order.currency,
            status="no_payment_required",
            occurred_at=clock.now(),
        ),
    )
    db.session.refresh(order, ["entries"])
    apply_money(order)


def needs_no_stripe(order: Order) -> bool:
    """Whether nothing is to pay and Stripe was never asked; order with its attempts loaded."""
    return order.total_amount == 0 and not any(each.stripe_checkout_session_id for each in order.attempts)


def read_stripe(order: Order, session_id: str | None = None) -> Reading:
    """What Stripe says of an order now; order with its attempts loaded, session_id as in settle(). Only reads.

    Raises PaymentUnavailable, StripeObjectMissing.
    """
    started_at = clock.now()
    sessions: list[CheckoutFacts] = []
    found_sessions: dict[int, CheckoutFacts] = {}
    for attempt in order.attempts:
        known_id = attempt.stripe_checkout_session_id
        facts = get_checkout_session(known_id) if known_id is not None else _find_unsaved(order, attempt, session_id)
        if facts is not None:
            sessions.append(facts)
            if known_id is None:
                found_sessions[attempt.id] = facts
    payment_ids = dict.fromkeys(each.stripe_payment_intent_id for each in sessions if each.stripe_payment_intent_id)
    return Reading(
        started_at=started_at,
        sessions=tuple(sessions),
        payments=tuple(get_payment(payment_id) for payment_id in payment_ids),
        found_sessions=found_sessions,
    )


def _find_unsaved(order: Order, attempt: CheckoutAttempt, session_id: str | None) -> CheckoutFacts | None:
    facts = get_checkout_session(session_id) if session_id is not None else None
    if facts is None or not carries(facts, make_metadata(order, attempt.number)):
        facts = find_session_of_order(order, attempt)
    return facts


def find_mismatch(order: Order, reading: Reading) -> str | None:
    """Why a paid session may not be granted (P1), as a sentence for the finding; None when all is as ordered."""
    for each in reading.paid_sessions:
        if each.mode != "payment":
            return f"Session {each.id} has mode {each.mode}."
        if each.livemode != order.livemode:
            return f"Session {each.id} has livemode {each.livemode}, the order {order.livemode}."
        if each.currency != order.currency:
            return f"Session {each.id} charged {each.currency}, the order says {order.currency}."
        if each.amount_total not in {order.total_amount, order.total_amount + each.amount_tax}:
            return (
                f"Session {each.id} charged {each.amount_total} {each.currency}, the order says {order.total_amount}."
            )
    for payment in reading.payments:
        if any(charge.currency != order.currency for charge in payment.charges):
            return f"Payment {payment.id} charged another currency than {order.currency}."
    return None


def apply_reading(order_id: int, reading: Reading) -> None:
    """Write what a reading says: entries once each, the state they derive, and what follows. Inside transaction().

    A reading that began before the last applied one is dropped.
    """
    order = lock_order(order_id)
    if order.read_started_at is not None and reading.started_at < order.read_started_at:
        log.info("reading_outdated", order=order.public_id)
        return
    order.read_started_at = reading.started_at
    _record_facts(order, reading)
    for dispute in (each for payment in reading.payments for each in payment.disputes):
        note_inquiry(order, dispute)
    if any(entry.kind == "payment" for entry in order.entries):
        _take_over_details(order, reading)
        apply_money(order)
    elif order.state in UNPAID_STATES:
        _follow_sessions(order, reading)


@retry_conflicts
def _save_reading(order_id: int, reading: Reading) -> None:
    with transaction():
        apply_reading(order_id, reading)


def _record_facts(order: Order, reading: Reading) -> None:
    # P1: a charge counts once its session says paid. A reading that began before the payment may see the one without
    # the other, and a word that is unknown here grants nothing; the next reading sees both.
    counted = {each.stripe_payment_intent_id for each in reading.paid_sessions}
    counted |= {entry.related_stripe_object_id for entry in order.entries if entry.kind == "payment"}
    payments = [payment for payment in reading.payments if payment.id in counted]
    entries = [entry for payment in payments for entry in list_new_facts(payment, order.entries)]
    # A session without a payment intent cost nothing: 100 % off.
    entries += [
        Entry(
            kind="payment",
            stripe_object_id=each.id,
            related_stripe_object_id=None,
            amount=0,
            currency=order.currency,
            status=each.payment_status,
            occurred_at=reading.started_at,
        )
        for each in reading.paid_sessions
        if each.stripe_payment_intent_id is None and each.payment_status == "no_payment_required"
    ]
    record_fees(order_id=order.id, fees=[fee for payment in reading.payments for fee in payment.fees])
    new = [entry for entry in entries if record_entry(order_id=order.id, entry=entry)]
    if new:
        db.session.refresh(order, ["entries"])


def _take_over_details(order: Order, reading: Reading) -> None:
    """Who paid and how, from the session that was paid; the buyer's own address is never replaced."""
    charged = [payment for payment in reading.payments if payment.charges]
    if charged:
        order.stripe_payment_intent_id = order.stripe_payment_intent_id or charged[0].id
        order.payment_method_label = charged[0].charges[0].method_label
        order.failure_reason = None
    for each in reading.paid_sessions[:1]:
        order.email = order.email or _read_email(each)
        order.customer_name = each.customer_name[:200] or order.customer_name
        order.stripe_customer_id = each.stripe_customer_id
        order.country = each.country or order.country
        order.tax_amount = each.amount_tax
        order.is_tax_included = each.amount_tax > 0 and each.amount_total == order.total_amount
        order.stripe_invoice_id = each.stripe_invoice_id or order.stripe_invoice_id


def _read_email(facts: CheckoutFacts) -> str | None:
    """The buyer's address as accounts write it; one that our rules would refuse is kept as Stripe took it."""
    if not facts.email:
        return None
    try:
        return normalize_email(facts.email)
    except InvalidInput:
        return facts.email.strip().lower()


def _follow_sessions(order: Order, reading: Reading) -> None:
    settings: Settings = current_app.config["SETTINGS"]
    order.failure_reason = next((each.failure_reason for each in reading.payments if each.failure_reason), None)
    for each in reading.sessions:
        # A delayed method: who pays is known before the money comes, or fails to come. While the page is open the
        # address may still be corrected.
        if each.status == "complete":
            order.email = order.email or _read_email(each)
        order.stripe_payment_intent_id = order.stripe_payment_intent_id or each.stripe_payment_intent_id
    state = _derive_unpaid_state(order.attempts, reading)
    if state == "pending" and order.state in CLOSED_STATES:
        # What it held is given back, perhaps gone: the session that is still open is closed instead (_close_leftovers).
        return
    if state in {"pending", "processing"}:
        order.state = state
        order.check_after = clock.now() + timedelta(seconds=settings.reconcile_interval_seconds)
    else:
        close_unpaid(order, state=state)


def _derive_unpaid_state(attempts: Sequence[CheckoutAttempt], reading: Reading) -> str:
    payments = {each.id: each for each in reading.payments}
    statuses = set()
    for each in reading.sessions:
        if each.status == "complete":
            payment = payments.get(each.stripe_payment_intent_id or "")
            has_failed = payment is not None and payment.status in {"requires_payment_method", "canceled"}
            statuses.add("failed" if has_failed else "processing")
        else:
            # A word that is unknown here ends nothing: the order waits and is asked about again.
            statuses.add({"open": "pending", "expired": "expired"}.get(each.status, "processing"))
    read_ids = {each.id for each in reading.sessions}
    for attempt in attempts:
        if attempt.stripe_checkout_session_id not in read_ids and not reading.sessions:
            statuses.add("pending" if attempt.expires_at + EXPIRY_MARGIN > clock.now() else "expired")
    return next(state for state in ("processing", "pending", "failed", "expired") if state in statuses)


def _load_order(order_id: int) -> Order:
    return db.session.get_one(
        Order,
        order_id,
        options=[selectinload(Order.attempts), selectinload(Order.entries)],
        populate_existing=True,
    )


def lock_order(order_id: int) -> Order:
    """The order's row, locked until the transaction() it is called in ends, with items, entries and attempts."""
    return db.session.scalars(
        select(Order)
        .where(Order.id == order_id)
        .with_for_update()
        .options(selectinload(Order.items), selectinload(Order.entries), selectinload(Order.attempts))
        .execution_options(populate_existing=True)
    ).one()
