"""Webhooks: signed, retried, and bent by levers."""

import time

import pytest
import stripe

from tests.sandbox.conftest import SECRET, Driver, Listener, MakeDriver


def test_a_webhook_carries_stripes_signature(driver: Driver, listener: Listener) -> None:
    driver.paid()

    driver.control("/deliver")

    for header, body in listener.received:
        stripe.Webhook.construct_event(body, header, SECRET)  # type: ignore[no-untyped-call]
    assert "checkout.session.completed" in listener.types


def test_the_session_is_told_before_the_buyer_returns(driver: Driver, listener: Listener) -> None:
    session = driver.session()

    driver.pay(session.id)

    assert listener.types == ["checkout.session.completed"]
    assert listener.events[0]["data"]["object"]["id"] == session.id


@pytest.mark.parametrize("status", [500, 400, 404, 301, 307])
def test_anything_but_2xx_is_tried_again_with_a_fresh_signature(
    make_driver: MakeDriver, listener: Listener, status: int
) -> None:
    driver = make_driver(retry_base_seconds=0.0)
    listener.statuses = [status, status]
    driver.stripe.v1.customers.create({"email": "a@example.org"})

    results = [driver.control("/deliver")[1] for _ in range(4)]

    assert [(each["delivered"], each["failed"]) for each in results] == [(0, 1), (0, 1), (1, 0), (0, 0)]
    assert len({event["id"] for event in listener.events}) == 1
    delivery = driver.control("/deliveries", method="GET")[1]["deliveries"][0]
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 3)


def test_pauses_grow_and_end(make_driver: MakeDriver, listener: Listener) -> None:
    driver = make_driver(retry_base_seconds=4.0, retry_limit=3)
    listener.statuses = [500] * 9
    driver.stripe.v1.customers.create({"email": "a@example.org"})
    pauses = []

    for _ in range(3):
        driver.control("/deliver")
        row = driver.control("/deliveries", method="GET")[1]["deliveries"][0]
        pauses.append(round(row["next_at"] - time.time()))

    assert pauses == [4, 8, 16]
    assert (row["state"], driver.control("/deliver")[1]["sent"]) == ("failed", 0)


def test_background_threads_deliver_by_themselves(make_driver: MakeDriver, listener: Listener) -> None:
    driver = make_driver(background=True, retry_base_seconds=0.05)
    listener.statuses = [503]

    driver.paid()

    listener.wait_for("payment_intent.succeeded")
    listener.wait_for("checkout.session.completed")


def test_background_threads_settle_by_themselves(make_driver: MakeDriver, listener: Listener) -> None:
    driver = make_driver(background=True, async_seconds=0.1)

    driver.pay(driver.session().id, method="bank_debit")

    listener.wait_for("checkout.session.async_payment_succeeded")


def test_a_dead_endpoint_does_not_stop_the_buyer(make_driver: MakeDriver) -> None:
    driver = make_driver(webhook_url="http://127.0.0.1:9/nobody")

    assert driver.pay(driver.session().id)["status"] == "complete"

    rows = driver.control("/deliveries", method="GET")[1]["deliveries"]
    tried = [row for row in rows if row["type"] == "checkout.session.completed"]
    assert [(row["state"], row["attempts"], row["last_status"]) for row in tried] == [("pending", 1, None)]


def test_an_endpoint_hears_only_what_it_asked_for(driver: Driver, listener: Listener) -> None:
    own = driver.stripe.v1.webhook_endpoints.list().data[0]
    driver.stripe.v1.webhook_endpoints.update(own.id, {"disabled": True})
    made = driver.stripe.v1.webhook_endpoints.create(
        {"url": listener.url + "?second", "enabled_events": ["checkout.session.completed"]}
    )

    driver.paid()
    driver.control("/deliver")

    assert listener.types == ["checkout.session.completed"]
    header, body = listener.received[0]
    assert made.secret is not None
    stripe.Webhook.construct_event(body, header, made.secret)  # type: ignore[no-untyped-call]
    assert driver.stripe.v1.webhook_endpoints.retrieve(made.id).to_dict().get("secret") is None


