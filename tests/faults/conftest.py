"""The shop of the checkout's tests, and the same shop over a database that can be taken away from it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
from flask import Flask

from app import create_app
from app.config import Settings
from app.db import db
from app.sandbox.server import ServerThread
from tests.checkout.conftest import Shop, shop

__all__ = ["shop"]

OpenShop = Callable[[str], Shop]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.02)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.05)


@pytest.fixture
def open_shop(shop: Shop, settings: Settings, sandbox_server: ServerThread) -> Iterator[OpenShop]:
    """A shop over another database address; everything after it happens in that shop's application."""
    with ExitStack() as stack:

        def open_at(database_url: str) -> Shop:
            app = create_app(replace(settings, database_url=database_url))
            stack.enter_context(_entered(app))
            return Shop(app=app, settings=settings, client=app.test_client(), sandbox=sandbox_server)

        yield open_at


@contextmanager
def _entered(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield
        db.session.remove()
        db.engine.dispose()
