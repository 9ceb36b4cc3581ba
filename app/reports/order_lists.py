"""The back-office's list of orders: which, in what order, how many, how much, and the same rows as CSV.

Amounts are minor units of the order's currency. What an order "paid" is what its first payment was; what moved back
since is in the columns beside it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, or_, select
from sqlalchemy.orm import selectinload

from app.blog.models import Post
from app.catalog.models import Course, Price, ProductCourse, PromotionCode
from app.checkout.ledger import sum_entries
from app.checkout.models import Order, OrderItem, PromotionRedemption, TouchPoint
from app.checkout.numbers import format_order_number
from app.db import db
from app.money import to_decimal
from app.paging import Page, read_page
from app.reports.attention import list_order_ids_to_look_at
from app.reports.ledger_export import quote_formula
from app.reports.order_search import match_orders

BATCH_SIZE = 500
MOST_CODES = 100
# Tabs, each with the states it holds; "attention" and "free" are questions of their own.
VIEW_STATES: dict[str, tuple[str, ...]] = {
    "paid": ("paid",),
    "pending": ("pending", "processing"),
    "unpaid": ("failed", "expired"),
    "refunded": ("refunded", "partially_refunded"),
    "disputed": ("disputed", "lost"),
}
CHARGED = case((Order.is_tax_included, Order.total_amount), else_=Order.total_amount + Order.tax_amount)
IS_FREE = and_(Order.total_amount == 0, Order.number.is_not(None))
SORTS: dict[str, ColumnElement[Any]] = {
    "placed": Order.created_at.expression,
    "total": Order.total_amount.expression,
    "customer": Order.email.expression,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderQuery:
    """Which orders: "" and None leave a condition out. course and post are public ids, since and until UTC moments."""

    view: str = ""
    text: str = ""
    course: str = ""
    state: str = ""
    currency: str = ""
    code: str = ""
    post: str = ""
    since: datetime | None = None
    until: datetime | None = None
    sort: str = "placed"
    is_descending: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderListRow:
    """An order in the list; total_amount is what was or is to be charged."""

    public_id: str
    number: str
    customer_name: str
    email: str
    titles: tuple[str, ...]
    quantity: int
    state: str
    currency: str
    total_amount: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderSum:
    """How many orders of one currency, and what those that were paid have paid."""

    currency: str
    count: int
    paid_amount: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderCsvRow:
    """An order as a spreadsheet reads it."""

    order: str
    number: str
    placed_at: str
    paid_at: str
    state: str
    customer: str
    email: str
    items: str
    seats: int
    code: str
    currency: str
    subtotal: int
    discount: int
    tax: int
    total: int
    paid: int
    refunded: int
    withdrawn: int
    reinstated: int
    net: int
    total_decimal: str
    paid_decimal: str
    refunded_decimal: str
    net_decimal: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderChoices:
    """What the filters offer, as (value, words)."""

    courses: tuple[tuple[str, str], ...]
    currencies: tuple[tuple[str, str], ...]
    codes: tuple[tuple[str, str], ...]
    posts: tuple[tuple[str, str], ...]


CSV_COLUMNS = tuple(field.name for field in fields(OrderCsvRow))


def select_orders(query: OrderQuery) -> Select[Order]:
    """The list's statement: the orders that fit, sorted, items loaded."""
    column = SORTS[query.sort]
    directed = (
        (column.desc(), Order.id.desc()) if query.is_descending else (column.asc(), Order.id.asc())
    )  # The id makes an order of equals, so that no row is on two pages.
    return select(Order).options(selectinload(Order.items)).where(*_list_conditions(query)).order_by(*directed)


def list_order_page(query: OrderQuery, *, number: int) -> tuple[Page[OrderListRow], list[OrderSum]]:
    """A page of the list, and the count and sum of all that fits, by currency."""
    sums = sum_orders(query)
    page = read_page(select_orders(query), number=number, total=sum(each.count for each in sums))
    rows = [shape_order_row(order) for order in page.rows]
    return Page(rows=rows, total=page.total, number=page.number, size=page.size), sums


