"""Shops that are broken on purpose, each in one guard: the simulator must find every one of them (negative controls)."""

import importlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import false, update

from app import queue
from app.checkout import apply, receipts, services, settle
from app.enrollment import invitations, shared_links
from app.enrollment.models import Grant
from app.webhooks import views

RECONCILING = ("checkout.check_order", "checkout.begin_daily_run", "checkout.reconcile_page")


def _never_look_at_stripe() -> None:
    """The reconciler is off: what no event tells is never known."""
    queue._sweeps[:] = [replace(each, find_ids=list) if each.task in RECONCILING else each for each in queue._sweeps]


def _answer_before_storing() -> None:
    """Events of one type are answered 2xx and forgotten."""
    store = views.record_event

    def record_most(*, payload: bytes) -> None:
        if b'"payment_intent.succeeded"' not in payload:
            store(payload=payload)

    views.record_event = record_most


def _mail_without_keys() -> None:
    """A cause that is told twice mails twice."""
    queue_message = receipts.queue_message

    def queue_again(*, key: str, **values: Any) -> bool:
        return queue_message(key=f"{key}:{secrets.token_hex(4)}", **values)

    receipts.queue_message = queue_again


def _refund_without_keys() -> None:
    """A refund that Stripe made and did not confirm is asked for again as a new one."""
    refunds = importlib.import_module("app.checkout.refunds")
    create_refund = refunds.create_refund

    def create_again(*, idempotency_key: str, **values: Any) -> Any:
        return create_refund(idempotency_key=secrets.token_hex(8), **values)

    refunds.create_refund = create_again
    refunds.find_refund = lambda **_values: None


def _count_no_joins() -> None:
    """A shared link is never used up."""
    shared_links.count_use = lambda _public_id: True


def _let_them_stay() -> None:
    """Whoever loses a seat to somebody else keeps what it opened."""

    def update_others(model: type[Any]) -> Any:
        return update(model).where(false()) if model is Grant else update(model)

    invitations.update = update_others


def _ask_for_no_consent() -> None:
    """The boxes are on the page, but nobody looks whether they were ticked."""
    services.check_consents = lambda _given: None


def _forget_tax() -> None:
    """What Stripe took for tax is not written down."""
    take_over = settle._take_over_details

    def take_over_most(order: Any, reading: Any) -> None:
        take_over(order, reading)
        order.tax_amount = 0

    settle._take_over_details = take_over_most


def _keep_second_payments() -> None:
    """Money that came twice stays."""
    apply.return_surplus = lambda _order: None


def _serve_everybody() -> None:
    """Late money buys a seat, whether there is one or not."""
    apply._hold_all = lambda _order: True


SABOTAGES: dict[str, Callable[[], None]] = {
    "no reconciler": _never_look_at_stripe,
    "answers first": _answer_before_storing,
    "mails without keys": _mail_without_keys,
    "refunds without keys": _refund_without_keys,
    "links without limit": _count_no_joins,
    "lost seats stay open": _let_them_stay,
    "consents not asked": _ask_for_no_consent,
    "tax not written": _forget_tax,
    "second payments kept": _keep_second_payments,
    "late payments served": _serve_everybody,
}
