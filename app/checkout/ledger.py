"""The ledger: facts about money, once each, and the order's state as a pure function of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import select

from app import clock
from app.checkout.models import LedgerEntry, RefundRequest, StripeFee
from app.db import db, insert_once
from app.payments.facts import DisputeFacts, FeeFacts, PaymentFacts, RefundFacts

# Stripe's words for a refund whose money is on its way or there; the others moved nothing, or moved it back.
REFUND_OUT = frozenset({"pending", "succeeded"})
REFUND_UNDONE = frozenset({"failed", "canceled"})
DISPUTE_OPEN = frozenset({"needs_response", "under_review"})
DISPUTE_WON = frozenset({"won", "warning_closed", "prevented"})
# An appeal is about a verdict that was lost: it stays lost until Stripe says won.
DISPUTE_LOST = frozenset({"lost", "appeal_needs_response", "appeal_under_review"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A ledger entry before it is stored. amount in minor units of currency, never negative.

    refund_request is the public id of the wish of ours that Stripe's refund names, None for one made at Stripe.
    """

    kind: str
    stripe_object_id: str
    related_stripe_object_id: str | None
    amount: int
    currency: str
    status: str
    occurred_at: datetime
    refund_request: str | None = None


AnyEntry = TypeVar("AnyEntry", bound=LedgerEntry | Entry)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """What an order's ledger adds up to, in minor units."""

    captured_amount: int
    refunded_amount: int
    withdrawn_amount: int
    reinstated_amount: int

    @property
    def net_amount(self) -> int:
        return self.captured_amount - self.refunded_amount - self.withdrawn_amount + self.reinstated_amount


def sum_entries(entries: Iterable[LedgerEntry | Entry]) -> Sums:
    """Add a ledger up; failed refunds give back what their refund took."""
    total: dict[str, int] = {}
    for entry in entries:
        total[entry.kind] = total.get(entry.kind, 0) + entry.amount
    return Sums(
        captured_amount=total.get("payment", 0),
        refunded_amount=total.get("refund", 0) - total.get("refund_failed", 0),
        withdrawn_amount=total.get("dispute_withdrawn", 0),
        reinstated_amount=total.get("dispute_reinstated", 0),
    )


def derive_state(entries: Sequence[LedgerEntry | Entry]) -> str | None:
    """The order's state by its ledger, None while no money (not even zero) arrived. Order of arrival cannot matter.

    Policies P5 and P7 (payments.md 0.3): partial refunds keep the order paid; a chargeback suspends, its verdict
    decides; only refunds of everything that was captured end it. Of two payments one that stands is enough (P4).
    """
    if not any(entry.kind == "payment" for entry in entries):
        return None
    sums = sum_entries(entries)
    fates = {derive_fate(charge, entries) for charge in list_payments(entries)} or {"standing"}
    if sums.captured_amount > 0 and sums.refunded_amount >= sums.captured_amount:
        fates.discard("standing")
        fates.discard("disputed")
    if "standing" in fates:
        return "partially_refunded" if sums.refunded_amount > 0 else "paid"
    return next((fate for fate in ("disputed", "lost") if fate in fates), "refunded")


def derive_fate(charge: AnyEntry, entries: Sequence[AnyEntry]) -> str:
    """What became of one payment: "standing", "disputed", "lost" to its payer's bank, or "refunded" altogether."""
    own = list_entries_of_charge(charge, entries)
    verdicts = _dispute_verdicts(own)
    if "lost" in verdicts:
        return "lost"
    if sum_entries(own).refunded_amount >= charge.amount:
        return "refunded"
    return "disputed" if "open" in verdicts else "standing"


def list_payments(entries: Iterable[AnyEntry]) -> list[AnyEntry]:
    """The charges that took money, the earliest first."""
    payments = [entry for entry in entries if entry.kind == "payment" and entry.amount > 0]
    return sorted(payments, key=lambda entry: (entry.occurred_at, entry.stripe_object_id))


def list_entries_of_charge(charge: AnyEntry, entries: Sequence[AnyEntry]) -> list[AnyEntry]:
    """What moved one charge's money back; what names no charge of the order counts as the first one's."""
    payments = list_payments(entries)
    known_ids = {payment.stripe_object_id for payment in payments}
    is_first = bool(payments) and payments[0].stripe_object_id == charge.stripe_object_id
    return [
        entry
        for entry in entries
        if entry.kind != "payment"
        and (
            entry.related_stripe_object_id == charge.stripe_object_id
            or (is_first and entry.related_stripe_object_id not in known_ids)
        )
    ]


def sum_refunds_by_request(entries: Iterable[LedgerEntry]) -> dict[int, int]:
    """What went back for each wish of ours, by its row's id; 0 when its refund failed."""
    totals: dict[int, int] = {}
    for entry in entries:
        if entry.refund_request_id is not None:
            sign = -1 if entry.kind == "refund_failed" else 1
            totals[entry.refund_request_id] = totals.get(entry.refund_request_id, 0) + sign * entry.amount
    return totals


def list_refunded_seat_ids(
    entries: Iterable[LedgerEntry], requests: Iterable[RefundRequest], *, item_ids: Mapping[int, int]
) -> set[int]:
    """The seats that went back one by one or with their line, whatever came first; item_ids: order item by seat.

    A seat whose refund failed is not among them (P6), unless another refund of it went out.
    """
    returned = sum_refunds_by_request(entries)
    closed = [request for request in requests if returned.get(request.id, 0) > 0]
    seat_ids = {request.seat_id for request in closed if request.seat_id is not None}
    lines = {request.order_item_id for request in closed if request.seat_id is None}
    return {seat_id for seat_id, item_id in item_ids.items() if seat_id in seat_ids or item_id in lines}


