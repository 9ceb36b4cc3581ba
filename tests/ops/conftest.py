"""The operator's tools, used as an operator does: by command and by HTTP, with the sandbox as Stripe."""

import json
import socket
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from flask import Flask
from sqlalchemy import delete, insert, select
from werkzeug.serving import WSGIRequestHandler, make_server

from app import create_app
from app.checkout.models import LedgerEntry, Order
from app.checkout.services import StartedCheckout
from app.config import SANDBOX_SECRET_KEY
from app.db import Base, db, transaction
from app.queue import run_sweeps
from tests.checkout.conftest import Shop, shop

__all__ = ["shop"]

Answer = Callable[[Any, Callable[..., Any]], list[bytes]]


@dataclass(frozen=True)
class Ran:
    """A command's exit code and what it printed."""

    code: int
    output: str

    @property
    def json(self) -> Any:
        return json.loads(self.output)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.02)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.05)


def run(app: Flask, *arguments: str) -> Ran:
    """Run flask stripe with these arguments."""
    result = app.test_cli_runner().invoke(args=["stripe", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    db.session.rollback()
    return Ran(code=result.exit_code, output=result.stdout)


def dump_database() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, as it is on disk."""
    db.session.rollback()
    with db.engine.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }


def take_rows(*models: type[Base]) -> dict[type[Base], list[dict[str, Any]]]:
    """Remove every row of these tables, the ones that others point at first; gives them, for put_rows()."""
    with transaction() as session:
        rows = {model: [dict(row) for row in session.execute(select(model.__table__)).mappings()] for model in models}
        for model in reversed(models):
            session.execute(delete(model))
    return rows


def put_rows(rows: dict[type[Base], list[dict[str, Any]]]) -> None:
    """Put back what take_rows() took."""
    with transaction() as session:
        for model, values in rows.items():
            session.execute(insert(model), values)


def payment_intent(shop: Shop, started: StartedCheckout) -> str:
    return str(shop.stripe(f"/v1/checkout/sessions/{started.stripe_checkout_session_id}")["payment_intent"])


def list_entries(order: Order) -> list[tuple[str, int]]:
    """(kind, amount) of an order's ledger, in the order they were written."""
    db.session.rollback()
    query = select(LedgerEntry).where(LedgerEntry.order_id == order.id).order_by(LedgerEntry.id)
    return [(entry.kind, entry.amount) for entry in db.session.scalars(query)]


def post_to_stripe(shop: Shop, path: str, **params: Any) -> Any:
    """One call to the sandbox's API, as another program on the account would make it."""
    key = b64encode(f"{SANDBOX_SECRET_KEY}:".encode()).decode()
    request = Request(shop.sandbox.url + path, urlencode(params).encode(), {"Authorization": f"Basic {key}"})
    with urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def sell_elsewhere(shop: Shop, metadata: dict[str, str], *, amount: int = 1500) -> str:
    """A session that this shop did not make, paid, with this metadata on it and on its payment; gives its id."""
    params: dict[str, Any] = {
        "mode": "payment",
        "success_url": "http://localhost/thanks",
        "line_items[0][price_data][currency]": "usd",
        "line_items[0][price_data][product_data][name]": "Something else",
        "line_items[0][price_data][unit_amount]": amount,
        "line_items[0][quantity]": 1,
    }
    for name, text in metadata.items():
        params[f"metadata[{name}]"] = text
        params[f"payment_intent_data[metadata][{name}]"] = text
    session_id = str(post_to_stripe(shop, "/v1/checkout/sessions", **params)["id"])
    status, answer = shop.control(f"/pay/{session_id}")
    assert status == 200, answer
    return session_id


@contextmanager
def serve(application: Any, listening: socket.socket, date: str | None = None) -> Iterator[None]:
    """An HTTP server for as long as the block lasts; date is what its answers say the time is."""
    host, port = listening.getsockname()[:2]

    class Handler(WSGIRequestHandler):
        def log_request(self, *_: Any) -> None:
            pass

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(timestamp) if date is None else date

    server = make_server(host, port, application, threaded=True, fd=listening.fileno(), request_handler=Handler)
    # Closing waits for the requests, so that no connection is left when the app's pool is thrown away.
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@contextmanager
def examined(
    shop: Shop, *, front: Answer | None = None, web: dict[str, Any] | None = None, **changes: Any
) -> Iterator[tuple[Flask, str]]:
    """An app for the command with changed settings, whose PUBLIC_URL is really served: gives it and the address.

    front answers instead of the shop; web are settings that only the web server has.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://localhost:{listening.getsockname()[1]}"
    settings = replace(shop.settings, public_url=url, **changes)
    command_app, web_app = create_app(settings), create_app(replace(settings, **(web or {})))
    try:
        with listening, serve(front or web_app, listening), command_app.app_context():
            yield command_app, url
    finally:
        for each in (command_app, web_app):
            with each.app_context():
                db.session.remove()
                db.engine.dispose()


def doctor(app: Flask, *arguments: str, wait: float = 0) -> Ran:
    return run(app, "doctor", f"--wait={wait}", *arguments)


def checks(ran: Ran) -> dict[str, list[tuple[str, str]]]:
    """Level and text by the check's name."""
    found: dict[str, list[tuple[str, str]]] = {}
    for check in ran.json["checks"]:
        found.setdefault(check["name"], []).append((check["level"], check["what"]))
    return found


def said(ran: Ran, name: str) -> list[tuple[str, str, str]]:
    """Level, text and fix of each line with this name."""
    return [(each["level"], each["what"], each["fix"]) for each in ran.json["checks"] if each["name"] == name]


def levels(ran: Ran, name: str) -> list[str]:
    return [level for level, _ in checks(ran).get(name, [])]


def add_endpoint(shop: Shop, url: str, events: list[str], **params: str) -> str:
    named = {f"enabled_events[{index}]": name for index, name in enumerate(events)}
    return str(post_to_stripe(shop, "/v1/webhook_endpoints", url=f"{url}/webhooks/stripe", **named, **params)["id"])


def list_endpoints(shop: Shop) -> list[dict[str, Any]]:
    return list(shop.stripe("/v1/webhook_endpoints?limit=100")["data"])


@contextmanager
def worker(app: Flask) -> Iterator[None]:
    """A worker beside the command."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            with app.app_context():
                run_sweeps()
            stop.wait(0.05)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
