"""Webhook endpoints by the API: made, changed, listed, and told what they listen to."""

from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import Driver, Listener


def test_the_secret_is_shown_once(driver: Driver) -> None:
    params: Any = {"url": "https://shop.example/hook", "enabled_events": ["*"], "description": "Shop"}

    made = driver.stripe.v1.webhook_endpoints.create(params)
    found = driver.stripe.v1.webhook_endpoints.retrieve(made.id).to_dict()
    changed = driver.stripe.v1.webhook_endpoints.update(made.id, {"metadata": {"a": "b"}}).to_dict()

    assert str(made.secret).startswith("whsec_")
    assert "secret" not in found
    assert "secret" not in changed
    assert "secret" not in driver.stripe.v1.webhook_endpoints.list().data[0].to_dict()
    assert (changed["metadata"], changed["status"], changed["description"]) == ({"a": "b"}, "enabled", "Shop")


def test_two_endpoints_are_told_each_with_its_own_secret_and_events(driver: Driver, listener: Listener) -> None:
    made = driver.stripe.v1.webhook_endpoints.create(
        {"url": listener.url + "?own", "enabled_events": ["customer.created", "customer.deleted"]}
    )
    customer = driver.stripe.v1.customers.create({"email": "a@example.org"})
    driver.stripe.v1.customers.update(customer.id, {"name": "A"})

    driver.control("/deliver")

    assert sorted(listener.types) == ["customer.created", "customer.created", "customer.updated"]
    passed = []
    for header, body in listener.received:
        try:
            stripe.Webhook.construct_event(body, header, str(made.secret))  # type: ignore[no-untyped-call]
        except stripe.SignatureVerificationError:
            continue
        passed.append(body)
    assert len(passed) == 1


def test_a_changed_or_disabled_endpoint_hears_accordingly(driver: Driver, listener: Listener) -> None:
    own = driver.stripe.v1.webhook_endpoints.list().data[0]
    driver.stripe.v1.webhook_endpoints.update(own.id, {"enabled_events": ["customer.updated"]})
    customer = driver.stripe.v1.customers.create({"email": "a@example.org"})
    driver.stripe.v1.customers.update(customer.id, {"name": "A"})
    driver.stripe.v1.webhook_endpoints.update(own.id, {"disabled": True})
    driver.stripe.v1.customers.update(customer.id, {"name": "B"})
    driver.stripe.v1.webhook_endpoints.update(own.id, {"disabled": False})
    driver.stripe.v1.customers.update(customer.id, {"name": "C"})

    driver.control("/deliver")

    assert [event["data"]["object"]["name"] for event in listener.events] == ["A", "C"]


def test_an_endpoint_of_another_version_is_told_events_that_name_it(driver: Driver, listener: Listener) -> None:
    own = driver.stripe.v1.webhook_endpoints.list().data[0]
    driver.stripe.v1.webhook_endpoints.update(own.id, {"disabled": True})
    made = driver.stripe.v1.webhook_endpoints.create(
        {"url": listener.url, "enabled_events": ["*"], "api_version": "2026-08-26.dahlia"}
    )
    driver.stripe.v1.customers.create({"email": "a@example.org"})

    driver.control("/deliver")

    assert made.api_version == "2026-08-26.dahlia"
    assert [event["api_version"] for event in listener.events] == ["2026-08-26.dahlia"]
    assert driver.stripe.v1.events.list().data[0].api_version == "2026-10-28.endive"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ("enabled_events[0]=*", "url"),
        ("url=https://shop.example/hook", "enabled_events"),
        ("url=shop.example&enabled_events[0]=*", "url"),
        ("url=https://shop.example/hook&enabled_events[0]=customer.sneezed", "enabled_events[0]"),
        ("url=https://shop.example/hook&enabled_events[0]=*&enabled_events[1]=charge.failed", "enabled_events"),
        ("url=https://shop.example/hook&enabled_events[0]=*&api_version=latest", "api_version"),
        ("url=https://shop.example/hook&enabled_events[0]=*&connect=true", "connect"),
        ("url=https://shop.example/hook&enabled_events[0]=*&secret=mine", "secret"),
    ],
)
def test_a_bad_endpoint_is_refused(driver: Driver, body: str, param: str) -> None:
    status, answer = driver.api("POST", "/v1/webhook_endpoints", body)

    assert (status, answer["error"]["param"]) == (400, param)
    assert len(driver.stripe.v1.webhook_endpoints.list().data) == 1


def test_an_account_has_at_most_sixteen_endpoints(driver: Driver) -> None:
    params: Any = {"url": "https://shop.example/hook", "enabled_events": ["*"]}
    for _ in range(15):
        driver.stripe.v1.webhook_endpoints.create(params)

    with pytest.raises(stripe.InvalidRequestError):
        driver.stripe.v1.webhook_endpoints.create(params)

    pages = driver.stripe.v1.webhook_endpoints.list({"limit": 10}).auto_paging_iter()
    assert len(list(pages)) == 16


def test_a_deleted_endpoint_is_gone(driver: Driver) -> None:
    made = driver.stripe.v1.webhook_endpoints.create({"url": "https://shop.example/hook", "enabled_events": ["*"]})

    assert driver.stripe.v1.webhook_endpoints.delete(made.id).deleted is True

    assert driver.api("GET", f"/v1/webhook_endpoints/{made.id}")[0] == 404
    assert driver.api("POST", f"/v1/webhook_endpoints/{made.id}", "disabled=true")[0] == 404


def test_the_account_keeps_its_id(driver: Driver) -> None:
    first = driver.api("GET", "/v1/account")[1]

    driver.control("/reset")

    assert first["id"].startswith("acct_")
    assert first["charges_enabled"] is True
    assert driver.api("GET", "/v1/account")[1]["id"] == first["id"]
