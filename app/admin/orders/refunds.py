"""The refund: what would happen is shown before the one button that does it, and the button names the amount."""

import re
import secrets
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, current_staff, page, say
from app.admin.orders.deeds import back_to_order
from app.admin.orders.refund_form import RefundForm, make_form, read_scope, write_scope
from app.checkout.refund_orders import RefundOutcome, RefundOutdated, refund_order
from app.checkout.refund_plans import RefundPlan, RefundScope, preview_refund
from app.errors import AppError, NotFound
from app.formatting import money
from app.reports.refund_pages import RefundPage, get_refund_page

KEY = re.compile(r"[0-9a-f]{32}")


@page("/orders/<public_id>/refund", needs=p.ORDERS_REFUND)
def refund(public_id: str) -> ResponseReturnValue:
    found = get_refund_page(public_id)
    return _render(found, make_form(found, request.args if "what" in request.args else None))


@action("/orders/<public_id>/refund", needs=p.ORDERS_REFUND)
def refund_now(public_id: str) -> ResponseReturnValue:
    found = get_refund_page(public_id)
    form = make_form(found, request.form)
    scope = read_scope(form, found) if form.validate() else None
    if scope is None or not KEY.fullmatch(form.key.data or ""):
        return _render(found, form), 422
    if form.shown.data != write_scope(scope):
        return _render(found, form, news="You changed what goes back. Read what it does, then press the button."), 422
    try:
        outcome = _refund(public_id, form, scope)
    except NotFound:
        raise
    except RefundOutdated as error:
        return _render_outdated(public_id, error), error.status
    except AppError as error:
        return _render(found, form, news=error.sentence), error.status
    _tell(outcome)
    return back_to_order(public_id)


def _refund(public_id: str, form: RefundForm, scope: RefundScope) -> RefundOutcome:
    return refund_order(
        order_public_id=public_id,
        request_key=f"admin:{form.key.data}",
        scope=scope,
        reason=form.full_reason,
        user_id=current_staff().id,
        seen_left_amount=form.left.data,
    )


def _render_outdated(public_id: str, error: RefundOutdated) -> str:
    """The page anew, as it is after the other's refund, with who that was."""
    found = get_refund_page(public_id)
    left = money(found.left_amount, found.currency)
    news = f"{found.last} {left} is left. Nothing more was refunded." if found.last else error.sentence
    return _render(found, make_form(found, None), news=news)


def _render(found: RefundPage, form: RefundForm, *, news: str = "") -> str:
    plan, problem = _plan(found, form)
    form.shown.data = write_scope(scope) if (scope := read_scope(form, found)) is not None else ""
    form.left.data = found.left_amount
    form.key.data = secrets.token_hex(16)
    context: dict[str, Any] = {"order": found, "form": form, "plan": plan, "problem": problem, "news": news}
    return render_template("admin/orders/refund.html", has_errors=bool(form.errors) or bool(news), **context)


def _plan(found: RefundPage, form: RefundForm) -> tuple[RefundPlan | None, str]:
    scope = read_scope(form, found)
    if scope is None:
        return None, ""
    try:
        return preview_refund(order_public_id=found.public_id, scope=scope), ""
    except AppError as error:
        return None, error.sentence


def _tell(outcome: RefundOutcome) -> None:
    amount = money(outcome.amount, outcome.currency)
    statuses = {each.status for each in outcome.refunds}
    if statuses == {"done"}:
        say(f"{amount} is on its way back. It arrives in 5–10 days.")
    elif "refused" in statuses or "failed" in statuses:
        say("Stripe refused a part of it. Look at the payment in Stripe’s dashboard.", "error")
    else:
        say(f"Stripe hasn’t answered yet. The refund of {amount} is stored and tried until it does.", "warning")
