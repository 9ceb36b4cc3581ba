"""What the shop's figures mean, once: the home page, its chart, the reports and their exports all read them here.

- Sales: captured money, with tax, by the moment Stripe took it.
- Refunded: money given back, by the moment it left; a refund that failed counts back when it returned.
- Withdrawn, reinstated: what banks took in disputes, and what they gave back.
- Net: sales less refunded and withdrawn, plus reinstated; before Stripe's fees.
- Paid orders: orders with something to pay, by their first payment. Orders for nothing are not among them.
- New subscribers: newsletter addresses confirmed in the period, whether or not they stayed.
Days are those of the shop's time zone. Amounts are minor units; currencies are never added up. For any span the sums
equal those of the ledger's export (app/reports/ledger_export.py), which is held to Stripe's balance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, case, func, select

from app.checkout.models import LedgerEntry, Order
from app.db import db
from app.newsletter.models import Subscriber
from app.reports.ledger_export import Span
from app.reports.local_days import local_day
from app.reports.periods import Bucket, Period

# In the words of the page.
DEFINITIONS = (
    ("Sales", "Money captured, with tax, on the day Stripe took it. Refunds are not taken off."),
    ("Refunded", "Money given back, on the day it left. A refund that failed counts back on the day it returned."),
    ("Disputed", "Money that banks took back in disputes, less what they returned."),
    ("Net", "Sales less refunded and disputed. Stripe’s fees are not taken off."),
    ("Paid orders", "Orders with something to pay, on the day of their first payment. Free ones are left out."),
    ("New subscribers", "Newsletter addresses confirmed in the period."),
)
MOVING_KINDS = ("payment", "refund", "refund_failed", "dispute_withdrawn", "dispute_reinstated")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """What moved, in minor units of one currency, and how many orders were paid."""

    sales: int = 0
    refunded: int = 0
    withdrawn: int = 0
    reinstated: int = 0
    orders: int = 0

    @property
    def disputed(self) -> int:
        return self.withdrawn - self.reinstated

    @property
    def net(self) -> int:
        return self.sales - self.refunded - self.withdrawn + self.reinstated

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            sales=self.sales + other.sales,
            refunded=self.refunded + other.refunded,
            withdrawn=self.withdrawn + other.withdrawn,
            reinstated=self.reinstated + other.reinstated,
            orders=self.orders + other.orders,
        )


NOTHING = Sums()
# By currency and day.
DailySums = Mapping[tuple[str, date], Sums]


@dataclass(frozen=True, kw_only=True)
class Sales:
    """A period's money and that of the one before it, bucket by bucket, by currency."""

    period: Period
    buckets: Mapping[str, Sequence[Sums]] = field(default_factory=dict)
    buckets_before: Mapping[str, Sequence[Sums]] = field(default_factory=dict)

    @property
    def currencies(self) -> list[str]:
        """Those in which anything moved in either period."""
        return sorted({*self.buckets, *self.buckets_before})

    def total(self, currency: str) -> Sums:
        return sum(self.buckets.get(currency, ()), NOTHING)

    def total_before(self, currency: str) -> Sums:
        return sum(self.buckets_before.get(currency, ()), NOTHING)

    def list_buckets(self, currency: str) -> Sequence[Sums]:
        return self.buckets.get(currency) or [NOTHING] * len(self.period.buckets)

    def list_buckets_before(self, currency: str) -> Sequence[Sums]:
        """As many as the period has, day by day or month by month."""
        found = [*self.buckets_before.get(currency, ())][: len(self.period.buckets)]
        return found + [NOTHING] * (len(self.period.buckets) - len(found))


def read_sales(period: Period) -> Sales:
    """The money of a period and of the one before it; two queries, whatever the number of orders."""
    return Sales(
        period=period,
        buckets=_sort_into(period.buckets, _sum_by_day(period)),
        buckets_before=_sort_into(period.previous.buckets, _sum_by_day(period.previous)),
    )