def _dispute_verdicts(entries: Sequence[LedgerEntry | Entry]) -> set[str]:
    """For each dispute "open", "won" or "lost"; a win after a loss is a won appeal."""
    kinds_by_dispute: dict[str, set[str]] = {}
    for entry in entries:
        if entry.kind.startswith("dispute_"):
            kinds_by_dispute.setdefault(entry.stripe_object_id, set()).add(entry.kind)
    verdicts = set()
    for kinds in kinds_by_dispute.values():
        if "dispute_won" in kinds:
            verdicts.add("won")
        elif "dispute_lost" in kinds:
            verdicts.add("lost")
        else:
            verdicts.add("open")
    return verdicts


def list_new_facts(payment: PaymentFacts, known: Iterable[LedgerEntry]) -> list[Entry]:
    """The entries that a reading of Stripe justifies; those that are known already may be among them.

    An entry's time is when the money moved, so that a span of the ledger and of Stripe's balance hold the same.
    """
    known_refunds = {entry.stripe_object_id for entry in known if entry.kind == "refund"}
    facts = [
        Entry(
            kind="payment",
            stripe_object_id=charge.id,
            related_stripe_object_id=payment.id,
            amount=charge.amount,
            currency=charge.currency,
            status="succeeded",
            occurred_at=charge.booked_at,
        )
        for charge in payment.charges
    ]
    for refund in payment.refunds:
        facts += _list_refund_facts(refund, is_known=refund.id in known_refunds)
    for dispute in payment.disputes:
        facts += _list_dispute_facts(dispute)
    return facts


def _list_refund_facts(refund: RefundFacts, *, is_known: bool) -> list[Entry]:
    """One entry while the money is out, two once it came back; none for somebody else's that never moved any.

    A failed refund of ours always has both: its wish must not wait for ever.
    """
    request = refund.metadata.get("refund_request")
    entry = Entry(
        kind="refund",
        stripe_object_id=refund.id,
        related_stripe_object_id=refund.charge_id,
        amount=refund.amount,
        currency=refund.currency,
        status=refund.status,
        occurred_at=refund.booked_at,
        refund_request=request,
    )
    if refund.status in REFUND_OUT:
        return [entry]
    has_moved = is_known or refund.undone_at is not None
    if refund.status not in REFUND_UNDONE or not (has_moved or request is not None):
        return []
    return [entry, replace(entry, kind="refund_failed", occurred_at=refund.undone_at or refund.booked_at)]


def _list_dispute_facts(dispute: DisputeFacts) -> list[Entry]:
    """Stripe moves a dispute's money at most twice, out and back (its reference on disputes, read 2026-11)."""
    is_known = dispute.status in DISPUTE_OPEN | DISPUTE_WON | DISPUTE_LOST
    # An inquiry asks for nothing yet (P7); once money moved, it is a dispute whatever its status is called.
    if not dispute.withdrawn_amount and (not is_known or dispute.status == "warning_closed"):
        return []
    entry = Entry(
        kind="dispute_opened",
        stripe_object_id=dispute.id,
        related_stripe_object_id=dispute.charge_id,
        amount=dispute.amount,
        currency=dispute.currency,
        status=dispute.status,
        occurred_at=dispute.created_at,
    )
    facts = [entry]
    if dispute.withdrawn_amount:
        facts.append(
            replace(
                entry,
                kind="dispute_withdrawn",
                amount=dispute.withdrawn_amount,
                occurred_at=dispute.withdrawn_at,
            )
        )
    if dispute.reinstated_amount:
        facts.append(
            replace(
                entry,
                kind="dispute_reinstated",
                amount=dispute.reinstated_amount,
                occurred_at=dispute.reinstated_at,
            )
        )
    if dispute.status in DISPUTE_WON:
        facts.append(replace(entry, kind="dispute_won", amount=0, occurred_at=dispute.reinstated_at))
    elif dispute.status in DISPUTE_LOST:
        facts.append(replace(entry, kind="dispute_lost", amount=0))
    return facts


def record_entry(*, order_id: int, entry: Entry) -> bool:
    """Store an entry once; returns whether it was new. Inside transaction()."""
    row_id = insert_once(
        LedgerEntry,
        {
            "order_id": order_id,
            "kind": entry.kind,
            "stripe_object_id": entry.stripe_object_id,
            "related_stripe_object_id": entry.related_stripe_object_id,
            "refund_request_id": _find_request_id(order_id, entry.refund_request),
            "amount": entry.amount,
            "currency": entry.currency,
            "status": entry.status,
            "occurred_at": entry.occurred_at,
            "recorded_at": clock.now(),
        },
        unique=["kind", "stripe_object_id"],
    )
    return row_id is not None


def record_fees(*, order_id: int, fees: Iterable[FeeFacts]) -> None:
    """Store what Stripe kept, once for each of its balance transactions. Inside transaction()."""
    for fee in fees:
        insert_once(
            StripeFee,
            {
                "order_id": order_id,
                "stripe_balance_transaction_id": fee.stripe_balance_transaction_id,
                "stripe_object_id": fee.stripe_object_id,
                "amount": fee.amount,
                "currency": fee.currency,
                "occurred_at": fee.occurred_at,
            },
            unique=["stripe_balance_transaction_id"],
        )


def _find_request_id(order_id: int, refund_request: str | None) -> int | None:
    """The wish that a refund's metadata names, if it is one of this order's."""
    if refund_request is None:
        return None
    return db.session.scalar(
        select(RefundRequest.id).where(RefundRequest.public_id == refund_request, RefundRequest.order_id == order_id)
    )
