"""A period's money in one currency by course, code, campaign and country. Definitions: app/reports/sales.py.

Each breakdown has a row for what belongs to none of the others, so its sums are those of the period.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, func, select
from sqlalchemy.orm import aliased

from app.catalog.models import Product, PromotionCode
from app.checkout.models import LedgerEntry, Order, OrderItem, PromotionRedemption, TouchPoint
from app.db import db
from app.reports.periods import Period
from app.reports.sales import MOVING_KINDS, Sums, select_moved

COUNTED = ("sales", "refunded", "withdrawn", "reinstated", "orders")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One row: its name ("" for what belongs to none), its money, and what else the breakdown counts."""

    name: str
    sums: Sums
    extra: tuple[int, ...] = ()


def list_products(period: Period, currency: str) -> list[Line]:
    """By course or bundle, as the order's first line names it; extra: seats sold. Every order has one line today."""
    return _read(select_products(select_moved(period.span, currency=currency)))


def list_codes(period: Period, currency: str) -> list[Line]:
    """By promotion code; extra: what the codes took off the orders paid."""
    return _read(select_codes(select_moved(period.span, currency=currency)))


def list_campaigns(period: Period, currency: str) -> list[Line]:
    """By the UTM source, medium and campaign that a link brought, as "source / medium / campaign"."""
    return _read(select_campaigns(select_moved(period.span, currency=currency)))


def list_countries(period: Period, currency: str) -> list[Line]:
    """By the buyer's country; extra: tax in the sales, tax in what was refunded.

    Stripe says the tax of an order, not of each refund: a refund carries its share, rounded so that the shares of a
    full refund are the order's tax. Disputes leave the tax where it is.
    """
    return _read(select_countries(select_moved(period.span, currency=currency), period))


def select_products(moved: FromClause) -> Select[Any]:
    """The statement of list_products(), over select_moved()."""
    earlier = aliased(OrderItem)
    is_first = ~select(earlier.id).where(earlier.order_id == OrderItem.order_id, earlier.id < OrderItem.id).exists()
    seats = func.sum(_if_paid(moved, OrderItem.quantity)).label("extra_1")
    return (
        _group(moved, Product.title.label("name"), seats)
        .select_from(
            moved.join(OrderItem, OrderItem.order_id == moved.c.order_id).join(
                Product, Product.id == OrderItem.product_id
            )
        )
        .where(is_first)
        .group_by(Product.id, Product.title)
    )


def select_codes(moved: FromClause) -> Select[Any]:
    """The statement of list_codes(), over select_moved()."""
    name = func.coalesce(PromotionCode.code, "").label("name")
    off = func.sum(_if_paid(moved, func.coalesce(PromotionRedemption.amount, 0))).label("extra_1")
    return (
        _group(moved, name, off)
        .select_from(
            moved.outerjoin(PromotionRedemption, PromotionRedemption.order_id == moved.c.order_id).outerjoin(
                PromotionCode, PromotionCode.id == PromotionRedemption.promotion_code_id
            )
        )
        .group_by(PromotionCode.code)
    )


def select_campaigns(moved: FromClause) -> Select[Any]:
    """The statement of list_campaigns(), over select_moved()."""
    parts = [
        func.coalesce(TouchPoint.utm[name].as_string(), "") for name in ("utm_source", "utm_medium", "utm_campaign")
    ]
    touched = (
        select(TouchPoint.order_id, *(part.label(f"part_{place}") for place, part in enumerate(parts)))
        .where(TouchPoint.is_last)
        .subquery("touched")
    )
    columns = [func.coalesce(touched.c[f"part_{place}"], "") for place in range(len(parts))]
    named = (
        _group(moved, *(column.label(f"part_{place}") for place, column in enumerate(columns)))
        .select_from(moved.outerjoin(touched, touched.c.order_id == moved.c.order_id))
        .group_by(*(touched.c[f"part_{place}"] for place in range(len(parts))))
    )
    inner = named.subquery("named")
    name = case(
        (and_(*(inner.c[f"part_{place}"] == "" for place in range(len(parts)))), ""),
        else_=inner.c.part_0 + " / " + inner.c.part_1 + " / " + inner.c.part_2,
    ).label("name")
    return select(
        name,
        *(func.sum(inner.c[each]).label(each) for each in COUNTED),
    ).group_by(name)


def select_countries(moved: FromClause, period: Period) -> Select[Any]:
    """The statement of list_countries(), over select_moved()."""
    charged = case((Order.is_tax_included, Order.total_amount), else_=Order.total_amount + Order.tax_amount)
    taxed = (
        select(LedgerEntry.order_id, *_list_running_sums(period))
        .where(LedgerEntry.occurred_at < period.until, LedgerEntry.kind.in_(MOVING_KINDS))
        .where(LedgerEntry.order_id.in_(select(moved.c.order_id)))
        .group_by(LedgerEntry.order_id)
        .subquery("taxed")
    )

    def tax_in(column: str) -> ColumnElement[Any]:
        after, before = (_share(Order.tax_amount, taxed.c[f"{column}_{when}"], charged) for when in ("after", "before"))
        return func.sum(after - before)

    country = func.coalesce(Order.country, "")
    return (
        _group(moved, country.label("name"), tax_in("paid").label("extra_1"), tax_in("returned").label("extra_2"))
        .select_from(moved.join(Order, Order.id == moved.c.order_id).join(taxed, taxed.c.order_id == Order.id))
        .group_by(Order.country)
    )


def _list_running_sums(period: Period) -> list[ColumnElement[Any]]:
    """An order's captured and refunded money up to the period's beginning and to its end."""
    columns: list[ColumnElement[Any]] = []
    for name, signs in (("paid", {"payment": 1}), ("returned", {"refund": 1, "refund_failed": -1})):
        amount = case(*((LedgerEntry.kind == kind, LedgerEntry.amount * sign) for kind, sign in signs.items()), else_=0)
        before = case((LedgerEntry.occurred_at < period.since, amount), else_=0)
        columns += [func.sum(amount).label(f"{name}_after"), func.sum(before).label(f"{name}_before")]
    return columns


def _share(tax: Any, part: Any, whole: Any) -> ColumnElement[Any]:
    """The part's share of the tax, rounded half up, in whole numbers; nothing of nothing. A part is never negative."""
    return case((whole > 0, (2 * tax * part + whole) // (2 * whole)), else_=0)


def _if_paid(moved: FromClause, value: Any) -> ColumnElement[Any]:
    return case((moved.c.sales > 0, value), else_=0)


def _group(moved: FromClause, *columns: Any) -> Select[Any]:
    """These columns, and what moved in each group."""
    sums = [func.sum(moved.c[name]).label(name) for name in ("sales", "refunded", "withdrawn", "reinstated")]
    return select(*columns, *sums, func.sum(_if_paid(moved, 1)).label("orders"))


def _read(query: Select[Any]) -> list[Line]:
    """The rows, the most net first; rows in which nothing moved are left out."""
    lines = []
    for row in db.session.execute(query).mappings():
        sums = Sums(**{each: int(row[each]) for each in COUNTED})
        extra = tuple(int(row[name]) for name in ("extra_1", "extra_2") if name in row)
        if sums != Sums():
            lines.append(Line(name=row["name"], sums=sums, extra=extra))
    return sorted(lines, key=lambda line: (-line.sums.net, line.name))


def sum_lines(lines: Sequence[Line]) -> Sums:
    """What the rows add up to."""
    return sum((line.sums for line in lines), Sums())
