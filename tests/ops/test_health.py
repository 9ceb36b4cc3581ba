"""The alarm, /metrics, /readyz and flask stripe findings (faults F22, F15)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select, update
from structlog.testing import capture_logs

import app.payments.overdue as overdue_module
from app import clock
from app.checkout.findings import close_finding, list_open_findings, record_finding
from app.db import db, transaction
from app.mail.models import Message
from app.payments.models import StripeEvent
from app.queue import run_sweeps
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import make_course, make_user
from tests.ops.conftest import run

TOKEN = "metrics-token-of-the-tests"
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
POISON = {
    "id": "evt_poison",
    "object": "event",
    "type": "checkout.session.completed",
    "livemode": False,
    "data": {"object": {"id": "cs_1", "metadata": {}}},
}


@pytest.fixture(autouse=True)
def silent_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has just begun."""
    monkeypatch.setattr(overdue_module, "_alarm", overdue_module._Alarm())


@pytest.fixture
def guarded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setitem(shop.app.config, "SETTINGS", replace(shop.settings, metrics_token=TOKEN))
    return shop


def ask(shop: Shop, path: str, token: str = TOKEN) -> Any:
    return shop.client.get(path, headers={"Authorization": f"Bearer {token}"})


def read_gauges(shop: Shop) -> dict[str, float]:
    response = ask(shop, "/metrics")
    assert response.status_code == 200
    return {
        sample.name.removeprefix("tuition_"): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
        # What the process counted has tests of its own (test_metrics.py).
        if family.type == "gauge"
    }


def alarms(logs: list[Any]) -> list[Any]:
    return [each for each in logs if each["event"] == "events_overdue"]


def test_event_unhandled_for_five_minutes_sounds_the_alarm_at_most_once_a_minute(
    shop: Shop, moving_clock: MovableClock
) -> None:
    shop.send(POISON)
    with transaction() as session:
        # No worker takes it.
        session.execute(update(StripeEvent).values(next_attempt_at=clock.now() + timedelta(days=1)))
    with capture_logs() as logs:
        moving_clock.advance(minutes=4, seconds=50)
        run_sweeps()
        assert alarms(logs) == []
        moving_clock.advance(seconds=20)
        for _ in range(5):
            run_sweeps()
        assert [(each["log_level"], each["count"]) for each in alarms(logs)] == [("error", 1)]
        assert 300 <= alarms(logs)[0]["oldest_seconds"] <= 320
        moving_clock.advance(seconds=55)
        run_sweeps()
        assert len(alarms(logs)) == 1
        moving_clock.advance(seconds=10)
        run_sweeps()
        assert len(alarms(logs)) == 2


def test_alarm_sounds_without_a_worker_when_somebody_asks_how_we_are(shop: Shop, moving_clock: MovableClock) -> None:
    shop.send(POISON)
    moving_clock.advance(minutes=6)

    with capture_logs() as logs:
        for _ in range(3):
            assert shop.client.get("/readyz").status_code == 200

    assert len(alarms(logs)) == 1


def test_alarm_ends_with_the_event(shop: Shop, moving_clock: MovableClock) -> None:
    shop.send({**POISON, "type": "customer.created"})
    moving_clock.advance(minutes=6)

    with capture_logs() as logs:
        shop.work()
        moving_clock.advance(minutes=2)
        shop.client.get("/readyz")

    assert len(alarms(logs)) <= 1
    assert db.session.get_one(StripeEvent, "evt_poison", populate_existing=True).state == "ignored"
    with capture_logs() as later:
        moving_clock.advance(minutes=2)
        shop.client.get("/readyz")
    assert alarms(later) == []


def test_clock_set_back_does_not_silence_the_alarm(shop: Shop, moving_clock: MovableClock) -> None:
    moving_clock.freeze(START)
    shop.send(POISON, timestamp=int(START.timestamp()))
    moving_clock.freeze(START + timedelta(hours=2))
    with capture_logs() as logs:
        shop.client.get("/readyz")
        moving_clock.freeze(START + timedelta(hours=1))
        shop.client.get("/readyz")
    assert len(alarms(logs)) == 2


def test_without_the_setting_there_are_no_metrics(shop: Shop) -> None:
    assert ask(shop, "/metrics").status_code == 404


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"])
def test_metrics_need_the_token(guarded: Shop, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode().decode("latin-1")}

    response = guarded.client.get("/metrics", headers=headers)

    assert response.status_code == 401
    assert "tuition_" not in response.text