def sum_orders(query: OrderQuery) -> list[OrderSum]:
    """How many orders fit and what they have paid, the currency with most orders first."""
    paid = func.coalesce(func.sum(case((Order.number.is_not(None), CHARGED), else_=0)), 0)
    rows = db.session.execute(
        select(Order.currency, func.count(), paid)
        .where(*_list_conditions(query))
        .group_by(Order.currency)
        .order_by(func.count().desc(), Order.currency)
    )
    return [OrderSum(currency=currency, count=count, paid_amount=int(amount)) for currency, count, amount in rows]


def count_views() -> dict[str, int]:
    """How many orders each tab holds, by its key; "" is all of them."""
    states: dict[str, int] = dict(db.session.execute(select(Order.state, func.count()).group_by(Order.state)).all())
    counts = {key: sum(states.get(state, 0) for state in names) for key, names in VIEW_STATES.items()}
    attention, free = list_order_ids_to_look_at(), select(Order.id).where(IS_FREE)
    return {
        **counts,
        "": sum(states.values()),
        "attention": _count(attention.subquery()),
        "free": _count(free.subquery()),
    }


def list_order_choices(*, code: str) -> OrderChoices:
    """What the filters offer now; the code in force is among the codes however old it is."""
    codes = db.session.execute(
        select(PromotionCode.code)
        .where(or_(PromotionCode.redeemed_count > 0, PromotionCode.code == code))
        .order_by((PromotionCode.code == code).desc(), PromotionCode.id.desc())
        .limit(MOST_CODES)
    ).scalars()
    courses = db.session.execute(
        select(Course.public_id, Course.title).where(Course.deleted_at.is_(None)).order_by(Course.title)
    ).all()
    posts = db.session.execute(
        select(Post.public_id, Post.title)
        .where(select(TouchPoint.id).where(TouchPoint.post_id == Post.id).exists())
        .order_by(Post.title)
    ).all()
    currencies = db.session.scalars(select(Price.currency).distinct().order_by(Price.currency))
    return OrderChoices(
        courses=tuple((public_id, title) for public_id, title in courses),
        currencies=tuple((each, each.upper()) for each in currencies),
        codes=tuple((each, each) for each in codes),
        posts=tuple((public_id, title) for public_id, title in posts),
    )


def iterate_order_rows(query: OrderQuery) -> Iterator[list[str | int]]:
    """The CSV's cells, row by row in the list's order: exactly the orders that fit when it began, in batches.

    No cell is taken for a formula by a spreadsheet (attack A60).
    """
    statement = select_orders(query).options(selectinload(Order.entries))
    ids = list(db.session.scalars(statement.with_only_columns(Order.id)))
    for start in range(0, len(ids), BATCH_SIZE):
        batch = ids[start : start + BATCH_SIZE]
        found = {
            order.id: order
            for order in db.session.scalars(
                select(Order)
                .options(selectinload(Order.items), selectinload(Order.entries))
                .where(Order.id.in_(batch))
                .execution_options(populate_existing=True)
            )
        }
        codes = _list_codes(batch)
        for order_id in batch:
            yield _write_cells(_shape_csv_row(found[order_id], codes.get(order_id, "")))
        # What was written is not needed again, and a long list must not fill the memory.
        db.session.expunge_all()


def _list_conditions(query: OrderQuery) -> list[ColumnElement[bool]]:
    wanted: list[tuple[object, Callable[[], ColumnElement[bool]]]] = [
        (query.view, lambda: _match_view(query.view)),
        (query.text, lambda: match_orders(query.text)),
        (query.state, lambda: Order.state == query.state),
        (query.currency, lambda: Order.currency == query.currency),
        (query.course, lambda: Order.id.in_(_select_of_course(query.course))),
        (query.code, lambda: Order.id.in_(_select_of_code(query.code))),
        (query.post, lambda: Order.id.in_(_select_of_post(query.post))),
        (query.since, lambda: Order.created_at >= query.since),
        (query.until, lambda: Order.created_at < query.until),
    ]
    return [make() for value, make in wanted if value]


