"""One shop for all journeys: sandbox, web and worker as processes, each test with people of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from tests.databases import make_database_url
from tests.journeys.people import Person, Truth
from tests.running import RunningShop, wait_until
from tests.stripe_contract import list_violations

PARTS = ("sandbox", "web", "worker")


@pytest.fixture(scope="session")
def running_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """Stripe's contract is held against everything that was said, once all journeys are over."""
    folder: Path = tmp_path_factory.mktemp("journeys")
    shop = RunningShop(
        folder,
        database_url=make_database_url(folder, "journeys"),
        # People come through a proxy, so that each has an address, and limits, of their own.
        settings={"PROXY_COUNT": "1"},
    )
    shop.prepare()
    try:
        shop.start(*PARTS)
        yield shop
    finally:
        shop.stop()
    assert shop.traffic.stat().st_size > 0
    assert list_violations(shop.traffic) == []


@pytest.fixture(scope="session")
def database(running_shop: RunningShop) -> Iterator[Truth]:
    engine = create_engine(running_shop.database_url)
    yield Truth(engine)
    engine.dispose()


@pytest.fixture
def shop(running_shop: RunningShop, database: Truth) -> Iterator[RunningShop]:
    """The shop with nothing left to do and no lever pulled; every part runs again afterwards."""
    wait_until(lambda: database.unfinished() == 0, 30)
    yield running_shop
    running_shop.start(*(name for name in PARTS if name not in running_shop.processes))
    remove_levers(running_shop)
    running_shop.control("/levers", {"kind": "webhook_release"})


@pytest.fixture
def make_person(shop: RunningShop) -> Callable[[], Person]:
    return lambda: Person(shop)


@pytest.fixture
def person(make_person: Callable[[], Person]) -> Person:
    return make_person()


@pytest.fixture
def pull(shop: RunningShop) -> Callable[..., None]:
    def pull_lever(kind: str, **settings: Any) -> None:
        status, answer = shop.control("/levers", {"kind": kind, **settings})
        assert status == 200, answer

    return pull_lever


def remove_levers(shop: RunningShop) -> None:
    status, _ = shop.control("/levers", method="DELETE")
    assert status == 200
