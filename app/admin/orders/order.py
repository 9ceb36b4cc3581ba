"""The page of one order."""

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import page
from app.admin.orders.forms import NoteForm, ReasonForm
from app.checkout.invoices import get_order_invoice_url
from app.checkout.moves import list_moves
from app.reports.access import explain_courses
from app.reports.order_pages import get_order_page, list_stripe_events
from app.site.drawings import cover_url


@page("/orders/<public_id>", needs=p.ORDERS_READ)
def order(public_id: str) -> str:
    found = get_order_page(public_id)
    return render_template(
        "admin/orders/order.html",
        order=found,
        moves=list_moves(order_id=found.id),
        events=list_stripe_events(public_id) if "events" in request.args else None,
        note=NoteForm(),
        reason=ReasonForm(formdata=None),
        cover_url=cover_url,
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
