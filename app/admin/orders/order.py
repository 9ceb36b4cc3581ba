"""The page of one order."""

import json

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import blueprint, page
from app.checkout.invoices import get_order_invoice_url
from app.checkout.moves import list_moves
from app.reports.access import explain_courses
from app.reports.order_pages import get_order_page, list_stripe_events

SEAT_WORDS = {
    "free": ("Free", "hollow"),
    "scheduled": ("Waits for its day", "info"),
    "invited": ("Link sent", "info"),
    "expired": ("Link ended", "warn"),
    "taken": ("Taken", "ok"),
    "suspended": ("Paused", "warn"),
    "revoked": ("Closed", "hollow"),
}


@page("/orders/<public_id>", needs=p.ORDERS_READ)
def order(public_id: str) -> str:
    found = get_order_page(public_id)
    return render_template(
        "admin/orders/order.html",
        order=found,
        moves=list_moves(order_id=found.id),
        events=list_stripe_events(public_id) if "events" in request.args else None,
        seat_words=SEAT_WORDS,
        initials=_initials(found.customer.name or found.email),
    )


@page("/orders/<public_id>/access", needs=p.ORDERS_READ)
def order_access(public_id: str) -> str:
    found = get_order_page(public_id)
    seat = request.args.get("seat", "")
    chosen = next((each for each in found.seats if each.public_id == seat), None)
    traces = (
        explain_courses(seat_public_id=chosen.public_id)
        if chosen is not None
        else explain_courses(order_public_id=public_id)
    )
    return render_template("admin/orders/access.html", order=found, seat=chosen, traces=traces)


@page("/orders/<public_id>/invoice", needs=p.ORDERS_READ)
def order_invoice(public_id: str) -> ResponseReturnValue:
    return redirect(get_order_invoice_url(order_id=get_order_page(public_id).id), 303)


def _initials(name: str) -> str:
    return "".join(part[0] for part in name.split()[:2]).upper()


@blueprint.app_template_filter("pretty_json")
def pretty_json(text: str) -> str:
    """Stored JSON with its lines broken; what is none stays as it is."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except ValueError:
        return text
