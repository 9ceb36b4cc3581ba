"""The same road on PostgreSQL: web, worker, queue and all, whichever database the rest of the suite runs on."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine

from tests.databases import start_postgresql
from tests.journeys.people import Person, Truth
from tests.running import RunningShop, wait_until
from tests.stripe_contract import list_violations

pytestmark = pytest.mark.journey

COURSE = "/courses/ai-lead-engine-accelerator"
PAID_LESSON = f"{COURSE}/lessons/draw-the-whole-path"
ONCE = {"payments": 1, "receipts": 1, "seats": 1, "grants": 1, "enrollments": 1, "orders_of_number": 1}


@pytest.fixture
def postgresql_url() -> str:
    """A database of its own."""
    server = start_postgresql()
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS journey WITH (FORCE)")
        connection.execute("CREATE DATABASE journey")
    return server.get_uri("journey").replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.fixture
def shop(postgresql_url: str, tmp_path: Path) -> Iterator[RunningShop]:
    shop = RunningShop(tmp_path, database_url=postgresql_url, settings={"PROXY_COUNT": "1"})
    shop.prepare()
    try:
        shop.start("sandbox", "web", "worker")
        yield shop
    finally:
        shop.stop()
    assert list_violations(shop.traffic) == []


def test_reader_buys_claims_survives_a_kill_and_gets_the_money_back(shop: RunningShop) -> None:
    engine = create_engine(shop.database_url)
    database, person = Truth(engine), Person(shop)
    session_id = person.begin(COURSE)
    assert person.begin(COURSE) == session_id
    shop.control("/levers", {"kind": "api_hang", "path": "/v1/payment_intents/*", "method": "GET", "seconds": 20})
    person.pay(session_id)
    wait_until(lambda: database.one("SELECT count(*) FROM stripe_events WHERE attempt_count > 0")[0] >= 1)

    shop.kill("worker")
    shop.control("/levers", method="DELETE")
    shop.start("worker")

    wait_until(lambda: database.order(session_id).state == "paid", 40)
    person.claim_seat()
    assert person.get(PAID_LESSON).status_code == 200
    wait_until(lambda: database.unfinished() == 0, 40)
    assert database.counts(session_id) == ONCE
    assert len(person.mails("Your receipt")) == 1

    payment = shop.stripe(f"/v1/checkout/sessions/{session_id}")["payment_intent"]
    shop.control(f"/refund/{payment}")
    wait_until(lambda: database.order(session_id).state == "refunded")
    assert person.get(PAID_LESSON).status_code == 303
    engine.dispose()
