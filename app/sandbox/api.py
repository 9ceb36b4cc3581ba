"""The `/v1` API: key, version, levers, idempotency, parameters, one operation, the answer, its record."""

import json
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hmac import compare_digest
from http import HTTPStatus

from flask import Blueprint, Response, request

from app.sandbox.config import SandboxConfig
from app.sandbox.documents import API_VERSION, Document, new_id
from app.sandbox.errors import (
    InvalidRequest,
    NotFound,
    ServerFault,
    StripeError,
    TooManyRequests,
    Unauthorized,
)
from app.sandbox.forms import decode_form
from app.sandbox.idempotency import KeysInUse, Stored, check_key, digest_of, find_stored, keep
from app.sandbox.levers import Lever, take_for_call
from app.sandbox.operations import Operation, Operations
from app.sandbox.rendering import render
from app.sandbox.store import Cause, Store, Transaction
from app.sandbox.traffic import Recorder

logger = logging.getLogger(__name__)
LARGEST_BODY = 1_000_000
_FAULT_TEXT = "An error occurred on our end. (Pulled by a lever of the offline sandbox.)"


@dataclass(frozen=True)
class Call:
    """One request to the API."""

    method: str
    path: str
    query: str
    body: str
    request_id: str
    idempotency_key: str | None

    @property
    def address(self) -> str:
        """The path with its query, as traffic is recorded."""
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(frozen=True)
class Answer:
    """What the API says to a call."""

    status: int
    body: Document
    is_replay: bool = False
    first_request_id: str | None = None


class ConnectionCut(Exception):
    """The answer is not to be sent."""


