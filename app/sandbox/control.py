"""The levers by JSON, for tests and scripts: `/_sandbox/…`. What does not fit is answered 400, {"error": sentence}."""

import re
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from app.sandbox.actions import Actions
from app.sandbox.checkout import METHODS, Outcome, SessionClosed, authenticate, pay
from app.sandbox.config import SandboxConfig
from app.sandbox.delivery import Deliverer
from app.sandbox.documents import Document
from app.sandbox.errors import CardDeclined, StripeError
from app.sandbox.levers import LeverError, list_levers
from app.sandbox.parameters import is_email
from app.sandbox.purchase import Attempt
from app.sandbox.store import Store

_PLACE = ("country", "postal_code", "state")
Answer = tuple[Response, int]


class Control:
    """The JSON side of the sandbox's hands."""

    def __init__(self, config: SandboxConfig, store: Store, deliverer: Deliverer, actions: Actions) -> None:
        self._config = config
        self._store = store
        self._deliverer = deliverer
        self._actions = actions

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("control", __name__, url_prefix="/_sandbox")
        add = blueprint.add_url_rule
        add("/levers", "list_levers", self._list_levers, methods=["GET"])
        add("/levers", "pull_lever", self._pull_lever, methods=["POST"])
        add("/levers", "remove_levers", self._remove_levers, methods=["DELETE"])
        add("/levers/<int:lever_id>", "remove_lever", self._remove_levers, methods=["DELETE"])
        add("/deliver", "deliver", self._deliver, methods=["POST"])
        add("/tick", "tick", self._tick, methods=["POST"])
        add("/clock", "read_clock", self._read_clock, methods=["GET"])
        add("/clock", "advance_clock", self._advance_clock, methods=["POST"])
        add("/clock", "restore_clock", self._restore_clock, methods=["DELETE"])
        add("/pay/<session_id>", "pay", self._pay, methods=["POST"])
        add("/settle/<identifier>", "settle", self._settle, methods=["POST"])
        add("/refund/<identifier>", "refund", self._refund, methods=["POST"])
        add("/dispute/<identifier>", "dispute", self._dispute, methods=["POST"])
        add("/disputes/<identifier>/close", "close_dispute", self._close_dispute, methods=["POST"])
        add("/disputes/<identifier>/escalate", "escalate", self._escalate, methods=["POST"])
        add("/resend/<event_id>", "resend", self._resend, methods=["POST"])
        add("/reset", "reset", self._reset, methods=["POST"])
        add("/deliveries", "deliveries", self._deliveries, methods=["GET"])
        blueprint.register_error_handler(StripeError, _stripe_error)
        blueprint.register_error_handler(LeverError, _lever_error)
        blueprint.register_error_handler(HTTPException, _http_error)
        return blueprint

    def _list_levers(self) -> Response:
        with self._store.read() as transaction:
            return jsonify(levers=[lever.document() for lever in list_levers(transaction)])

    def _pull_lever(self) -> Response:
        return jsonify(self._actions.pull_lever(_body()))

    def _remove_levers(self, lever_id: int | None = None) -> Response:
        return jsonify(removed=self._actions.remove_levers(lever_id))

    def _deliver(self) -> Response:
        outcomes = self._actions.deliver_now()
        delivered = sum(outcome.is_delivered for outcome in outcomes)
        return jsonify(sent=len(outcomes), delivered=delivered, failed=len(outcomes) - delivered)

    def _tick(self) -> Response:
        return jsonify(done=self._actions.tick(_number(_body(), "seconds", 0.0)))

    def _read_clock(self) -> Response:
        return jsonify(self._actions.read_clock())

    def _advance_clock(self) -> Response:
        body = _body()
        if "advance_seconds" not in body:
            raise LeverError('send {"advance_seconds": number}')
        return jsonify(self._actions.advance_clock(_number(body, "advance_seconds", 0.0)))

    def _restore_clock(self) -> Response:
        return jsonify(self._actions.restore_clock())

    def _pay(self, session_id: str) -> Answer:
        body = _body()
        attempt = _attempt(body)
        try:
            outcome = pay(self._store, self._config, session_id, attempt)
            if outcome.status == "requires_action" and body.get("three_d_secure") in ("complete", "fail"):
                outcome = authenticate(self._store, session_id, passed=body["three_d_secure"] == "complete")
        except LookupError:
            return jsonify(status="missing", error=f"No such session: {session_id}"), 404
        except SessionClosed as closed:
            status = "already_complete" if closed.session["status"] == "complete" else "expired"
            return jsonify(status=status, redirect_url=None), 409
        except CardDeclined as declined:
            return jsonify(status="declined", redirect_url=None, **declined.document()), 402
        return self._tell(outcome)

    def _tell(self, outcome: Outcome) -> Answer:
        if outcome.decline is not None:
            return jsonify(status="declined", redirect_url=None, **outcome.decline.document()), 402
        if outcome.completed_event is not None:
            self._deliverer.send_event(outcome.completed_event)
        return jsonify(
            status=outcome.status,
            payment_status=outcome.session["payment_status"],
            payment_intent=outcome.session["payment_intent"],
            redirect_url=outcome.redirect_url,
        ), 200

    def _settle(self, identifier: str) -> Response:
        return jsonify(self._actions.settle(identifier, str(_body().get("outcome", "succeeded"))))

    def _refund(self, identifier: str) -> Response:
        body = _body()
        amount = int(_number(body, "amount", 0.0)) or None
        return jsonify(self._actions.refund(identifier, amount, body.get("reason")))

    def _dispute(self, identifier: str) -> Response:
        body = _body()
        return jsonify(
            self._actions.dispute(
                identifier,
                reason=str(body.get("reason", "fraudulent")),
                is_inquiry=bool(body.get("inquiry", False)),
                amount=int(_number(body, "amount", 0.0)),
            )
        )

    def _close_dispute(self, identifier: str) -> Response:
        return jsonify(self._actions.close_dispute(identifier, str(_body().get("outcome", "lost"))))

    def _escalate(self, identifier: str) -> Response:
        return jsonify(self._actions.escalate(identifier))

    def _resend(self, event_id: str) -> Response:
        return jsonify(queued=self._actions.resend(event_id))

    def _reset(self) -> Response:
        self._actions.reset()
        return jsonify(reset=True)

    def _deliveries(self) -> Response:
        with self._store.read() as transaction:
            rows = transaction.rows("SELECT * FROM deliveries ORDER BY id")
        return jsonify(deliveries=[dict(row) for row in rows])


