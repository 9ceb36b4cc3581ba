"""The hosted Checkout page: `/c/pay/<session id>` and its 3-D Secure page. Works without JavaScript."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request

from app.sandbox.cards import CARDS
from app.sandbox.checkout import METHODS, Outcome, SessionClosed, authenticate, pay, show_total, success_url
from app.sandbox.config import SandboxConfig
from app.sandbox.countries import NAMES, needs_postal_code
from app.sandbox.delivery import Deliverer
from app.sandbox.documents import Document
from app.sandbox.errors import CardDeclined
from app.sandbox.guard import add_page_headers, origin_of
from app.sandbox.money import format_amount
from app.sandbox.parameters import is_email
from app.sandbox.purchase import Attempt
from app.sandbox.store import Store
from app.sandbox.taxes import clean_tax_id, is_tax_id

_VERBS = {"donate": "Donate", "book": "Book for", "pay": "Pay", "auto": "Pay", "subscribe": "Subscribe for"}
# Which field a problem with a card belongs to.
_FIELDS = {
    "incorrect_number": "number",
    "invalid_expiry_month": "expiry",
    "invalid_expiry_year": "expiry",
    "expired_card": "expiry",
    "invalid_cvc": "cvc",
    "incorrect_cvc": "cvc",
}
_LONGEST_FIELD = 500


class HostedPage:
    """What buyers see of the sandbox."""

    def __init__(self, config: SandboxConfig, store: Store, deliverer: Deliverer) -> None:
        self._config = config
        self._store = store
        self._deliverer = deliverer

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("hosted", __name__)
        add = blueprint.add_url_rule
        add("/c/pay/<session_id>", "show", self._show, methods=["GET"])
        add("/c/pay/<session_id>", "submit", self._submit, methods=["POST"])
        add("/c/pay/<session_id>/authenticate", "challenge", self._challenge, methods=["GET"])
        add("/c/pay/<session_id>/authenticate", "answer_challenge", self._answer_challenge, methods=["POST"])
        return blueprint

    def _find(self, session_id: str) -> tuple[Document, Document] | None:
        with self._store.read() as transaction:
            session = transaction.find("checkout.session", session_id)
            return None if session is None else (session, transaction.private(session_id))

    def _show(self, session_id: str) -> Response:
        found = self._find(session_id)
        if found is None:
            return self._missing()
        session, private = found
        if session["status"] != "open":
            return self._closed(session)
        return self._form(session, private, Attempt(), {})

    def _submit(self, session_id: str) -> Response:
        found = self._find(session_id)
        if found is None:
            return self._missing()
        session, private = found
        attempt = _read_form()
        fill = request.form.get("fill")
        if session["status"] == "open" and fill == "total":
            return self._show_total(session, private, attempt)
        if session["status"] == "open" and fill:
            return self._form(session, private, _filled(attempt, fill), {})
        problems = _check_form(session, attempt) if session["status"] == "open" else {}
        if problems:
            return self._form(session, private, attempt, problems, status=422)
        if session["automatic_tax"]["enabled"]:
            return self._pay_with_tax(session, private, attempt)
        return self._pay(session, private, attempt)

    def _show_total(self, session: Document, private: Document, attempt: Attempt) -> Response:
        problems = _check_place(session, attempt)
        if problems:
            return self._form(session, private, attempt, problems, status=422)
        try:
            return self._form(show_total(self._store, session["id"], attempt), private, attempt, {})
        except SessionClosed as closed:
            return self._closed(closed.session)

    def _pay_with_tax(self, session: Document, private: Document, attempt: Attempt) -> Response:
        """Nobody is charged a total that the page did not show: a new address first shows what it comes to."""
        try:
            priced = show_total(self._store, session["id"], attempt)
        except SessionClosed as closed:
            return self._closed(closed.session)
        now_due = str(priced["amount_total"])
        if request.form.get("quoted", now_due) != now_due:
            return self._form(priced, private, attempt, {}, is_repriced=True)
        return self._pay(priced, private, attempt)

    def _pay(self, session: Document, private: Document, attempt: Attempt) -> Response:
        try:
            outcome = pay(self._store, self._config, session["id"], attempt)
        except SessionClosed as closed:
            return self._closed(closed.session)
        except CardDeclined as declined:
            return self._form(session, private, attempt, _problem_of(declined), status=402)
        if outcome.decline is not None:
            return self._form(outcome.session, private, attempt, _problem_of(outcome.decline), status=402)
        return self._leave(outcome)

    def _challenge(self, session_id: str) -> Response:
        found = self._find(session_id)
        if found is None:
            return self._missing()
        session, private = found
        if session["status"] != "open":
            return self._closed(session)
        if "waiting" not in private:
            return _page_response(redirect(f"/c/pay/{session_id}", 303))
        return self._render("authenticate.html", session, total=_money(session, "amount_total"))

    def _answer_challenge(self, session_id: str) -> Response:
        found = self._find(session_id)
        if found is None:
            return self._missing()
        _session, private = found
        waiting = private.get("waiting")
        try:
            outcome = authenticate(self._store, session_id, passed=request.form.get("verdict") == "complete")
        except SessionClosed as closed:
            return self._closed(closed.session)
        except LookupError:
            return _page_response(redirect(f"/c/pay/{session_id}", 303))
        if outcome.decline is not None:
            attempt = Attempt(**waiting["attempt"]) if waiting else Attempt()
            return self._form(outcome.session, private, attempt, _problem_of(outcome.decline), status=402)
        return self._leave(outcome)

    def _leave(self, outcome: Outcome) -> Response:
        """To the bank's page, or back to the shop once its webhook has answered (or ten seconds have passed)."""
        if outcome.completed_event is not None:
            self._deliverer.send_event(outcome.completed_event)
        target = str(outcome.redirect_url)
        if outcome.status == "requires_action":
            target = urlsplit(target).path  # stay on the host that the buyer came by
        return _page_response(redirect(target, 303), outcome.session)

    def _form(
        self,
        session: Document,
        private: Document,
        attempt: Attempt,
        problems: dict[str, str],
        *,
        status: int = 200,
        is_repriced: bool = False,
    ) -> Response:
        details = session["customer_details"] or {}
        return self._render(
            "pay.html",
            session,
            status=status,
            items=[_shown_item(item) for item in private["line_items"]],
            subtotal=_money(session, "amount_subtotal"),
            discount=format_amount(-session["total_details"]["amount_discount"], session["currency"]),
            tax=_tax_words(session),
            total=_money(session, "amount_total"),
            is_repriced=is_repriced,
            countries=sorted(NAMES.items(), key=lambda each: each[1]),
            asks_country=_asks_country(session),
            known_email=details.get("email"),
            # The number never goes back into a page after a failure; a clicked test card does.
            typed=attempt if not problems else replace(attempt, number="", cvc=""),
            problems=problems,
            cards=CARDS,
            button=_button(session),
        )

    def _closed(self, session: Document) -> Response:
        is_paid = session["status"] == "complete"
        back = success_url(session) if is_paid else session["cancel_url"]
        status = 200 if is_paid else 410
        return self._render("closed.html", session, status=status, is_paid=is_paid, back=back)

    def _missing(self) -> Response:
        page = render_template("missing.html", shop_name=self._config.shop_name)
        return _page_response(make_response(page, 404))

    def _render(self, template: str, session: Document, status: int = 200, **values: Any) -> Response:
        language = session["locale"] if session["locale"] not in (None, "auto") else "en"
        page = render_template(
            template, session=session, shop_name=self._config.shop_name, asked_language=language, **values
        )
        return _page_response(make_response(page, status), session)