def test_a_deleted_endpoint_hears_no_more(driver: Driver, listener: Listener) -> None:
    driver.stripe.v1.customers.create({"email": "a@example.org"})

    driver.stripe.v1.webhook_endpoints.delete(driver.stripe.v1.webhook_endpoints.list().data[0].id)

    assert driver.control("/deliver")[1]["sent"] == 0
    assert listener.received == []


def test_dropped_webhooks_never_come_but_the_event_exists(driver: Driver, listener: Listener) -> None:
    driver.control("/levers", {"kind": "webhook_drop", "types": ["checkout.session.*"]})

    driver.paid()
    driver.control("/deliver")

    assert "payment_intent.succeeded" in listener.types
    assert "checkout.session.completed" not in listener.types
    event = driver.stripe.v1.events.list({"types": ["checkout.session.*"]}).data[0]
    assert driver.control(f"/resend/{event.id}")[1] == {"queued": 1}
    driver.control("/deliver")
    assert listener.types[-1] == "checkout.session.completed"


def test_a_counted_lever_wears_off(driver: Driver, listener: Listener) -> None:
    driver.control("/levers", {"kind": "webhook_drop", "count": 1})

    for _ in range(2):
        driver.stripe.v1.customers.create({"email": "a@example.org"})
    driver.control("/deliver")

    assert listener.types == ["customer.created"]
    assert driver.control("/levers", method="GET")[1] == {"levers": []}


def test_duplicates_have_one_id_and_twins_have_two(driver: Driver, listener: Listener) -> None:
    driver.control("/levers", {"kind": "webhook_duplicate", "times": 2, "count": 1})
    driver.stripe.v1.customers.create({"email": "a@example.org"})
    driver.control("/levers", {"kind": "webhook_second_id", "count": 1})
    driver.stripe.v1.customers.create({"email": "b@example.org"})

    driver.control("/deliver")

    facts = [(event["data"]["object"]["email"], event["id"]) for event in listener.events]
    assert [email for email, _ in facts] == ["a@example.org"] * 3 + ["b@example.org"] * 2
    assert len(set(facts)) == 3


def test_held_webhooks_wait_for_the_release(make_driver: MakeDriver, listener: Listener) -> None:
    driver = make_driver(background=True)
    driver.control("/levers", {"kind": "webhook_hold"})
    driver.paid()
    held = list(listener.received)

    driver.control("/levers", {"kind": "webhook_release"})

    listener.wait_for("checkout.session.completed")
    assert held == []


def test_delayed_webhooks_are_not_waited_for(driver: Driver, listener: Listener) -> None:
    driver.control("/levers", {"kind": "webhook_delay", "seconds": 60, "types": ["checkout.session.completed"]})

    driver.paid()

    assert listener.received == []
    driver.control("/deliver")
    assert "checkout.session.completed" in listener.types


def test_reordered_webhooks_all_come(driver: Driver, listener: Listener) -> None:
    driver.control("/levers", {"kind": "webhook_reorder"})
    made = [driver.stripe.v1.customers.create({"email": f"c{n}@example.org"}).id for n in range(12)]

    driver.control("/deliver")

    came = [event["data"]["object"]["id"] for event in listener.events]
    assert sorted(came) == sorted(made)
    assert came != made  # one order in 479,001,600 would fail here


def test_the_buyer_waits_even_if_a_background_thread_sends(make_driver: MakeDriver, listener: Listener) -> None:
    driver = make_driver(background=True)

    for _ in range(5):
        session = driver.session()
        driver.pay(session.id)

        told = [event for event in listener.events if event["type"] == "checkout.session.completed"]
        assert told[-1]["data"]["object"]["id"] == session.id