def _body() -> Document:
    """The JSON object that was sent; nothing sent is an empty one."""
    if not request.get_data():
        return {}
    body: Any = request.get_json(force=True)
    if not isinstance(body, dict):
        raise LeverError("send a JSON object")
    return body


def _number(body: Document, name: str, default: float) -> float:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10**13:
        raise LeverError(f"{name} must be a number of 0 or more")
    return float(value)


def _attempt(body: Document) -> Attempt:
    """{"card", "email", "method", "name", …}; what is left out is a buyer who does everything right."""
    known = {"card", "email", "method", "name", "expiry", "cvc", "phone", "tax_id", "address", "terms", "promotions"}
    unknown = set(body) - known - {"three_d_secure", *_PLACE}
    if unknown:
        raise LeverError(f"unknown: {', '.join(sorted(unknown))}")
    email, method = str(body.get("email") or "buyer@example.org"), str(body.get("method") or "card")
    if not is_email(email):
        raise LeverError("email is no address")
    if method not in METHODS:
        raise LeverError(f"method must be one of {', '.join(METHODS)}")
    return Attempt(
        email=email,
        method=method,
        number=str(body.get("card") or "4242424242424242"),
        expiry=str(body.get("expiry") or "12/40"),
        cvc=str(body.get("cvc") or "123"),
        name=str(body.get("name") or "Test Buyer"),
        phone=str(body.get("phone") or ""),
        tax_id=str(body.get("tax_id") or ""),
        address=_typed_address(body),
        accepts_terms=bool(body.get("terms", True)),
        wants_promotions=bool(body.get("promotions", False)),
    )


def _typed_address(body: Document) -> Document:
    """{"address": {…}}, or its fields country, postal_code and state beside the others. Raises LeverError."""
    address = {**(body.get("address") or {}), **{name: body[name] for name in _PLACE if name in body}}
    if not all(isinstance(value, str) for value in address.values()):
        raise LeverError("an address is made of texts")
    if "country" in address and not re.fullmatch("[A-Z]{2}", address["country"]):
        raise LeverError("country must be a code of two capital letters, such as DE")
    return address


def _stripe_error(error: StripeError) -> Answer:
    return jsonify(error.document()), error.status


def _lever_error(error: LeverError) -> Answer:
    return jsonify(error=str(error)), 400


def _http_error(error: HTTPException) -> Answer:
    return jsonify(error=error.description), error.code or 500
