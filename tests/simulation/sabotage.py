"""Shops that are broken on purpose, each in one guard: the simulator must find every one of them (negative controls)."""

import importlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from app import queue
from app.checkout import receipts
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


SABOTAGES: dict[str, Callable[[], None]] = {
    "no reconciler": _never_look_at_stripe,
    "answers first": _answer_before_storing,
    "mails without keys": _mail_without_keys,
    "refunds without keys": _refund_without_keys,
}