def test_gauges_are_read_from_the_database_when_they_are_asked_for(guarded: Shop, moving_clock: MovableClock) -> None:
    # Frozen, so that ages are exact.
    moving_clock.freeze(START)
    assert set(read_gauges(guarded).values()) == {0.0, -1.0}
    guarded.send(POISON, timestamp=int(START.timestamp()))
    record_finding(key="x", order_id=None, kind="unknown_order", detail="Something is wrong.")
    moving_clock.freeze(START + timedelta(minutes=7))
    guarded.send({**POISON, "id": "evt_2"}, timestamp=int(clock.now().timestamp()))

    gauges = read_gauges(guarded)

    assert gauges == {
        "events_unhandled": 2,
        "events_overdue": 1,
        "events_oldest_age_seconds": 420,
        "events_failed": 0,
        "mails_due": 0,
        "mails_failed": 0,
        "findings_open": 1,
        "orders_open": 0,
        "queue_lag_seconds": 420,
        "reconciled_age_seconds": -1,
    }


def test_gauges_count_mails_orders_and_the_last_scan(guarded: Shop, moving_clock: MovableClock) -> None:
    guarded.buy(make_course(), user=make_user())
    guarded.begin(make_course(), browser="b2")
    run(guarded.app, "reconcile")
    with transaction() as session:
        session.execute(update(Message).values(failed_at=clock.now(), sent_at=None))
        session.execute(update(StripeEvent).values(state="failed"))
    stored = len(db.session.scalars(select(StripeEvent)).all())

    gauges = read_gauges(guarded)

    assert gauges["orders_open"] == 1
    assert gauges["mails_failed"] == 1
    assert gauges["events_failed"] == stored > 0
    assert 0 <= gauges["reconciled_age_seconds"] < 60


def test_readyz_is_terse_in_public_and_detailed_with_the_token(guarded: Shop, moving_clock: MovableClock) -> None:
    assert guarded.client.get("/readyz").text == "ok\n"
    assert ask(guarded, "/readyz", "wrong").text == "ok\n"
    assert ask(guarded, "/readyz").json["status"] == "ok"
    guarded.send(POISON)
    moving_clock.advance(minutes=6)

    detail = ask(guarded, "/readyz").json

    assert (detail["status"], detail["events_overdue"], detail["events_unhandled"]) == ("attention", 1, 1)
    assert 360 <= detail["events_oldest_age_seconds"] < 420
    assert guarded.client.get("/readyz").text == "ok\n"


def test_findings_are_listed_and_taken_off_with_a_reason(shop: Shop) -> None:
    record_finding(key="code_over_limit:ord_1", order_id=None, kind="code_over_limit", detail="One use too many.")

    listed = run(shop.app, "findings", "--json")
    assert [row["key"] for row in listed.json["findings"]] == ["code_over_limit:ord_1"]
    assert "One use too many." in run(shop.app, "findings").output
    assert run(shop.app, "reconcile").code == 1
    ran = run(shop.app, "findings", "--resolve", "code_over_limit:ord_1", "--because", "Agreed with the buyer.")

    assert (ran.code, ran.output.splitlines()[-1]) == (0, "0 things need a person.")
    assert run(shop.app, "reconcile").code == 0
    assert run(shop.app, "findings", "--resolve", "code_over_limit:ord_1", "--because", "Again.").code == 1
    assert run(shop.app, "findings", "--resolve", "nothing", "--because", "Why?").code == 1
    assert run(shop.app, "findings", "--resolve", "code_over_limit:ord_1").code == 2


def test_what_goes_wrong_again_is_on_the_list_again(shop: Shop) -> None:
    record_finding(key="x", order_id=None, kind="unknown_order", detail="First.")
    record_finding(key="x", order_id=None, kind="unknown_order", detail="Still.")
    assert [finding.detail for finding in list_open_findings()] == ["First."]
    assert close_finding(key="x", resolution="Healed.") is True
    assert close_finding(key="x", resolution="Healed.") is False
    assert list_open_findings() == []

    record_finding(key="x", order_id=None, kind="unknown_order", detail="Again.")

    assert [(finding.detail, finding.resolution) for finding in list_open_findings()] == [("Again.", None)]
