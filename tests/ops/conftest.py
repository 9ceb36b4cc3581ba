"""The operator's tools, used as an operator does: by command and by HTTP, with the sandbox as Stripe."""

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from flask import Flask
from sqlalchemy import delete, insert, select

from app.checkout.models import LedgerEntry, Order
from app.checkout.services import StartedCheckout
from app.config import SANDBOX_SECRET_KEY
from app.db import Base, db, transaction
from tests.checkout.conftest import Shop, shop

__all__ = ["shop"]


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
