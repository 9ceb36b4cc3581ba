"""The list of orders: views, filters, search, sums, and its rows as CSV."""

from flask import Response, render_template, request

from app.accounts import permissions as p
from app.admin.blueprint import page
from app.admin.csv_files import answer_csv
from app.admin.days import begin_of
from app.admin.listing import Filter, ListSpec, ListState, View, read_list_state
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
    return answer_csv("orders", CSV_COLUMNS, iterate_order_rows(_make_query(_read_state())))


def _write_sums(sums: list[OrderSum]) -> str:
    """What the orders found have paid, one amount for each currency; "" when nothing was paid."""
    amounts = [money(each.paid_amount, each.currency) for each in sums if each.paid_amount]
    return f"{' + '.join(amounts)} paid" if amounts else ""


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
        since=begin_of(state.get("since")),
        until=begin_of(state.get("until"), days=1),
        sort=state.sort,
        is_descending=state.is_descending,
    )