def _match_view(view: str) -> ColumnElement[bool]:
    if view == "attention":
        return Order.id.in_(list_order_ids_to_look_at())
    if view == "free":
        return IS_FREE
    states = VIEW_STATES[view]
    return Order.state == states[0] if len(states) == 1 else Order.state.in_(states)


def _select_of_course(public_id: str) -> Select[int]:
    return (
        select(OrderItem.order_id)
        .join(ProductCourse, ProductCourse.product_id == OrderItem.product_id)
        .join(Course, Course.id == ProductCourse.course_id)
        .where(Course.public_id == public_id)
    )


def _select_of_code(code: str) -> Select[int]:
    return (
        select(PromotionRedemption.order_id)
        .join(PromotionCode, PromotionCode.id == PromotionRedemption.promotion_code_id)
        .where(PromotionCode.code == code)
    )


def _select_of_post(public_id: str) -> Select[int]:
    return select(TouchPoint.order_id).join(Post, Post.id == TouchPoint.post_id).where(Post.public_id == public_id)


def _count(rows: Subquery) -> int:
    return db.session.scalar(select(func.count()).select_from(rows)) or 0


def shape_order_row(order: Order) -> OrderListRow:
    """An order whose items are loaded, as a line of a list."""
    return OrderListRow(
        public_id=order.public_id,
        number=format_order_number(order.number),
        customer_name=order.customer_name,
        email=order.email or "",
        titles=tuple(item.title for item in order.items),
        quantity=sum(item.quantity for item in order.items),
        state=order.state,
        currency=order.currency,
        total_amount=order.charged_amount,
        created_at=order.created_at,
    )


def _list_codes(order_ids: Sequence[int]) -> dict[int, str]:
    rows = db.session.execute(
        select(PromotionRedemption.order_id, PromotionCode.code)
        .join(PromotionCode, PromotionCode.id == PromotionRedemption.promotion_code_id)
        .where(PromotionRedemption.order_id.in_(order_ids))
    ).all()
    return dict(rows)


def _shape_csv_row(order: Order, code: str) -> OrderCsvRow:
    sums = sum_entries(order.entries)
    paid = order.charged_amount if order.number is not None else 0
    return OrderCsvRow(
        order=order.public_id,
        number=format_order_number(order.number),
        placed_at=_write_time(order.created_at),
        paid_at=_write_time(order.paid_at),
        state=order.state,
        customer=order.customer_name,
        email=order.email or "",
        items="; ".join(
            item.title if item.quantity == 1 else f"{item.title} x {item.quantity}" for item in order.items
        ),
        seats=sum(item.quantity for item in order.items),
        code=code,
        currency=order.currency,
        subtotal=order.subtotal_amount,
        discount=order.discount_amount,
        tax=order.tax_amount,
        total=order.charged_amount,
        paid=paid,
        refunded=sums.refunded_amount,
        withdrawn=sums.withdrawn_amount,
        reinstated=sums.reinstated_amount,
        net=sums.net_amount,
        total_decimal=_write_amount(order.charged_amount, order.currency),
        paid_decimal=_write_amount(paid, order.currency),
        refunded_decimal=_write_amount(sums.refunded_amount, order.currency),
        net_decimal=_write_amount(sums.net_amount, order.currency),
    )


def _write_cells(row: OrderCsvRow) -> list[str | int]:
    return [
        quote_formula(value) if isinstance(value, str) and not name.endswith("_decimal") else value
        for name, value in asdict(row).items()
    ]


def _write_amount(amount: int, currency: str) -> str:
    return f"{to_decimal(amount, currency):f}"


def _write_time(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
