"""Every cent of an order, from what was asked to what is left: lines that add up. Pure, no queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.checkout.ledger import list_payments, sum_entries
from app.checkout.models import LedgerEntry, Order, StripeFee

# What an entry does to the money: its sign, and its words.
MOVES = {
    "refund": (-1, "Refunded"),
    "refund_failed": (1, "Refund came back"),
    "dispute_withdrawn": (-1, "Taken by the bank"),
    "dispute_reinstated": (1, "Given back by the bank"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TotalLine:
    """A line of the sum: amount in minor units of currency, negative where it lowers the net.

    kind: "part" makes up what was paid, "paid" is that sum, "move" changes it, "note" is not part of the sum.
    """

    label: str
    amount: int
    currency: str
    kind: str
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderTotals:
    """The lines in their order and the net, in minor units of currency.

    has_fee: whether all of Stripe's fees are known and in the order's currency; otherwise net is before them.
    """

    lines: tuple[TotalLine, ...]
    net_amount: int
    currency: str
    has_fee: bool


def explain_totals(
    order: Order, *, entries: Sequence[LedgerEntry], fees: Sequence[StripeFee], code: str
) -> OrderTotals:
    """What the parts "paid" and "move" add up to is the net: captured less refunds, disputes, fees and tax to remit."""
    currency = order.currency
    lines = [*_list_parts(order, code)]
    payments = list_payments(entries)
    if any(entry.kind == "payment" for entry in entries):
        first = payments[0].amount if payments else 0
        lines.append(
            TotalLine(label="Paid by customer", amount=first, currency=currency, kind="paid", at=order.paid_at)
        )
        lines += [
            TotalLine(label="Paid once more", amount=entry.amount, currency=currency, kind="move", at=entry.occurred_at)
            for entry in payments[1:]
        ]
    for entry in sorted(entries, key=lambda each: (each.occurred_at, each.id)):
        if entry.kind in MOVES and entry.amount:
            sign, label = MOVES[entry.kind]
            lines.append(
                TotalLine(label=label, amount=sign * entry.amount, currency=currency, kind="move", at=entry.occurred_at)
            )
    lines += _list_fees(fees, currency)
    tax = find_tax_to_remit(order, entries)
    if tax:
        lines.append(TotalLine(label="Tax to remit", amount=-tax, currency=currency, kind="move"))
    known = {fee.stripe_object_id for fee in fees if fee.currency == currency}
    return OrderTotals(
        lines=tuple(lines),
        net_amount=sum(line.amount for line in lines if line.kind in {"paid", "move"}),
        currency=currency,
        has_fee=all(entry.stripe_object_id in known for entry in payments)
        and all(fee.currency == currency for fee in fees),
    )


def find_tax_to_remit(order: Order, entries: Sequence[LedgerEntry]) -> int:
    """The tax on what the buyer has not got back: a refund takes its share of the tax with it, half cents rounded up.

    Money that a bank took does not: whether its tax is owed is the tax office's to say.
    """
    sums = sum_entries(entries)
    charged = order.charged_amount
    if not sums.captured_amount or not charged:
        return 0
    kept = max(0, min(charged, sums.captured_amount - sums.refunded_amount))
    return (2 * order.tax_amount * kept + charged) // (2 * charged)


def _list_parts(order: Order, code: str) -> list[TotalLine]:
    currency = order.currency
    parts = [TotalLine(label="Subtotal", amount=order.subtotal_amount, currency=currency, kind="part")]
    if order.discount_amount:
        label = f"Discount, code {code}" if code else "Discount"
        parts.append(TotalLine(label=label, amount=-order.discount_amount, currency=currency, kind="part"))
    if order.tax_amount and order.is_tax_included:
        parts.append(TotalLine(label="Tax, included above", amount=order.tax_amount, currency=currency, kind="note"))
    elif order.tax_amount:
        parts.append(TotalLine(label="Tax", amount=order.tax_amount, currency=currency, kind="part"))
    return parts


def _list_fees(fees: Sequence[StripeFee], currency: str) -> list[TotalLine]:
    """One line for each object that cost something; other currencies' are told but not taken off."""
    lines = []
    for fee in sorted(fees, key=lambda each: (each.occurred_at, each.id)):
        if fee.currency != currency:
            label, kind = f"Stripe fee, paid in {fee.currency.upper()}", "note"
        else:
            label, kind = "Stripe fee", "move"
        if fee.stripe_object_id.startswith(("dp_", "du_")):
            label = label.replace("Stripe fee", "Stripe fee for the dispute")
        if fee.amount:
            lines.append(
                TotalLine(label=label, amount=-fee.amount, currency=fee.currency, kind=kind, at=fee.occurred_at)
            )
    return lines
