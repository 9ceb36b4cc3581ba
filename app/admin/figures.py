"""Figures with their change in words, and the chart of sales: what home and reports show of app/reports/sales.py."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.admin.charts import BarChart, draw_bars
from app.admin.periods import write_bucket
from app.formatting import money, money_short
from app.reports.periods import Period
from app.reports.sales import Sales, Sums, count_refunded_orders, count_subscribers

# Less than this much of a change is none worth telling.
ABOUT_THE_SAME = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A number with its name. others: the same in other currencies, never added up; is_good: the change is welcome."""

    label: str
    value: str
    change: str
    others: Sequence[str] = ()
    is_good: bool = False


def list_figures(sales: Sales, currency: str) -> list[Figure]:
    """Sales, paid orders, refunded and new subscribers of a period, against the one before."""
    period = sales.period
    now, before = sales.total(currency), sales.total_before(currency)
    others = [each for each in sales.currencies if each != currency]
    orders = sum(sales.total(each).orders for each in sales.currencies)
    orders_before = sum(sales.total_before(each).orders for each in sales.currencies)
    subscribers, subscribers_before = count_subscribers(period), count_subscribers(period.previous)
    return [
        Figure(
            label="Sales",
            value=money_short(now.sales, currency),
            change=tell_change(now.sales, before.sales, period),
            others=[money_short(sales.total(each).sales, each) for each in others if sales.total(each).sales],
            is_good=now.sales > before.sales,
        ),
        Figure(
            label="Paid orders",
            value=f"{orders:,}",
            change=tell_difference(orders, orders_before),
            is_good=orders > orders_before,
        ),
        Figure(
            label="Refunded",
            value=money_short(now.refunded, currency),
            change=tell_refunds(now, count_refunded_orders(period)),
            others=[money_short(sales.total(each).refunded, each) for each in others if sales.total(each).refunded],
        ),
        Figure(
            label="New subscribers",
            value=f"{subscribers:,}",
            change=tell_difference(subscribers, subscribers_before),
            is_good=subscribers > subscribers_before,
        ),
    ]


def tell_change(now: int, before: int, period: Period) -> str:
    """An amount against the one before, in words: "28% up on the 30 days before"."""
    if before <= 0:
        return f"None in the {period.words} before"
    change = (now - before) / before
    if abs(change) < ABOUT_THE_SAME:
        return f"About the same as the {period.words} before"
    return f"{abs(change):.0%} {'up' if change > 0 else 'down'} on the {period.words} before"


def tell_difference(now: int, before: int) -> str:
    """A count against the one before, in words: "24 more than before"."""
    if now == before:
        return "As many as before"
    return f"{abs(now - before):,} {'more' if now > before else 'fewer'} than before"


def tell_refunds(sums: Sums, orders: int) -> str:
    """How many orders were refunded, and how much that is of the sales: "2 orders, 1.7% of sales"."""
    words = f"{orders:,} order{'' if orders == 1 else 's'}"
    return f"{words}, {sums.refunded / sums.sales:.1%} of sales" if sums.sales and sums.refunded else words


def draw_sales(sales: Sales, currency: str, *, what: str = "sales") -> BarChart:
    """Sales, or net, of each day or month, with the period before as a line."""
    return draw_bars(
        [write_bucket(bucket, sales.period) for bucket in sales.period.buckets],
        [getattr(each, what) for each in sales.list_buckets(currency)],
        [getattr(each, what) for each in sales.list_buckets_before(currency)],
        currency=currency,
        show=lambda amount: money(amount, currency),
        show_short=lambda amount: money_short(amount, currency),
        before_label="before",
    )
