"""Past events: filters, thirty days, forgetting, sending one again."""

import pytest
import stripe

from tests.sandbox.conftest import Driver, Listener

DAY = 86_400


def test_events_older_than_thirty_days_are_gone(driver: Driver) -> None:
    driver.stripe.v1.customers.create({"email": "old@example.org"})
    old = driver.stripe.v1.events.list().data[0]

    driver.control("/clock", {"advance_seconds": 30 * DAY - 60})
    still = [event.id for event in driver.stripe.v1.events.list().data]
    driver.stripe.v1.customers.create({"email": "new@example.org"})
    driver.control("/clock", {"advance_seconds": 120})
    left = driver.stripe.v1.events.list().data

    assert still == [old.id]
    assert [event.data.object["email"] for event in left] == ["new@example.org"]
    with pytest.raises(stripe.InvalidRequestError) as missing:
        driver.stripe.v1.events.retrieve(old.id)
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")


def test_events_can_be_emptied_at_once_and_later_ones_are_listed(driver: Driver, listener: Listener) -> None:
    driver.stripe.v1.customers.create({"email": "old@example.org"})
    old = driver.stripe.v1.events.list().data[0].id

    first = driver.control("/levers", {"kind": "forget_events"})[1]
    again = driver.control("/levers", {"kind": "forget_events"})[1]
    driver.stripe.v1.customers.create({"email": "new@example.org"})

    assert (first["forgotten"], again["forgotten"]) == (1, 0)
    assert [event.data.object["email"] for event in driver.stripe.v1.events.list().data] == ["new@example.org"]
    with pytest.raises(stripe.InvalidRequestError):
        driver.stripe.v1.events.retrieve(old)
    driver.control("/deliver")
    assert [event["data"]["object"]["email"] for event in listener.events] == ["old@example.org", "new@example.org"]


def test_a_forgotten_event_can_still_be_sent_again(driver: Driver, listener: Listener) -> None:
    driver.stripe.v1.customers.create({"email": "old@example.org"})
    event = driver.stripe.v1.events.list().data[0].id
    driver.control("/deliver")
    driver.control("/clock", {"advance_seconds": 31 * DAY})

    assert driver.control(f"/resend/{event}")[1] == {"queued": 1}
    driver.control("/deliver")

    assert [each["id"] for each in listener.events] == [event, event]
    assert driver.control("/resend/evt_none")[0] == 404


def test_a_resend_reaches_only_who_listens(driver: Driver, listener: Listener) -> None:
    driver.stripe.v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["charge.refunded"]})
    driver.stripe.v1.customers.create({"email": "a@example.org"})
    event = driver.stripe.v1.events.list({"type": "customer.created"}).data[0].id

    assert driver.control(f"/resend/{event}")[1] == {"queued": 1}


def test_events_are_filtered_by_types_time_and_delivery(driver: Driver, listener: Listener) -> None:
    driver.paid()
    driver.control("/deliver")
    listener.statuses = [500]
    driver.control("/clock", {"advance_seconds": DAY})
    customer = driver.stripe.v1.customers.create({"email": "a@example.org"})
    driver.control("/deliver")
    events = driver.stripe.v1.events

    charges = events.list({"types": ["charge.*", "payment_intent.created"]}).data
    late = events.list({"created": {"gte": customer.created}}).data
    undelivered = events.list({"delivery_success": False}).data
    delivered = events.list({"delivery_success": True, "limit": 100}).data

    assert sorted({event.type for event in charges}) == ["charge.succeeded", "payment_intent.created"]
    assert [event.type for event in late] == ["customer.created"]
    assert [(event.type, event.pending_webhooks) for event in undelivered] == [("customer.created", 1)]
    assert {event.pending_webhooks for event in delivered} == {0}
    assert len(delivered) + 1 == len(events.list({"limit": 100}).data)


def test_lost_webhooks_are_not_delivered_ones(driver: Driver) -> None:
    driver.control("/levers", {"kind": "webhook_drop"})
    driver.stripe.v1.customers.create({"email": "a@example.org"})

    assert len(driver.stripe.v1.events.list({"delivery_success": False}).data) == 1
    assert driver.stripe.v1.events.list({"delivery_success": True}).data == []
