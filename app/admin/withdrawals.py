"""/admin/orders/withdrawals: which buyers withdrew from their contracts, and what became of it."""

from flask import render_template

from app.accounts import permissions as p
from app.admin.blueprint import page
from app.admin.listing import ListSpec, View, read_list_state
from app.reports.withdrawals import list_withdrawals

SPEC = ListSpec(
    views=(
        View(key="", label="All"),
        View(key="open", label="To decide"),
        View(key="late", label="No right any more"),
    ),
)
VERDICTS = {
    "in_time": ("In time", "ok"),
    "late": ("Too late", "hollow"),
    "waived": ("Right given up", "hollow"),
}
REFUNDS = {
    "none": "Nothing goes back",
    "by_hand": "A person decides",
    "due": "Refund begins now",
    "asked": "Refunded by the shop",
    "not_possible": "Nothing could be refunded",
}


@page("/orders/withdrawals", needs=p.ORDERS_READ)
def withdrawals() -> str:
    state = read_list_state(SPEC)
    found = list_withdrawals(view=state.view, page=state.page)
    return render_template("admin/orders/withdrawals.html", state=state, page=found, verdicts=VERDICTS, refunds=REFUNDS)
