"""The ledger for bookkeeping, row by row: what moved for each order, or each movement, within a span of time.

Sums are over the moment at which Stripe moved the money, so that they equal those of Stripe's balance transactions of
the same span (before fees, and where the account keeps a balance in the currency that was charged).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from app.checkout.models import LedgerEntry, Order, OrderItem, RefundRequest
from app.checkout.numbers import format_order_number
from app.db import db
from app.money import to_decimal

BATCH_SIZE = 500
# What a kind does to the money; the others state facts and move nothing.
SIGNS = {"payment": 1, "refund": -1, "refund_failed": 1, "dispute_withdrawn": -1, "dispute_reinstated": 1}
# A spreadsheet takes a cell that begins so for a formula, or strips the sign and then does (OWASP, CSV injection).
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """From since up to, but not with, until (UTC); None is open."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderSums:
    """What moved for one order within a span, in minor units of currency; state is the present one."""

    order: str
    email: str
    items: str
    currency: str
    captured: int
    refunded: int
    withdrawn: int
    reinstated: int
    net: int
    state: str
    invoice: str
    stripe_invoice: str
    paid_at: str
    captured_decimal: str
    refunded_decimal: str
    withdrawn_decimal: str
    reinstated_decimal: str
    net_decimal: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Movement:
    """One ledger entry; amount is what it did to the balance, in minor units of currency, 0 for a mere fact."""

    occurred_at: str
    order: str
    email: str
    invoice: str
    kind: str
    stripe_object: str
    related_stripe_object: str
    refund_request: str
    currency: str
    amount: int
    amount_decimal: str


@dataclass(kw_only=True, slots=True)
class Totals:
    """What the rows so far add up to in one currency, in minor units."""

    currency: str
    rows: int = 0
    captured: int = 0
    refunded: int = 0
    withdrawn: int = 0
    reinstated: int = 0

    @property
    def net(self) -> int:
        return self.captured - self.refunded - self.withdrawn + self.reinstated


ORDER_COLUMNS = tuple(field.name for field in fields(OrderSums))
ENTRY_COLUMNS = tuple(field.name for field in fields(Movement))


def iterate_orders(span: Span) -> Iterator[OrderSums]:
    """Every order with money (or a completed order for nothing) that moved in the span, oldest first.

    In batches, so that memory does not grow with the ledger. Amounts are only what moved in the span: a refund of last
    month that failed in this one makes refunded negative here.
    """
    last_id = 0
    while True:
        orders = db.session.execute(
            select(
                Order.id, Order.public_id, Order.number, Order.email, Order.currency, Order.state, Order.paid_at,
                Order.stripe_invoice_id,
            )
            .where(Order.id > last_id, Order.id.in_(_select_entries(LedgerEntry.order_id, span=span)))
            .order_by(Order.id)
            .limit(BATCH_SIZE)
        ).all()  # fmt: skip
        if not orders:
            return
        last_id = orders[-1].id
        order_ids = [order.id for order in orders]
        sums = _sum_by_order(order_ids, span)
        titles = _list_titles(order_ids)
        for order in orders:
            yield _shape_order(order, sums.get(order.id, {}), titles.get(order.id, ""))


def iterate_entries(span: Span) -> Iterator[Movement]:
    """Every ledger entry of the span in the order of its recording, in batches."""
    last_id = 0
    while True:
        rows = db.session.execute(
            _select_entries(
                LedgerEntry.id, LedgerEntry.occurred_at, LedgerEntry.kind, LedgerEntry.stripe_object_id,
                LedgerEntry.related_stripe_object_id, LedgerEntry.currency, LedgerEntry.amount,
                Order.public_id, Order.email, Order.number, RefundRequest.public_id.label("refund_request"), span=span,
            )
            .join(Order, Order.id == LedgerEntry.order_id)
            .outerjoin(RefundRequest, RefundRequest.id == LedgerEntry.refund_request_id)
            .where(LedgerEntry.id > last_id)
            .order_by(LedgerEntry.id)
            .limit(BATCH_SIZE)
        ).all()  # fmt: skip
        if not rows:
            return
        last_id = rows[-1].id
        for row in rows:
            amount = row.amount * SIGNS.get(row.kind, 0)
            yield Movement(
                occurred_at=_write_time(row.occurred_at),
                order=row.public_id,
                email=row.email or "",
                invoice=format_order_number(row.number),
                kind=row.kind,
                stripe_object=row.stripe_object_id,
                related_stripe_object=row.related_stripe_object_id or "",
                refund_request=row.refund_request or "",
                currency=row.currency,
                amount=amount,
                amount_decimal=_write_amount(amount, row.currency),
            )