def _page_response(response: Any, session: Document | None = None) -> Response:
    made: Response = response
    return add_page_headers(made, form_targets=origin_of(session["success_url"]) if session else "")


def _read_form() -> Attempt:
    form = request.form

    def text(name: str) -> str:
        return form.get(name, "").strip()[:_LONGEST_FIELD]

    return Attempt(
        email=text("email"),
        method=text("method") or "card",
        number=text("number"),
        expiry=text("expiry"),
        cvc=text("cvc"),
        name=text("name"),
        phone=text("phone"),
        tax_id=text("tax_id"),
        address={name: text(name) for name in ("country", "postal_code", "state", "line1", "city") if text(name)},
        accepts_terms=form.get("terms") == "yes",
        wants_promotions=form.get("promotions") == "yes",
    )


def _check_form(session: Document, attempt: Attempt) -> dict[str, str]:
    """Sentences by field, in the order of the page."""
    problems = {}
    if not (session["customer_details"] or {}).get("email") and not is_email(attempt.email):
        problems["email"] = "Enter an email address such as name@example.org"
    if session["amount_total"] > 0:
        problems |= _check_payment(session, attempt)
    problems |= _check_place(session, attempt)
    if (session["consent_collection"] or {}).get("terms_of_service") == "required" and not attempt.accepts_terms:
        problems["terms"] = "Tick the box to accept the terms"
    return problems