def sum_kinds(amount: ColumnElement[int] | Any, kind: ColumnElement[str] | Any) -> list[ColumnElement[Any]]:
    """The columns sales, refunded, withdrawn and reinstated of a sum over ledger entries."""

    def total(*signs: tuple[str, int]) -> ColumnElement[Any]:
        return func.coalesce(func.sum(case(*((kind == each, amount * sign) for each, sign in signs), else_=0)), 0)

    return [
        total(("payment", 1)).label("sales"),
        total(("refund", 1), ("refund_failed", -1)).label("refunded"),
        total(("dispute_withdrawn", 1)).label("withdrawn"),
        total(("dispute_reinstated", 1)).label("reinstated"),
    ]


def select_moved(span: Span, *, currency: str) -> FromClause:
    """What moved for each order in a span, in one currency: order_id, sales, refunded, withdrawn, reinstated."""
    return (
        _in_span(select(LedgerEntry.order_id, *sum_kinds(LedgerEntry.amount, LedgerEntry.kind)), span)
        .where(LedgerEntry.currency == currency)
        .group_by(LedgerEntry.order_id)
        .cte("moved")
    )


def count_refunded_orders(period: Period) -> int:
    """Orders of which anything was given back in the period."""
    returned = func.sum(case((LedgerEntry.kind == "refund", LedgerEntry.amount), else_=-LedgerEntry.amount))
    orders = (
        _in_span(select(LedgerEntry.order_id), period.span)
        .where(LedgerEntry.kind.in_(("refund", "refund_failed")))
        .group_by(LedgerEntry.order_id)
        .having(returned > 0)
    )
    return db.session.scalar(select(func.count()).select_from(orders.subquery())) or 0


def count_subscribers(period: Period) -> int:
    """Newsletter addresses confirmed in the period."""
    query = select(func.count(Subscriber.id)).where(
        Subscriber.confirmed_at >= period.since, Subscriber.confirmed_at < period.until
    )
    return db.session.scalar(query) or 0


def select_daily_money(period: Period) -> Select[Any]:
    """What moved on each day, by currency."""
    day = local_day(LedgerEntry.occurred_at, since=period.since, until=period.until, zone=period.zone)
    columns: list[Any] = [LedgerEntry.currency, LedgerEntry.kind, LedgerEntry.amount, day.label("day")]
    entries = _in_span(select(*columns), period.span).subquery()
    return select(entries.c.currency, entries.c.day, *sum_kinds(entries.c.amount, entries.c.kind)).group_by(
        entries.c.currency, entries.c.day
    )


def select_daily_orders(period: Period) -> Select[Any]:
    """How many orders were first paid on each day, by currency."""
    day = local_day(Order.paid_at, since=period.since, until=period.until, zone=period.zone)
    orders = (
        select(Order.currency, day.label("day"))
        .where(Order.paid_at >= period.since, Order.paid_at < period.until, Order.total_amount > 0)
        .subquery()
    )
    return select(orders.c.currency, orders.c.day, func.count().label("orders")).group_by(
        orders.c.currency, orders.c.day
    )


def _sum_by_day(period: Period) -> DailySums:
    found: dict[tuple[str, date], Sums] = {}
    for row in db.session.execute(select_daily_money(period)):
        found[row.currency, date.fromisoformat(row.day)] = Sums(
            sales=int(row.sales),
            refunded=int(row.refunded),
            withdrawn=int(row.withdrawn),
            reinstated=int(row.reinstated),
        )
    for row in db.session.execute(select_daily_orders(period)):
        key = row.currency, date.fromisoformat(row.day)
        found[key] = found.get(key, NOTHING) + Sums(orders=row.orders)
    return found


def _sort_into(buckets: Sequence[Bucket], daily: DailySums) -> dict[str, list[Sums]]:
    places = {}
    for place, bucket in enumerate(buckets):
        for ordinal in range(bucket.first_day.toordinal(), bucket.last_day.toordinal() + 1):
            places[date.fromordinal(ordinal)] = place
    sorted_sums: dict[str, list[Sums]] = {}
    for (currency, day), sums in daily.items():
        mine = sorted_sums.setdefault(currency, [NOTHING] * len(buckets))
        mine[places[day]] += sums
    return sorted_sums


def _in_span(query: Select[Any], span: Span) -> Select[Any]:
    return query.where(
        LedgerEntry.occurred_at >= span.since,
        LedgerEntry.occurred_at < span.until,
        LedgerEntry.kind.in_(MOVING_KINDS),
    )
