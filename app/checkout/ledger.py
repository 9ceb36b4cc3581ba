"""The ledger: facts about money, once each, and the order's state as a pure function of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app import clock
from app.checkout.models import LedgerEntry
from app.db import insert_once
from app.payments.facts import PaymentFacts

# Stripe's words for a refund whose money is on its way or there; the others moved nothing, or moved it back.
REFUND_OUT = frozenset({"pending", "succeeded"})
REFUND_UNDONE = frozenset({"failed", "canceled"})
DISPUTE_OPEN = frozenset({"needs_response", "under_review"})
DISPUTE_WON = frozenset({"won", "warning_closed", "prevented"})
# An appeal is about a verdict that was lost: it stays lost until Stripe says won.
DISPUTE_LOST = frozenset({"lost", "appeal_needs_response", "appeal_under_review"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A ledger entry before it is stored. amount in minor units of currency, never negative."""

    kind: str
    stripe_object_id: str
    related_stripe_object_id: str | None
    amount: int
    currency: str
    status: str
    occurred_at: datetime


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
    decides; only refunds of everything that was captured end it.
    """
    kinds = {entry.kind for entry in entries}
    if "payment" not in kinds:
        return None
    verdicts = _dispute_verdicts(entries)
    sums = sum_entries(entries)
    if "lost" in verdicts:
        return "lost"
    if sums.captured_amount > 0 and sums.refunded_amount >= sums.captured_amount:
        return "refunded"
    if "open" in verdicts:
        return "disputed"
    return "partially_refunded" if sums.refunded_amount > 0 else "paid"


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

    A refund that failed before we ever saw it took no money and needs no entry.
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
            occurred_at=charge.created_at,
        )
        for charge in payment.charges
    ]
    for refund in payment.refunds:
        entry = Entry(
            kind="refund",
            stripe_object_id=refund.id,
            related_stripe_object_id=refund.charge_id,
            amount=refund.amount,
            currency=refund.currency,
            status=refund.status,
            occurred_at=refund.created_at,
        )
        if refund.status in REFUND_OUT:
            facts.append(entry)
        elif refund.status in REFUND_UNDONE and refund.id in known_refunds:
            facts.append(_as_kind(entry, kind="refund_failed", amount=refund.amount))
    for dispute in payment.disputes:
        is_known = dispute.status in DISPUTE_OPEN | DISPUTE_WON | DISPUTE_LOST
        # An inquiry asks for nothing yet (P7); once money moved, it is a dispute whatever its status is called.
        if not dispute.withdrawn_amount and (not is_known or dispute.status == "warning_closed"):
            continue
        entry = Entry(
            kind="dispute_opened",
            stripe_object_id=dispute.id,
            related_stripe_object_id=dispute.charge_id,
            amount=dispute.amount,
            currency=dispute.currency,
            status=dispute.status,
            occurred_at=dispute.created_at,
        )
        facts.append(entry)
        if dispute.withdrawn_amount:
            facts.append(_as_kind(entry, kind="dispute_withdrawn", amount=dispute.withdrawn_amount))
        if dispute.reinstated_amount:
            facts.append(_as_kind(entry, kind="dispute_reinstated", amount=dispute.reinstated_amount))
        if dispute.status in DISPUTE_WON:
            facts.append(_as_kind(entry, kind="dispute_won", amount=0))
        elif dispute.status in DISPUTE_LOST:
            facts.append(_as_kind(entry, kind="dispute_lost", amount=0))
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
            "amount": entry.amount,
            "currency": entry.currency,
            "status": entry.status,
            "occurred_at": entry.occurred_at,
            "recorded_at": clock.now(),
        },
        unique=["kind", "stripe_object_id"],
    )
    return row_id is not None


def _as_kind(entry: Entry, *, kind: str, amount: int) -> Entry:
    return Entry(
        kind=kind,
        stripe_object_id=entry.stripe_object_id,
        related_stripe_object_id=entry.related_stripe_object_id,
        amount=amount,
        currency=entry.currency,
        status=entry.status,
        occurred_at=entry.occurred_at,
    )
