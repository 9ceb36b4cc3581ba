"""Withdraw from contract here: name the purchase, confirm, get an acknowledgment with the time. No account needed."""

from flask import Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import clock
from app.accounts.emails import normalize_email
from app.checkout.withdrawals import get_withdrawal, withdraw_by_link, withdraw_by_number
from app.config import current_settings
from app.errors import InvalidInput, NotFound
from app.extensions import limiter
from app.site.blueprint import blueprint
from app.site.limits import WITHDRAW, answer_evenly
from app.site.origin import refuse_cross_site

FIX = 422
LONGEST_NUMBER = 20
NUMBER_MISSING = "Enter the order number from your receipt, such as NSL-1087."


@blueprint.get("/withdraw")
def withdraw() -> str:
    _refuse_off()
    return render_template("withdraw.html", step="name", values={}, errors={})


@blueprint.post("/withdraw")
@WITHDRAW
def name_contract() -> ResponseReturnValue:
    """The second step: what will be declared, in the words it was named with."""
    _refuse_off()
    refuse_cross_site()
    values, errors = _read_form()
    if errors:
        return render_template("withdraw.html", step="name", values=values, errors=errors), FIX
    return render_template("withdraw.html", step="confirm", values=values, errors={})


@blueprint.post("/withdraw/confirm")
@WITHDRAW
@answer_evenly
def confirm_withdrawal() -> ResponseReturnValue:
    """The same answer for every number and address: only the mail tells whether they belong together."""
    _refuse_off()
    refuse_cross_site()
    values, errors = _read_form()
    if errors:
        return render_template("withdraw.html", step="name", values=values, errors=errors), FIX
    withdraw_by_number(number=values["number"], email=values["email"])
    return render_template("withdraw.html", step="sent", values=values, errors={}, sent_at=clock.now())


@blueprint.get("/withdraw/<token>")
@limiter.limit("60/minute")
def show_withdrawal(token: str) -> Response:
    response = make_response(render_template("withdraw_order.html", view=get_withdrawal(token), token=token))
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/withdraw/<token>")
@limiter.limit("20/minute")
def confirm_withdrawal_by_link(token: str) -> ResponseReturnValue:
    refuse_cross_site()
    withdraw_by_link(token)
    return redirect(url_for("site.show_withdrawal", token=token), 303)


def _read_form() -> tuple[dict[str, str], dict[str, str]]:
    """What was typed, the address in its stored form, and a sentence for each field that can't be used."""
    values = {name: request.form.get(name, "").strip() for name in ("number", "email")}
    errors: dict[str, str] = {}
    if not 0 < len(values["number"]) <= LONGEST_NUMBER:
        errors["number"] = NUMBER_MISSING
    try:
        values["email"] = normalize_email(values["email"])
    except InvalidInput as error:
        errors["email"] = error.sentence
    return values, errors


def _refuse_off() -> None:
    if not current_settings().has_withdrawal:
        raise NotFound