class Api:
    """Answers calls. Holds no state but which idempotency keys are being worked on."""

    def __init__(self, config: SandboxConfig, store: Store, recorder: Recorder) -> None:
        self._config = config
        self._store = store
        self._recorder = recorder
        self._operations = Operations(config)
        self._in_use = KeysInUse()

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("api", __name__)
        blueprint.add_url_rule(
            "/v1/<path:path>", "call", self._respond, methods=["GET", "POST", "DELETE", "PUT", "PATCH"]
        )
        return blueprint

    def _respond(self, path: str) -> Response:  # noqa: ARG002 (the route names it; request.path has all of it)
        call = Call(
            request.method,
            request.path,
            request.query_string.decode("ascii", "replace"),
            request.get_data()[: LARGEST_BODY + 1].decode("utf-8", "surrogateescape"),
            new_id("req")[:18],
            request.headers.get("Idempotency-Key") if request.method == "POST" else None,
        )
        levers = take_for_call(self._store, call.method, call.path)
        try:
            answer = self._answer(call, levers)
            return self._after(call, answer, levers)
        except ConnectionCut:
            return _cut_connection()

    def _answer(self, call: Call, levers: list[Lever]) -> Answer:
        try:
            self._authenticate()
            if call.idempotency_key is not None:
                check_key(call.idempotency_key)
            self._before(levers)
            with self._in_use.holding(call.idempotency_key):
                if (hang := _lever(levers, "api_hang", "before")) is not None:
                    time.sleep(float(hang.settings["seconds"]))
                return self._execute(call, levers)
        except StripeError as error:
            return Answer(error.status, error.document())

    def _authenticate(self) -> None:
        given = request.authorization
        key = "" if given is None else str((given.username if given.type == "basic" else given.token) or "")
        if not key:
            raise Unauthorized(
                "You did not provide an API key. You need to provide your API key in the Authorization header, using "
                "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
                "https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/."
            )
        expected = self._config.secret_key
        is_test = key.startswith(("sk_test_", "rk_test_")) and len(key) > len("sk_test_")
        fits = compare_digest(key.encode(), expected.encode()) if expected else is_test
        if not fits or key.startswith(("sk_live_", "rk_live_")):
            shown = key[:8] + "*" * max(0, min(20, len(key) - 12)) + key[-4:]
            raise Unauthorized(f"Invalid API Key provided: {shown}")
        version = request.headers.get("Stripe-Version", API_VERSION)
        if version != API_VERSION:
            raise InvalidRequest(
                f"Invalid Stripe API version: {version}. This offline sandbox only speaks {API_VERSION}."
            )

    def _before(self, levers: list[Lever]) -> None:
        """Faults that strike before the API looks at the request: cut connections and refusals at the door."""
        if _lever(levers, "api_close", "before") is not None:
            raise ConnectionCut
        error = _lever(levers, "api_error", "before")
        if error is not None and error.settings["status"] < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _fault(error)

    def _execute(self, call: Call, levers: list[Lever]) -> Answer:
        found = self._operations.find(call.method, call.path.rstrip("/"))
        if found is None:
            raise NotFound(
                f"Unrecognized request URL ({call.method}: {call.path}). Please see https://stripe.com/docs or we can "
                "help at https://support.stripe.com/."
            )
        operation, ids = found
        if len(call.body) > LARGEST_BODY:
            raise InvalidRequest("The request body is too large.")
        raw = decode_form(call.query) | decode_form(call.body)
        params = operation.parameters.read(raw)
        error = _lever(levers, "api_error", "before") or _lever(levers, "api_error", "after")
        if call.method == "GET":
            if error is not None:
                raise _fault(error)
            with self._store.read() as transaction:
                return Answer(200, _run(transaction, operation, ids, params))
        run = partial(_run, operation=operation, ids=ids, params=params)
        return self._change(call, digest_of(raw), run, error)

    def _change(self, call: Call, digest: str, run: Callable[[Transaction], Document], error: Lever | None) -> Answer:
        """Executes once for each key, and keeps the answer in the same transaction."""
        key = call.idempotency_key
        with self._store.write(Cause(call.request_id, key)) as transaction:
            if key is not None and (stored := find_stored(transaction, key, call.path, digest)) is not None:
                return Answer(stored.status, stored.body, is_replay=True, first_request_id=stored.request_id)
            is_kept = True
            try:
                with transaction.undone_on_error():
                    if error is not None and error.settings["when"] == "before":
                        raise _fault(error)
                    answer = Answer(200, run(transaction))
                if error is not None:
                    answer = Answer(error.settings["status"], _fault(error).document())
                    is_kept = bool(error.settings["stored"])
            except StripeError as refusal:
                answer = Answer(refusal.status, refusal.document())
                is_kept = refusal.stored or (
                    isinstance(refusal, ServerFault) and bool(error and error.settings["stored"])
                )
            if key is not None and is_kept:
                keep(transaction, key, call.path, digest, Stored(answer.status, answer.body, call.request_id))
            return answer

    def _after(self, call: Call, answer: Answer, levers: list[Lever]) -> Response:
        """Faults that strike when the work is done; then the record and the answer itself."""
        garbage = _lever(levers, "api_garbage", None)
        is_cut = _lever(levers, "api_close", "after") is not None
        told = None if garbage is not None or is_cut else answer.body
        self._recorder.record_call(call.method, call.address, call.body, answer.status, told)
        if (hang := _lever(levers, "api_hang", "after")) is not None:
            time.sleep(float(hang.settings["seconds"]))
        if is_cut:
            raise ConnectionCut
        text = json.dumps(answer.body, ensure_ascii=False) + "\n"
        kind, status = "application/json", answer.status
        if garbage is not None and garbage.settings["body"] == "html":
            text, kind, status = "<html><body><h1>502 Bad Gateway</h1></body></html>", "text/html", 502
        elif garbage is not None:
            text = text[: len(text) // 2]
        response = Response(text, status=status, content_type=kind)
        response.headers["Request-Id"] = call.request_id
        response.headers["Stripe-Version"] = API_VERSION
        response.headers["Cache-Control"] = "no-cache, no-store"
        if call.idempotency_key is not None:
            response.headers["Idempotency-Key"] = call.idempotency_key
        if answer.is_replay:
            response.headers["Idempotent-Replayed"] = "true"
            response.headers["Original-Request"] = str(answer.first_request_id)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            response.headers["Stripe-Rate-Limited-Reason"] = "global-rate"
        return response


def _run(transaction: Transaction, operation: Operation, ids: tuple[str, ...], params: Document) -> Document:
    document = operation.handler(transaction, params, *ids)
    return render(transaction, document, params.get("expand", []))


def _lever(levers: list[Lever], kind: str, when: str | None) -> Lever | None:
    for lever in levers:
        if lever.kind == kind and (when is None or lever.settings.get("when") == when):
            return lever
    return None


def _fault(lever: Lever) -> StripeError:
    status = int(lever.settings["status"])
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return TooManyRequests("Request rate limit exceeded. (Pulled by a lever.)", code="rate_limit")
    if status == HTTPStatus.UNAUTHORIZED:
        return Unauthorized("Invalid API Key provided: sk_test_****. (Pulled by a lever.)")
    error = (
        ServerFault(_FAULT_TEXT)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR
        else InvalidRequest("Refused by a lever of the offline sandbox.")
    )
    error.status = status
    return error


def _cut_connection() -> Response:
    """Closes the socket under the answer. Without a socket (in-process tests) the client gets an exception."""
    connection = request.environ.get("werkzeug.socket")
    if not isinstance(connection, socket.socket):
        raise ConnectionResetError("cut by a lever of the offline sandbox")
    connection.shutdown(socket.SHUT_RDWR)
    return Response(status=502)