def _asks_country(session: Document) -> bool:
    return bool(session["automatic_tax"]["enabled"]) or session["billing_address_collection"] == "required"


def _check_place(session: Document, attempt: Attempt) -> dict[str, str]:
    """Where the buyer is, and the business's number there: what tax and an address need."""
    problems = {}
    country = attempt.address.get("country", "")
    if _asks_country(session) and country not in NAMES:
        problems["country"] = "Choose your country"
    is_required = session["billing_address_collection"] == "required" or needs_postal_code(country)
    if _asks_country(session) and is_required and not attempt.address.get("postal_code"):
        problems["postal_code"] = "Enter the postal code"
    if session["tax_id_collection"]["enabled"]:
        is_missing = session["tax_id_collection"]["required"] == "if_supported" and not attempt.tax_id
        is_wrong = attempt.tax_id and not is_tax_id(clean_tax_id(attempt.tax_id), country)
        if is_missing or is_wrong:
            problems["tax_id"] = "Enter the tax ID of your business, such as DE123456789"
    return problems


def _tax_words(session: Document) -> str | None:
    """The line about tax among the sums; None where none is computed."""
    if not session["automatic_tax"]["enabled"]:
        return None
    if session["automatic_tax"]["status"] != "complete":
        return "Depends on your country"
    sums = session["total_details"]
    tax = format_amount(sums["amount_tax"], session["currency"])
    is_inside = session["amount_total"] == session["amount_subtotal"] - sums["amount_discount"]
    return f"{tax} included" if is_inside and sums["amount_tax"] else tax


def _check_payment(session: Document, attempt: Attempt) -> dict[str, str]:
    offered = session["payment_method_types"]
    is_offered = "card" in offered if attempt.method == "card" else bool(set(offered) - {"card"})
    if attempt.method not in METHODS or not is_offered:
        return {"method": "Choose how to pay"}
    asked = {
        "number": "Enter the card number",
        "expiry": "Enter the month and year on the card, such as 12 / 34",
        "cvc": "Enter the three digits on the back of the card",
        "name": "Enter the name on the card or account",
    }
    needed = asked if attempt.method == "card" else {"name": asked["name"]}
    return {name: sentence for name, sentence in needed.items() if not getattr(attempt, name)}


def _filled(attempt: Attempt, fill: str) -> Attempt:
    """What a click on a test card or method puts into the form."""
    name = attempt.name or "Test Buyer"
    if fill in ("bank_debit", "bank_debit_fails"):
        return replace(attempt, method=fill, name=name)
    known = next((card for card in CARDS if card.number == fill), CARDS[0])
    return replace(attempt, method="card", number=known.shown, expiry="12 / 34", cvc="123", name=name)


def _problem_of(declined: CardDeclined) -> dict[str, str]:
    return {_FIELDS.get(str(declined.code), "payment"): declined.message}


def _money(session: Document, field: str) -> str:
    return format_amount(session[field], session["currency"])


def _shown_item(item: Document) -> Document:
    return {
        "name": item["description"],
        "about": item.get("_about"),
        "quantity": item["quantity"],
        "each": format_amount(item["price"]["unit_amount"], item["currency"]),
        "amount": format_amount(item["amount_subtotal"], item["currency"]),
    }


def _button(session: Document) -> str:
    if session["amount_total"] == 0:
        return "Complete order"
    return f"{_VERBS.get(session['submit_type'] or 'pay', 'Pay')} {_money(session, 'amount_total')}"
