"""Who comes back: buyers by the month of their first purchase, and what they bought in the months after it.

A buyer is an address, so a guest and an account with the same one are the same. A month's revenue is the net, as it is
now, of the orders first paid in it: a later refund lowers the month of the purchase.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Select, func, select

from app.checkout.models import LedgerEntry, Order
from app.db import db
from app.reports.local_days import local_day
from app.reports.periods import Period, add_months
from app.reports.sales import MOVING_KINDS, sum_kinds


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """What a cohort did in one month: how many of its buyers bought, and for how much net."""

    buyers: int = 0
    net: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Cohort:
    """Buyers whose first purchase was in this month; cells[n] is n months after it, months to come left out."""

    month: date
    buyers: int
    repeat_buyers: int
    net: int
    cells: Sequence[Cell]


def list_cohorts(period: Period, currency: str) -> list[Cohort]:
    """The cohorts of the period's months, oldest first; months without a first purchase are left out."""
    cells: dict[tuple[str, str], Cell] = {}
    for row in db.session.execute(select_cells(period, currency)):
        cells[row.cohort, row.month] = Cell(buyers=row.buyers, net=int(row.net))
    repeats = {row.cohort: row.repeat_buyers for row in db.session.execute(select_repeat_buyers(period, currency))}
    last_month = period.last_day.replace(day=1)
    found = []
    for name in sorted({cohort for cohort, _ in cells}):
        month = date.fromisoformat(f"{name}-01")
        row_cells: list[Cell] = []
        while (later := add_months(month, len(row_cells))) <= last_month:
            row_cells.append(cells.get((name, later.isoformat()[:7]), Cell()))
        found.append(
            Cohort(
                month=month,
                buyers=row_cells[0].buyers,
                repeat_buyers=repeats.get(name, 0),
                net=sum(cell.net for cell in row_cells),
                cells=row_cells,
            )
        )
    return found


def select_cells(period: Period, currency: str) -> Select[Any]:
    """Buyers and net by cohort and month, both as YYYY-MM."""
    orders = _select_orders(period, currency)
    firsts = _select_firsts(period, orders)
    columns: list[Any] = [
        firsts.c.cohort,
        orders.c.month,
        func.count(orders.c.buyer.distinct()).label("buyers"),
        func.sum(orders.c.net).label("net"),
    ]
    return (
        select(*columns)
        .select_from(orders.join(firsts, firsts.c.buyer == orders.c.buyer))
        .group_by(firsts.c.cohort, orders.c.month)
    )


def select_repeat_buyers(period: Period, currency: str) -> Select[Any]:
    """How many buyers of each cohort bought more than once."""
    orders = _select_orders(period, currency)
    firsts = _select_firsts(period, orders)
    columns: list[Any] = [firsts.c.cohort, func.count().label("repeat_buyers")]
    return select(*columns).where(firsts.c.orders > 1).group_by(firsts.c.cohort)


def _select_orders(period: Period, currency: str) -> Any:
    """Every paid order up to the period's end with its buyer, month and net."""
    beginning = datetime.combine(date(2000, 1, 1), time(), period.zone)
    day = local_day(Order.paid_at, since=beginning, until=period.until, zone=period.zone)
    moved = (
        select(LedgerEntry.order_id, *sum_kinds(LedgerEntry.amount, LedgerEntry.kind))
        .where(LedgerEntry.currency == currency, LedgerEntry.kind.in_(MOVING_KINDS))
        .group_by(LedgerEntry.order_id)
        .subquery("moved")
    )
    net = moved.c.sales - moved.c.refunded - moved.c.withdrawn + moved.c.reinstated
    columns: list[Any] = [
        func.coalesce(func.lower(Order.email), Order.buyer_key).label("buyer"),
        func.substr(day, 1, 7).label("month"),
        net.label("net"),
    ]
    return (
        select(*columns)
        .join(moved, moved.c.order_id == Order.id)
        .where(Order.paid_at < period.until, Order.total_amount > 0)
        .cte("bought")
    )


def _select_firsts(period: Period, orders: Any) -> Any:
    """The month of each buyer's first purchase, where it lies in the period, and how often they bought."""
    first = period.first_day.isoformat()[:7]
    return (
        select(orders.c.buyer, func.min(orders.c.month).label("cohort"), func.count().label("orders"))
        .group_by(orders.c.buyer)
        .having(func.min(orders.c.month) >= first)
        .cte("firsts")
    )
