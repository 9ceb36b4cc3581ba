"""The shop of the checkout's tests, and the same shop over a database that can be taken away from it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache

import pytest
from flask import Flask
from sqlalchemy import NullPool, create_engine

import app.checkout.events as events_module
import app.checkout.settle as settle_module
from app import create_app
from app.config import Settings
from app.db import db
from app.sandbox.server import ServerThread
from tests.checkout.conftest import Shop, shop
from tests.databases import make_database_url
from tests.faults.front import Front
from tests.journeys.people import Truth
from tests.running import RunningShop, find_free_port, wait_until
from tests.stripe_contract import list_violations

__all__ = ["shop"]

PARTS = ("sandbox", "web", "worker")

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


@pytest.fixture(scope="session")
def session_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """Sandbox, web and worker as processes of their own, on the suite's database, the web behind a front."""
    folder = tmp_path_factory.mktemp("faults")
    shop = RunningShop(folder, database_url=make_database_url(folder, "faults"), settings={"PROXY_COUNT": "1"})
    shop.server_ports["web"] = find_free_port()
    shop.prepare()
    try:
        shop.start(*PARTS)
        yield shop
    finally:
        shop.stop()
    assert list_violations(shop.traffic) == []


@pytest.fixture(scope="session")
def front(session_shop: RunningShop) -> Iterator[Front]:
    front = Front(session_shop.web_port, to=session_shop.server_ports["web"])
    yield front
    front.close()


@pytest.fixture(scope="session")
def database(session_shop: RunningShop) -> Iterator[Truth]:
    engine = create_engine(session_shop.database_url, poolclass=NullPool)
    yield Truth(engine)
    engine.dispose()


@pytest.fixture
def running_shop(session_shop: RunningShop, front: Front, database: Truth) -> Iterator[RunningShop]:
    """With nothing left to do; every part runs again afterwards."""
    wait_until(lambda: database.unfinished() == 0, 60)
    yield session_shop
    session_shop.control("/levers", method="DELETE")
    session_shop.start(*(name for name in PARTS if name not in session_shop.processes))


@contextmanager
def _entered(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def stand_still(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it once Stripe has done all it will do: from then on each of its objects is read once only."""

    def remember() -> None:
        readers = (
            (settle_module, "get_checkout_session"),
            (settle_module, "get_payment"),
            (events_module, "get_payment_metadata"),
        )
        for module, name in readers:
            monkeypatch.setattr(module, name, cache(getattr(module, name)))

    return remember
