"""The dashboard: what happened in the sandbox, and every lever as a form. Works without JavaScript."""

import itertools
import threading
from typing import Any

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for

from app.sandbox.actions import Actions
from app.sandbox.config import SandboxConfig
from app.sandbox.dashboard_forms import Deeds
from app.sandbox.dashboard_rows import (
    balance_sums,
    clock_words,
    event_row,
    invoice_row,
    movement_row,
    payment_row,
    session_row,
)
from app.sandbox.documents import Document
from app.sandbox.errors import StripeError
from app.sandbox.guard import add_page_headers
from app.sandbox.levers import KINDS, LeverError, list_levers
from app.sandbox.listing import list_page
from app.sandbox.resources.balance import retrieve_balance
from app.sandbox.resources.disputes import REASONS
from app.sandbox.store import Store, Transaction

PAGES = ("payments", "sessions", "balance", "invoices", "events", "levers")
_ROWS, _MOST_NOTICES = 50, 100


class Notices:
    """Sentences for the next page, told once. Lost on restart, which nobody minds."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[str, str]] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def leave(self, tone: str, sentence: str) -> str:
        with self._lock:
            number = str(next(self._numbers))
            self._told[number] = (tone, sentence)
            while len(self._told) > _MOST_NOTICES:
                self._told.pop(next(iter(self._told)))
            return number

    def take(self, number: str | None) -> tuple[str, str] | None:
        with self._lock:
            return self._told.pop(number, None) if number else None


class Dashboard:
    """A person's side of the sandbox."""

    def __init__(self, config: SandboxConfig, store: Store, actions: Actions) -> None:
        self._config = config
        self._store = store
        self._actions = actions
        self._deeds = Deeds(store, actions)
        self._notices = Notices()

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("dashboard", __name__)
        add = blueprint.add_url_rule
        add("/", "home", self._payments)
        add("/_sandbox", "payments", self._payments)
        add("/_sandbox/sessions", "sessions", self._sessions)
        add("/_sandbox/balance", "balance", self._balance)
        add("/_sandbox/invoices", "invoices", self._invoices)
        add("/_sandbox/events", "events", self._events)
        add("/_sandbox/events/<event_id>", "event", self._event)
        add("/_sandbox/levers-page", "levers", self._levers)
        add("/_sandbox/do/<action>", "do", self._do, methods=["POST"])
        return blueprint

    def _payments(self) -> Response:
        with self._store.read() as transaction:
            page = self._page(transaction, "payment_intent")
            rows = [payment_row(transaction, intent) for intent in page["data"]]
        return self._render("payments.html", rows=rows, page=page, reasons=REASONS)

    def _sessions(self) -> Response:
        with self._store.read() as transaction:
            page = self._page(transaction, "checkout.session")
            rows = [session_row(transaction, session) for session in page["data"]]
        return self._render("sessions.html", rows=rows, page=page)

    def _balance(self) -> Response:
        with self._store.read() as transaction:
            page = self._page(transaction, "balance_transaction")
            rows = [movement_row(transaction, movement) for movement in page["data"]]
            sums = balance_sums(retrieve_balance(transaction, {}))
        return self._render("balance.html", rows=rows, page=page, sums=sums)

    def _invoices(self) -> Response:
        with self._store.read() as transaction:
            page = self._page(transaction, "invoice")
            rows = [invoice_row(transaction, invoice) for invoice in page["data"]]
        return self._render("invoices.html", rows=rows, page=page)

    def _events(self) -> Response:
        with self._store.read() as transaction:
            page = self._page(transaction, "event")
            rows = [event_row(transaction, event) for event in page["data"]]
            waiting = transaction.row("SELECT COUNT(*) AS n FROM deliveries WHERE state IN ('pending', 'sending')")
        return self._render("events.html", rows=rows, page=page, waiting=waiting["n"] if waiting else 0)

    def _event(self, event_id: str) -> Response:
        with self._store.read() as transaction:
            event = transaction.find("event", event_id)
            if event is None:
                abort(404)
            row = event_row(transaction, event)
        return self._render("event.html", row=row, event=event)

    def _levers(self) -> Response:
        with self._store.read() as transaction:
            pulled = list_levers(transaction)
        return self._render("levers.html", pulled=pulled, kinds=KINDS)

    def _page(self, transaction: Transaction, kind: str) -> Document:
        params: Document = {"limit": _ROWS}
        after = request.args.get("after")
        if after and transaction.find(kind, after) is not None:
            params["starting_after"] = after
        return list_page(transaction, kind, request.path, params)

    def _render(self, template: str, **values: Any) -> Response:
        with self._store.read() as transaction:
            active = len(list_levers(transaction))
        page = render_template(
            template,
            shop_name=self._config.shop_name,
            notice=self._notices.take(request.args.get("notice")),
            active_levers=active,
            webhook_url=self._config.webhook_url,
            clock=clock_words(self._actions.read_clock()),
            **values,
        )
        return add_page_headers(make_response(page))

    def _do(self, action: str) -> Response:
        """One form of the dashboard; then back to where it stood, with a sentence about what happened."""
        done = self._deeds.named().get(action)
        if done is None:
            abort(404)
        try:
            tone, sentence = "ok", done()
        except (StripeError, LeverError) as error:
            tone, sentence = "bad", str(error)
        number = self._notices.leave(tone, sentence)
        page = request.form.get("page", "payments")
        known = page if page in PAGES else "payments"
        return add_page_headers(_response(redirect(url_for(f"dashboard.{known}", notice=number), 303)))


def _response(made: Any) -> Response:
    response: Response = made
    return response
