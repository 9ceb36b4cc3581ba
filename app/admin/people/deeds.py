"""What is done on a learner's page: a mail once more, signing them out, closing and opening the account, a note."""

from collections.abc import Callable

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.accounts.by_staff import add_user_note, close_account, open_account, sign_out_for_staff
from app.accounts.sign_in_links import send_sign_in_link_for_staff
from app.admin.blueprint import TOAST, action, current_staff, page, say
from app.admin.undo import say_with_undo
from app.checkout.claim_links import resend_claim_link_for_staff
from app.checkout.resend import resend_receipt
from app.errors import AppError, NotFound
from app.reports.people_pages import get_person

LONGEST_ID = 40


@action("/people/<public_id>/sign-in-link", needs=p.PEOPLE_WRITE)
def send_person_sign_in_link(public_id: str) -> ResponseReturnValue:
    return _do(public_id, lambda: f"A link to sign in goes to {send_sign_in_link_for_staff(user_public_id=public_id)}.")


@action("/people/<public_id>/claim-link", needs=p.ORDERS_WRITE)
def resend_person_claim_link(public_id: str) -> ResponseReturnValue:
    order, seat = _read_id("order"), _read_id("seat")
    get_person(public_id)

    def resend() -> str:
        address = resend_claim_link_for_staff(order_public_id=order, seat_public_id=seat)
        return f"The claim link goes to {address} once more."

    return _do(public_id, resend)


@action("/people/<public_id>/receipt", needs=p.ORDERS_WRITE)
def resend_person_receipt(public_id: str) -> ResponseReturnValue:
    order = _read_id("order")
    get_person(public_id)
    return _do(public_id, lambda: f"The receipt goes to {resend_receipt(order_public_id=order)} once more.")


@action("/people/<public_id>/sign-out", needs=p.PEOPLE_WRITE)
def sign_person_out(public_id: str) -> ResponseReturnValue:
    def sign_out() -> str:
        count = sign_out_for_staff(user_public_id=public_id, staff_id=current_staff().id)
        return "They’re signed out everywhere." if count else "They weren’t signed in anywhere."

    return _do(public_id, sign_out)


@action("/people/<public_id>/notes", needs=p.PEOPLE_WRITE)
def add_person_note(public_id: str) -> ResponseReturnValue:
    def add() -> str:
        add_user_note(user_public_id=public_id, text=request.form.get("text", ""), staff_id=current_staff().id)
        return "The note is kept."

    return _do(public_id, add)


@page("/people/<public_id>/close", needs=p.PEOPLE_WRITE)
def ask_close_person(public_id: str) -> str:
    return render_template("admin/people/close.html", person=get_person(public_id))


@action("/people/<public_id>/close", needs=p.PEOPLE_WRITE)
def close_person(public_id: str) -> ResponseReturnValue:
    try:
        is_new = close_account(user_public_id=public_id, reason=request.form.get("reason", ""))
    except NotFound:
        raise
    except AppError as error:
        say(error.sentence, "error")
        return _back(public_id)
    if is_new:
        say_with_undo("The account is closed.", url_for("admin.open_person", public_id=public_id))
    else:
        say("It was closed already.", TOAST)
    return _back(public_id)


@action("/people/<public_id>/open", needs=p.PEOPLE_WRITE)
def open_person(public_id: str) -> ResponseReturnValue:
    return _do(
        public_id,
        lambda: "The account is open again." if open_account(user_public_id=public_id) else "It was open already.",
    )


def _do(public_id: str, deed: Callable[[], str]) -> ResponseReturnValue:
    """Do it, say what it says, or why not, and go back to the person."""
    try:
        say(deed(), TOAST)
    except NotFound:
        raise
    except AppError as error:
        say(error.sentence, "error")
    return _back(public_id)


def _back(public_id: str) -> ResponseReturnValue:
    return redirect(url_for("admin.person", public_id=public_id), 303)


def _read_id(name: str) -> str:
    return request.form.get(name, "")[:LONGEST_ID]
