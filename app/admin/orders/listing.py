"""The list of orders: views, filters, search, sums, and its rows as CSV."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Response, current_app, render_template, request, stream_with_context

from app import clock
from app.accounts import permissions as p
from app.admin.blueprint import page
from app.admin.listing import Filter, ListSpec, ListState, View, read_list_state
from app.config import Settings
from app.formatting import money
from app.reports.order_files import ORDER_STATES
from app.reports.order_lists import (
    CSV_COLUMNS,
    OrderChoices,
    OrderQuery,
    OrderSum,
    count_views,
    iterate_order_rows,
    list_order_choices,
    list_order_page,
)

VIEWS = (
    View(key="", label="All"),
    View(key="paid", label="Paid"),
    View(key="attention", label="Needs attention"),
    View(key="pending", label="Pending"),
    View(key="refunded", label="Refunded"),
    View(key="disputed", label="Disputed"),
    View(key="free", label="Free"),
    View(key="unpaid", label="Not paid"),
)
# The key of a sort, and whether its first click sorts downwards.
SORTS = {"placed": True, "total": True, "customer": False}
STATE_WORDS = {"partially_refunded": "Part-refunded", "lost": "Lost to the bank", "pending": "Checkout open"}
LONGEST_CODE = 40
# Filters that stand folded below the search until one of them is in force.
FOLDED = ("state", "currency", "code", "post", "since", "until")


@page("/orders", needs=p.ORDERS_READ)
def orders() -> str:
    state = _read_state()
    query = _make_query(state)
    found, sums = list_order_page(query, number=state.page)
    return render_template(
        "admin/orders/list.html",
        state=state,
        counts=count_views(),
        page=found,
        sum_words=_write_sums(sums),
        folded=FOLDED,
    )


@page("/orders/export.csv", needs=p.ORDERS_READ)
def export_orders() -> Response:
    query = _make_query(_read_state())
    name = f"orders-{clock.now().date().isoformat()}.csv"
    return Response(
        stream_with_context(_write_csv(query)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def _write_sums(sums: list[OrderSum]) -> str:
    """What the orders found have paid, one amount for each currency; "" when nothing was paid."""
    amounts = [money(each.paid_amount, each.currency) for each in sums if each.paid_amount]
    return f"{' + '.join(amounts)} paid" if amounts else ""


def _write_csv(query: OrderQuery) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(CSV_COLUMNS)
    for cells in iterate_order_rows(query):
        writer.writerow(cells)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _read_state() -> ListState:
    """The state of the URL; what the filters offer depends on the shop, so the spec is made for each request."""
    choices = list_order_choices(code=request.args.get("code", "")[:LONGEST_CODE])
    return read_list_state(_make_spec(choices))


def _make_spec(choices: OrderChoices) -> ListSpec:
    states = [(each, STATE_WORDS.get(each, each.replace("_", " ").capitalize())) for each in ORDER_STATES]
    filters = [
        Filter(name="course", label="Course", options=choices.courses),
        Filter(name="state", label="Status", options=states),
        Filter(name="currency", label="Currency", options=choices.currencies),
        Filter(name="code", label="Code", options=choices.codes),
        Filter(name="post", label="Post", options=choices.posts),
    ]
    dates = [Filter(name="since", label="Placed from"), Filter(name="until", label="Placed to")]
    return ListSpec(
        views=VIEWS,
        # A select with nothing to choose would be taken for a date.
        filters=(*(each for each in filters if each.options), *dates),
        sorts=SORTS,
        search_label="Name, email, order or Stripe ID",
    )


def _make_query(state: ListState) -> OrderQuery:
    return OrderQuery(
        view=state.view,
        text=state.q,
        course=state.get("course"),
        state=state.get("state"),
        currency=state.get("currency"),
        code=state.get("code"),
        post=state.get("post"),
        since=_begin_of(state.get("since")),
        until=_begin_of(state.get("until"), days=1),
        sort=state.sort,
        is_descending=state.is_descending,
    )


def _begin_of(day: str, *, days: int = 0) -> datetime | None:
    """When a day of the shop's begins, as UTC; days later with days. None for "" and for a day beyond the calendar."""
    if not day:
        return None
    settings: Settings = current_app.config["SETTINGS"]
    try:
        begin = datetime.combine(
            date.fromisoformat(day) + timedelta(days=days), time(), tzinfo=ZoneInfo(settings.site_timezone)
        )
        return begin.astimezone(UTC)
    except OverflowError:
        return None