def add_totals(totals: dict[str, Totals], row: OrderSums | Movement) -> None:
    """Count a row into the totals of its currency."""
    mine = totals.setdefault(row.currency, Totals(currency=row.currency))
    mine.rows += 1
    if isinstance(row, OrderSums):
        mine.captured += row.captured
        mine.refunded += row.refunded
        mine.withdrawn += row.withdrawn
        mine.reinstated += row.reinstated
    elif row.kind == "payment":
        mine.captured += row.amount
    elif row.kind in {"refund", "refund_failed"}:
        mine.refunded -= row.amount
    elif row.kind == "dispute_withdrawn":
        mine.withdrawn -= row.amount
    elif row.kind == "dispute_reinstated":
        mine.reinstated += row.amount


def list_cells(row: OrderSums | Movement) -> list[str | int]:
    """A row's cells for CSV: numbers as they are, text so that no spreadsheet takes it for a formula (attack A60)."""
    return [
        quote_formula(value) if isinstance(value, str) and not name.endswith("_decimal") else value
        for name, value in asdict(row).items()
    ]


def quote_formula(text: str) -> str:
    """The text with a single quote before it where a spreadsheet would see a formula."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def _select_entries(*columns: Any, span: Span) -> Select[Any]:
    conditions: list[ColumnElement[bool]] = []
    if span.since is not None:
        conditions.append(LedgerEntry.occurred_at >= span.since)
    if span.until is not None:
        conditions.append(LedgerEntry.occurred_at < span.until)
    return select(*columns).where(*conditions)


def _sum_by_order(order_ids: Sequence[int], span: Span) -> dict[int, dict[str, int]]:
    sums: dict[int, dict[str, int]] = {}
    for row in db.session.execute(
        _select_entries(LedgerEntry.order_id, LedgerEntry.kind, func.sum(LedgerEntry.amount).label("amount"), span=span)
        .where(LedgerEntry.order_id.in_(order_ids))
        .group_by(LedgerEntry.order_id, LedgerEntry.kind)
    ):
        sums.setdefault(row.order_id, {})[row.kind] = int(row.amount)
    return sums


def _list_titles(order_ids: Sequence[int]) -> dict[int, str]:
    titles: dict[int, list[str]] = {}
    for row in db.session.execute(
        select(OrderItem.order_id, OrderItem.title, OrderItem.quantity)
        .where(OrderItem.order_id.in_(order_ids))
        .order_by(OrderItem.id)
    ):
        title = row.title if row.quantity == 1 else f"{row.title} x {row.quantity}"
        titles.setdefault(row.order_id, []).append(title)
    return {order_id: "; ".join(each) for order_id, each in titles.items()}


def _shape_order(order: Any, sums: dict[str, int], items: str) -> OrderSums:
    captured, withdrawn = sums.get("payment", 0), sums.get("dispute_withdrawn", 0)
    refunded = sums.get("refund", 0) - sums.get("refund_failed", 0)
    reinstated = sums.get("dispute_reinstated", 0)
    net = captured - refunded - withdrawn + reinstated
    return OrderSums(
        order=order.public_id,
        email=order.email or "",
        items=items,
        currency=order.currency,
        captured=captured,
        refunded=refunded,
        withdrawn=withdrawn,
        reinstated=reinstated,
        net=net,
        state=order.state,
        invoice=format_order_number(order.number),
        stripe_invoice=order.stripe_invoice_id or "",
        paid_at=_write_time(order.paid_at),
        captured_decimal=_write_amount(captured, order.currency),
        refunded_decimal=_write_amount(refunded, order.currency),
        withdrawn_decimal=_write_amount(withdrawn, order.currency),
        reinstated_decimal=_write_amount(reinstated, order.currency),
        net_decimal=_write_amount(net, order.currency),
    )


def _write_amount(amount: int, currency: str) -> str:
    return f"{to_decimal(amount, currency):f}"


def _write_time(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
