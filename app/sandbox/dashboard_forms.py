"""What the dashboard's forms do: each reads its fields, does one thing, and says in a sentence what happened."""

from collections.abc import Callable

from flask import request

from app.sandbox.actions import Actions
from app.sandbox.dashboard_rows import decimal_amount
from app.sandbox.documents import Document
from app.sandbox.levers import KINDS, LeverError
from app.sandbox.money import exponent, format_amount
from app.sandbox.resources.sessions import expire_session
from app.sandbox.store import Store

_LONGEST_AMOUNT = 12
_UNITS = {"minutes": 60, "hours": 3_600, "days": 86_400}


class Deeds:
    """The forms by name. Raises StripeError or LeverError for what cannot be done."""

    def __init__(self, store: Store, actions: Actions) -> None:
        self._store = store
        self._actions = actions

    def named(self) -> dict[str, Callable[[], str]]:
        return {
            "refund": self._refund,
            "dispute": self._dispute,
            "close-dispute": self._close_dispute,
            "settle": self._settle,
            "expire": self._expire,
            "resend": self._resend,
            "deliver": self._deliver,
            "pull": self._pull,
            "remove": self._remove,
            "forget-keys": self._forget_keys,
            "forget-events": self._forget_events,
            "advance-clock": self._advance_clock,
            "reset": self._reset,
        }

    def _refund(self) -> str:
        amount = _minor_units(request.form.get("amount", ""), request.form.get("currency", "usd"))
        refund = self._actions.refund(request.form.get("id", ""), amount)
        return f"Refunded {format_amount(refund['amount'], refund['currency'])}; its status is {refund['status']}."

    def _dispute(self) -> str:
        kind = request.form.get("reason", "fraudulent")
        is_inquiry = kind == "inquiry"
        reason = "fraudulent" if is_inquiry else kind
        dispute = self._actions.dispute(request.form.get("id", ""), reason=reason, is_inquiry=is_inquiry, amount=0)
        amount = format_amount(dispute["amount"], dispute["currency"])
        return f"The bank inquires about {amount}." if is_inquiry else f"The bank disputes {amount}."

    def _close_dispute(self) -> str:
        outcome = request.form.get("outcome", "")
        if outcome == "escalated":
            self._actions.escalate(request.form.get("id", ""))
            return "The inquiry became a dispute; the money is withdrawn."
        dispute = self._actions.close_dispute(request.form.get("id", ""), outcome)
        return f"The dispute is closed: {dispute['status'].replace('_', ' ')}."

    def _settle(self) -> str:
        outcome = request.form.get("outcome", "")
        self._actions.settle(request.form.get("id", ""), outcome)
        return f"The payment has {outcome}."

    def _expire(self) -> str:
        with self._store.write() as transaction:
            expire_session(transaction, {}, request.form.get("id", ""))
        return "The session has expired."

    def _resend(self) -> str:
        count = self._actions.resend(request.form.get("id", ""))
        return f"Queued again for {count} {'endpoint' if count == 1 else 'endpoints'}."

    def _deliver(self) -> str:
        outcomes = self._actions.deliver_now()
        delivered = sum(outcome.is_delivered for outcome in outcomes)
        return f"Sent {len(outcomes)} webhooks: {delivered} delivered, {len(outcomes) - delivered} not."

    def _pull(self) -> str:
        lever = self._actions.pull_lever(_lever_form())
        return f"Pulled: {KINDS[lever['kind']].sentence.lower()}."

    def _remove(self) -> str:
        number = request.form.get("id", "")
        removed = self._actions.remove_levers(int(number) if number.isdigit() else None)
        return f"Removed {removed} {'lever' if removed == 1 else 'levers'}."

    def _forget_keys(self) -> str:
        forgotten = self._actions.pull_lever({"kind": "forget_idempotency_keys"})["forgotten"]
        return f"Forgot {forgotten} idempotency keys."

    def _forget_events(self) -> str:
        forgotten = self._actions.pull_lever({"kind": "forget_events"})["forgotten"]
        return f"The API has forgotten {forgotten} {'event' if forgotten == 1 else 'events'}."

    def _advance_clock(self) -> str:
        amount = _typed_number("the time", request.form.get("amount", "").strip(), 1)
        unit = request.form.get("unit", "")
        if unit not in _UNITS or amount < 0:
            raise LeverError("Enter how many minutes, hours or days the clock moves forward.")
        done = self._actions.advance_clock(amount * _UNITS[unit])["done"]
        return f"The clock moved forward, for good; {done} {'thing' if done == 1 else 'things'} fell due."

    def _reset(self) -> str:
        self._actions.reset()
        return "Everything is forgotten: products, sessions, payments, events and levers."


def _minor_units(text: str, currency: str) -> int | None:
    """What a person typed, in minor units; nothing typed means all of it. Raises LeverError."""
    cleaned = text.strip().replace(",", "").lstrip("$€£¥ ")
    if not cleaned:
        return None
    whole, _, rest = cleaned.partition(".")
    places = exponent(currency)
    scale: int = 10**places
    if not whole.isascii() or not (whole + rest).isdigit() or len(whole) > _LONGEST_AMOUNT or len(rest) > places:
        raise LeverError(f"Enter an amount such as {decimal_amount(1999, currency)}.")
    return int(whole) * scale + int(rest.ljust(places, "0") or 0)


def _lever_form() -> Document:
    """A lever from form fields: numbers and lists are written as text there."""
    kind = request.form.get("kind", "")
    wanted: Document = {"kind": kind}
    for name, setting in (KINDS[kind].settings if kind in KINDS else {}).items():
        text = request.form.get(name, "").strip()
        if not text:
            continue
        if isinstance(setting.default, bool):
            wanted[name] = text == "true"
        elif isinstance(setting.default, list):
            wanted[name] = text.replace(",", " ").split()
        elif isinstance(setting.default, int | float):
            wanted[name] = _typed_number(name, text, setting.default)
        else:
            wanted[name] = text
    if count := request.form.get("count", "").strip():
        wanted["count"] = _typed_number("count", count, 1)
    return wanted


def _typed_number(name: str, text: str, example: float) -> float:
    try:
        return type(example)(text)
    except ValueError as error:
        raise LeverError(f"Enter a number for {name}.") from error
