"""The sandbox's clock: moved forward it stays there, and everything that waits for a time goes by it."""

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.request import urlopen

import pytest
import stripe

from tests.sandbox.conftest import SECRET, Driver, Listener, MakeDriver

DAY = 86_400


def _advance(driver: Driver, seconds: float) -> int:
    status, answer = driver.control("/clock", {"advance_seconds": seconds})
    assert status == 200, answer
    return int(answer["done"])


def test_a_moved_clock_stays_moved_after_a_restart_and_a_reset(make_driver: MakeDriver) -> None:
    first = make_driver()
    before = time.time()

    _advance(first, 3 * DAY)
    first.control("/reset")
    second = make_driver()

    clock = second.control("/clock", method="GET")[1]
    assert clock["ahead_seconds"] == 3 * DAY
    assert 0 <= clock["now"] - int(before) - 3 * DAY < 60
    assert clock["utc"] == datetime.fromtimestamp(clock["now"], UTC).isoformat()
    assert second.stripe.v1.customers.create({"email": "a@example.org"}).created >= int(before) + 3 * DAY


def test_the_clock_moves_forward_twice_and_can_be_set_right_again(driver: Driver) -> None:
    _advance(driver, 100)
    _advance(driver, 50.5)

    moved = driver.control("/clock", method="GET")[1]["ahead_seconds"]
    restored = driver.control("/clock", method="DELETE")[1]

    assert (moved, restored["ahead_seconds"]) == (150, 0)
    assert abs(restored["now"] - time.time()) < 5


@pytest.mark.parametrize(
    "body",
    [{}, {"advance_seconds": -1}, {"advance_seconds": "1"}, {"advance_seconds": True}, {"advance_seconds": 1e10}],
)
def test_a_clock_goes_no_other_way(driver: Driver, body: dict[str, object]) -> None:
    status, answer = driver.control("/clock", body)

    assert (status, list(answer)) == (400, ["error"])
    assert driver.control("/clock", method="GET")[1]["ahead_seconds"] == 0


def test_what_falls_due_happens_at_its_own_time(driver: Driver) -> None:
    session = driver.session(expires_at=int(time.time()) + 3600)

    assert _advance(driver, 5 * DAY) == 1

    event = driver.stripe.v1.events.list({"type": "checkout.session.expired"}).data[0]
    assert event.created == session.expires_at
    assert driver.control(f"/pay/{session.id}")[0] == 409


@pytest.mark.parametrize(
    ("method", "event_type"),
    [
        ("bank_debit", "checkout.session.async_payment_succeeded"),
        ("bank_debit_fails", "checkout.session.async_payment_failed"),
    ],
)
def test_a_delayed_method_ends_days_later(make_driver: MakeDriver, method: str, event_type: str) -> None:
    driver = make_driver(async_seconds=4 * DAY)
    session = driver.session()
    driver.pay(session.id, method=method)

    early = _advance(driver, 3 * DAY)
    late = _advance(driver, DAY)

    assert (early, late) == (0, 1)
    assert len(driver.stripe.v1.events.list({"type": event_type}).data) == 1


def test_expiry_of_a_new_session_is_measured_by_the_moved_clock(driver: Driver) -> None:
    _advance(driver, 30 * DAY)

    session = driver.session(expires_at=int(time.time()) + 30 * DAY + 3600)

    assert session.expires_at - session.created in range(3595, 3601)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        driver.session(expires_at=int(time.time()) + 3600)
    assert refused.value.param == "expires_at"


def test_an_idempotency_key_lives_for_a_day(driver: Driver) -> None:
    def create() -> str:
        return driver.stripe.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "k1"}).id

    first = create()
    _advance(driver, DAY - 60)
    within = create()
    _advance(driver, 120)
    after = create()

    assert (first == within, first == after) == (True, False)
    with driver.server.sandbox.store.read() as transaction:
        kept = transaction.rows("SELECT key, created FROM idempotency_keys")
    assert [row["key"] for row in kept] == ["k1"]
    assert kept[0]["created"] > time.time() + DAY - 60


def test_old_keys_are_pruned_when_a_new_one_is_kept(driver: Driver) -> None:
    driver.stripe.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "old"})
    _advance(driver, DAY)

    driver.stripe.v1.customers.create({"email": "b@example.org"}, {"idempotency_key": "new"})

    with driver.server.sandbox.store.read() as transaction:
        assert [row["key"] for row in transaction.rows("SELECT key FROM idempotency_keys")] == ["new"]


def test_a_webhook_is_tried_again_when_its_pause_is_over_by_the_clock(
    make_driver: MakeDriver, listener: Listener
) -> None:
    driver = make_driver(retry_base_seconds=3600.0)
    listener.statuses = [500]
    driver.stripe.v1.customers.create({"email": "a@example.org"})
    driver.control("/deliver")
    deliverer = driver.server.sandbox.deliverer

    too_early = deliverer.send_next()
    _advance(driver, 3601)
    again = deliverer.send_next()

    assert too_early is None
    assert again is not None
    assert again.is_delivered
    assert len(listener.received) == 2


def test_signatures_go_by_the_real_clock(driver: Driver, listener: Listener) -> None:
    _advance(driver, 90 * DAY)
    driver.stripe.v1.customers.create({"email": "a@example.org"})

    driver.control("/deliver")

    header, body = listener.received[0]
    event = stripe.Webhook.construct_event(body, header, SECRET, tolerance=300)  # type: ignore[no-untyped-call]
    assert abs(int(header.split(",")[0].removeprefix("t=")) - time.time()) < 10
    assert event["created"] > time.time() + 89 * DAY


def test_answers_are_dated_by_the_sandbox(driver: Driver) -> None:
    _advance(driver, 600)

    answer = driver.stripe.v1.customers.list().last_response
    with urlopen(f"{driver.server.url}/_sandbox/clock") as page:
        dates = page.headers.get_all("Date")

    assert answer is not None
    skew = parsedate_to_datetime(answer.headers["Date"]).timestamp() - time.time()
    assert 595 < skew <= 600
    assert answer.headers["Stripe-Version"] == "2026-10-28.endive"
    assert len(dates) == 1


def test_a_card_expires_by_the_moved_clock(driver: Driver) -> None:
    month = datetime.fromtimestamp(time.time(), UTC).strftime("%m/%y")
    session = driver.session(expires_at=int(time.time()) + DAY)
    _advance(driver, 40 * DAY)
    later = driver.session()

    status, answer = driver.control(f"/pay/{later.id}", {"expiry": month})

    assert (status, answer["error"]["code"]) == (402, "invalid_expiry_year")
    assert driver.stripe.v1.checkout.sessions.retrieve(session.id).status == "expired"


def test_tick_still_does_what_is_due_without_moving_the_clock(driver: Driver) -> None:
    session = driver.session()
    driver.pay(session.id, method="bank_debit")

    assert driver.control("/tick", {"seconds": 30})[1] == {"done": 1}

    assert driver.control("/clock", method="GET")[1]["ahead_seconds"] == 0
