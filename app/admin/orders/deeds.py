"""The small things done on an order's page: a note, a mail once more, a finding taken off the list."""

from flask import redirect, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from app.accounts import permissions as p
from app.admin.blueprint import TOAST, action, current_staff, say
from app.admin.orders.forms import NoteForm
from app.checkout.claim_links import resend_claim_link_for_staff
from app.checkout.order_notes import add_note
from app.checkout.resend import resend_receipt
from app.errors import AppError, NotFound


@action("/orders/<public_id>/notes", needs=p.ORDERS_WRITE)
def add_order_note(public_id: str) -> ResponseReturnValue:
    form = NoteForm()
    try:
        add_note(order_public_id=public_id, text=form.text.data or "", user_id=current_staff().id)
    except NotFound:
        raise
    except AppError as error:
        say(error.sentence, "error")
    return back_to_order(public_id, anchor="timeline")


@action("/orders/<public_id>/receipt", needs=p.ORDERS_WRITE)
def resend_order_receipt(public_id: str) -> ResponseReturnValue:
    try:
        say(f"The receipt goes to {resend_receipt(order_public_id=public_id)} once more.", TOAST)
    except NotFound:
        raise
    except AppError as error:
        say(error.sentence, "error")
    return back_to_order(public_id)


@action("/orders/<public_id>/seats/<seat>/claim-link", needs=p.ORDERS_WRITE)
def resend_order_claim_link(public_id: str, seat: str) -> ResponseReturnValue:
    try:
        address = resend_claim_link_for_staff(order_public_id=public_id, seat_public_id=seat)
        say(f"The claim link goes to {address} once more.", TOAST)
    except NotFound:
        raise
    except AppError as error:
        say(error.sentence, "error")
    return back_to_order(public_id)


def back_to_order(public_id: str, anchor: str | None = None) -> BaseResponse:
    """To the order's page."""
    return redirect(url_for("admin.order", public_id=public_id, _anchor=anchor), 303)
