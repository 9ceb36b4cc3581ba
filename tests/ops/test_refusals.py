"""Refused webhooks are counted cheaply, and told with the last event that was taken."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select

from app.db import db
from app.payments.models import WebhookRefusal
from app.payments.probe import WRONG_SECRET
from app.payments.refusals import RefusalCounter, find_refusals
from app.reports.webhook_health import judge_webhooks
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock

MOMENT = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
EVENT = {"id": "evt_1", "object": "event", "type": "charge.updated", "livemode": False, "data": {"object": {}}}


@pytest.fixture(autouse=True)
def new_process(shop: Shop) -> None:
    """As if the server had just started."""
    shop.app.extensions["webhook_refusals"] = RefusalCounter()


def send_wrong(shop: Shop, *, secret: str = "whsec_other", times: int = 1) -> None:
    for _ in range(times):
        assert shop.send(EVENT, secret=secret, timestamp=int(MOMENT.timestamp())) == 400


def list_rows() -> list[tuple[datetime, str, int]]:
    db.session.rollback()
    rows = db.session.scalars(select(WebhookRefusal).order_by(WebhookRefusal.hour_at, WebhookRefusal.reason))
    return [(row.hour_at, row.reason, row.count) for row in rows]


def test_a_thousandfold_of_refusals_costs_one_write_a_minute_and_none_is_lost(
    shop: Shop, moving_clock: MovableClock
) -> None:
    moving_clock.freeze(MOMENT)
    writes: list[str] = []
    event.listen(db.engine, "commit", lambda _connection: writes.append("commit"))

    send_wrong(shop, times=100)
    assert len(writes) == 1
    moving_clock.freeze(MOMENT + timedelta(minutes=1))
    send_wrong(shop)

    assert len(writes) == 2
    assert list_rows() == [(MOMENT.replace(minute=0), "signature", 101)]


def test_old_signatures_are_told_apart_and_those_without_any_are_not_counted(
    shop: Shop, moving_clock: MovableClock
) -> None:
    moving_clock.freeze(MOMENT)
    assert shop.client.post("/webhooks/stripe", data=b"{}").status_code == 400
    assert shop.send(EVENT, secret=WRONG_SECRET, timestamp=int(MOMENT.timestamp())) == 400
    assert list_rows() == []

    assert shop.send(EVENT, timestamp=int(MOMENT.timestamp()) - 400) == 400

    assert list_rows() == [(MOMENT.replace(minute=0), "timestamp", 1)]
    assert "clock" in judge_webhooks().fix


def test_refusals_count_since_the_last_event_that_was_taken(shop: Shop, moving_clock: MovableClock) -> None:
    moving_clock.freeze(MOMENT)
    send_wrong(shop)
    assert judge_webhooks().sentence == "The shop refused a webhook’s signature at least 1 time and never taken one."

    moving_clock.freeze(MOMENT + timedelta(seconds=90))
    assert shop.send(EVENT, timestamp=int(MOMENT.timestamp())) == 200

    assert find_refusals(since=MOMENT + timedelta(seconds=90)) is None
    moving_clock.freeze(MOMENT + timedelta(seconds=180))
    send_wrong(shop)
    health = judge_webhooks()
    assert (health.reason, health.level) == ("signature_refused", "fail")
    assert health.sentence == (
        "The shop refused a webhook’s signature at least 2 times since Nov 20, 10:31, when the last event was taken."
    )


def test_a_refusal_is_answered_while_the_database_is_away(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    @event.listens_for(db.engine, "before_cursor_execute")
    def refuse(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "webhook_refusals" in statement:
            raise db.engine.dialect.dbapi.OperationalError("disk full")

    try:
        assert shop.send(EVENT, secret="whsec_other") == 400
    finally:
        event.remove(db.engine, "before_cursor_execute", refuse)

    assert list_rows() == []
