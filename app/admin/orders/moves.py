"""A purchase to another address: begin it, take it back."""

from flask import render_template
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, current_staff, page, say
from app.admin.orders.deeds import back_to_order
from app.admin.orders.forms import MoveForm
from app.checkout.moves import LINK_DAYS, UNDO_DAYS, request_move, take_back_move
from app.errors import AppError, NotFound
from app.reports.order_pages import get_order_page


@page("/orders/<public_id>/move", needs=p.ORDERS_WRITE)
def move_order(public_id: str) -> ResponseReturnValue:
    return _render(public_id, MoveForm())


@action("/orders/<public_id>/move", needs=p.ORDERS_WRITE)
def begin_move(public_id: str) -> ResponseReturnValue:
    form = MoveForm()
    if not form.validate_on_submit():
        return _render(public_id, form), 422
    try:
        request_move(
            order_public_id=public_id,
            to_email=form.to_email.data or "",
            proof=form.proof.data or "",
            user_id=current_staff().id,
        )
    except NotFound:
        raise
    except AppError as error:
        getattr(form, error.field or "to_email").errors = [error.sentence]
        return _render(public_id, form), 422
    say(f"A link is on its way to {form.to_email.data}. Nothing changes hands before it’s opened there.")
    return back_to_order(public_id)


@action("/orders/<public_id>/moves/<move>/undo", needs=p.ORDERS_WRITE)
def undo_move(public_id: str, move: str) -> ResponseReturnValue:
    try:
        status = take_back_move(order_public_id=public_id, move_public_id=move)
        say("The link is dead: nothing moves." if status == "withdrawn" else "The order is back where it was.")
    except NotFound:
        raise
    except AppError as error:
        say(error.sentence, "error")
    return back_to_order(public_id)


def _render(public_id: str, form: MoveForm) -> str:
    return render_template(
        "admin/orders/move.html",
        order=get_order_page(public_id),
        form=form,
        has_errors=bool(form.errors),
        link_days=LINK_DAYS,
        undo_days=UNDO_DAYS,
    )
