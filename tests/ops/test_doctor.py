"""flask stripe doctor about Stripe: each line can fail, each names its fix, and no answer makes it crash."""

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from email.utils import format_datetime
from typing import Any

import pytest

from app.checkout.events import HANDLED_EVENTS
from app.payments.account import PINNED_VERSION
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.ops.conftest import (
    add_endpoint,
    checks,
    doctor,
    examined,
    levels,
    list_endpoints,
    post_to_stripe,
    said,
    serve,
    worker,
)

CONFIGURE = "Run flask stripe doctor --configure."
NARROW = "Choose only the events named in the README, in Stripe’s dashboard; more do no harm but cost."


def test_a_shop_that_is_set_up_has_no_fail_and_exits_with_0(shop: Shop) -> None:
    with examined(shop) as (app, url), worker(app):
        add_endpoint(shop, url, sorted(HANDLED_EVENTS), api_version=PINNED_VERSION)

        ran = doctor(app, "--json", wait=20)

    assert {each["level"] for each in ran.json["checks"]} == {"ok"}, ran.json["checks"]
    assert (ran.code, ran.json["failed"]) == (0, 0)
    assert {each["name"] for each in ran.json["checks"]} == {
        *("database", "key", "account", "version", "clock", "endpoint", "events", "tax", "webhook", "worker", "mail")
    }
    assert {each["fix"] for each in ran.json["checks"]} == {""}
    endpoint_id = list_endpoints(shop)[0]["id"]
    account_id = shop.stripe("/v1/account")["id"]
    assert {each["what"] for each in ran.json["checks"] if each["name"] not in {"database", "worker", "mail"}} == {
        f"A test key for APP_ENV=test, used at {shop.sandbox.url}.",
        f"{account_id} may charge.",
        f"Stripe answers in version {PINNED_VERSION}.",
        "The clock is 0 seconds off Stripe’s.",
        f"{endpoint_id} delivers to {url}/webhooks/stripe.",
        f"All {len(HANDLED_EVENTS)} events that have an effect, no others.",
        f"Events come in version {PINNED_VERSION}.",
        "Taxes are not computed (TAX_ENABLED is off).",
        f"A signed event sent to {url}/webhooks/stripe was taken.",
    }


def test_lines_for_people_name_level_thing_and_fix(shop: Shop) -> None:
    with examined(shop) as (app, url):
        ran = doctor(app)

    line = next(line for line in ran.output.splitlines() if " endpoint " in line)
    assert " ".join(line.split()) == (
        f"fail endpoint Stripe delivers no webhooks to {url}/webhooks/stripe: there is no endpoint for it. "
        "-> Run flask stripe doctor --configure."
    )
    assert ran.code == 1


# The endpoint at Stripe


def test_configure_makes_the_endpoint_prints_its_secret_once_and_a_second_run_changes_nothing(shop: Shop) -> None:
    with examined(shop) as (app, url):
        first = doctor(app, "--configure")
        made = list_endpoints(shop)
        second = doctor(app, "--configure", "--json")

    assert [(each["url"], each["status"], each["api_version"]) for each in made] == [
        (f"{url}/webhooks/stripe", "enabled", PINNED_VERSION)
    ]
    assert set(made[0]["enabled_events"]) == HANDLED_EVENTS
    assert made[0]["metadata"]["app_id"] == shop.settings.stripe_app_id
    secrets = [line for line in first.output.splitlines() if line.startswith("STRIPE_WEBHOOK_SECRET=whsec_")]
    assert len(secrets) == 1
    assert (second.json["configured"]["action"], second.json["configured"]["secret"]) == ("unchanged", None)
    assert list_endpoints(shop) == made
    assert set(levels(second, "endpoint") + levels(second, "events")) == {"ok"}


def test_configure_adds_missing_events_and_keeps_others(shop: Shop) -> None:
    with examined(shop) as (app, url):
        endpoint_id = add_endpoint(shop, url, ["checkout.session.completed", "customer.created"])
        before = doctor(app, "--json")
        after = doctor(app, "--configure", "--json")

    missing = ", ".join(sorted(HANDLED_EVENTS - {"checkout.session.completed"}))
    assert said(before, "events")[0] == ("fail", f"Events that never come: {missing}.", CONFIGURE)
    assert after.json["configured"]["action"] == "repaired"
    endpoint = list_endpoints(shop)[0]
    assert (endpoint["id"], set(endpoint["enabled_events"])) == (endpoint_id, HANDLED_EVENTS | {"customer.created"})
    assert ("warn", "Events without effect here: customer.created.", NARROW) in said(after, "events")


def test_disabled_endpoint_fails_and_configure_switches_it_on(shop: Shop) -> None:
    with examined(shop) as (app, url):
        endpoint_id = add_endpoint(shop, url, sorted(HANDLED_EVENTS))
        post_to_stripe(shop, f"/v1/webhook_endpoints/{endpoint_id}", disabled="true")
        before = doctor(app, "--json")
        after = doctor(app, "--configure", "--json")

    assert said(before, "endpoint") == [("fail", f"{endpoint_id} is switched off: no webhook comes.", CONFIGURE)]
    assert levels(after, "endpoint") == ["ok"]


def test_endpoint_that_sends_everything_is_a_warning_and_is_left_so(shop: Shop) -> None:
    with examined(shop) as (app, url):
        add_endpoint(shop, url, ["*"])
        ran = doctor(app, "--configure", "--json")

    assert ran.json["configured"]["action"] == "unchanged"
    assert said(ran, "events")[0] == ("warn", "The endpoint sends every event there is.", NARROW)
    assert list_endpoints(shop)[0]["enabled_events"] == ["*"]


def test_duplicate_endpoints_are_named_and_never_deleted(shop: Shop) -> None:
    with examined(shop) as (app, url):
        ids = {add_endpoint(shop, url, sorted(HANDLED_EVENTS)) for _ in range(2)}
        add_endpoint(shop, "http://elsewhere.example.org", ["*"])
        ran = doctor(app, "--configure", "--json")

    duplicates = set(ran.json["configured"]["duplicate_ids"])
    assert len(duplicates) == 1
    assert duplicates < ids
    kept, other = (ids - duplicates).pop(), duplicates.pop()
    assert said(ran, "endpoint") == [
        (
            "warn",
            f"1 more endpoints deliver to the same address, each with a secret of its own: {other}.",
            f"Delete all but {kept} in Stripe’s dashboard.",
        ),
        ("ok", f"{kept} delivers to {url}/webhooks/stripe.", ""),
    ]
    assert len(list_endpoints(shop)) == 3


def test_events_in_another_version_are_a_warning(shop: Shop) -> None:
    with examined(shop) as (app, url):
        endpoint_id = add_endpoint(shop, url, sorted(HANDLED_EVENTS))
        ran = doctor(app, "--json")

    assert said(ran, "events")[1:] == [
        (
            "warn",
            f"Events come in the account’s default version, not in {PINNED_VERSION}; nothing of them is believed but their ids.",
            f"Delete {endpoint_id} in Stripe’s dashboard, run flask stripe doctor --configure, set the new secret.",
        )
    ]


# Stripe


def test_stripe_that_does_not_answer_is_said_and_the_other_checks_go_on(shop: Shop) -> None:
    shop.control("/levers", {"kind": "api_close", "when": "before"})
    with examined(shop) as (app, _url):
        ran = doctor(app, "--json")

    fix = "Look at status.stripe.com and at this machine’s way out, then run this again."
    assert said(ran, "account") == [("fail", "Stripe does not answer.", fix)]
    assert said(ran, "endpoint") == [("fail", "Stripe does not answer.", fix)]
    assert (levels(ran, "webhook"), levels(ran, "mail")) == (["ok"], ["ok"])


def test_configure_without_stripe_fails_in_one_sentence(shop: Shop) -> None:
    shop.control("/levers", {"kind": "api_error", "status": 500})
    with examined(shop) as (app, _url):
        ran = doctor(app, "--configure")

    assert (ran.code, ran.output) == (1, "")


def test_refused_key_is_told_from_a_silent_stripe(shop: Shop) -> None:
    shop.control("/levers", {"kind": "api_error", "status": 401})
    with examined(shop) as (app, _url):
        ran = doctor(app, "--json")

    fix = "Copy the secret key from Stripe’s dashboard, Developers, API keys, into STRIPE_SECRET_KEY."
    assert said(ran, "account") == [("fail", "Stripe refuses the key.", fix)]


def test_refusal_of_one_question_is_said(shop: Shop) -> None:
    shop.control("/levers", {"kind": "api_error", "status": 400, "path": "/v1/webhook_endpoints"})
    with examined(shop) as (app, _url):
        ran = doctor(app, "--json")

    assert said(ran, "endpoint") == [("fail", "Stripe refuses to tell (payment_refused).", "Look at the key’s rights.")]
    assert levels(ran, "account") == ["ok"]


def test_test_key_in_production_is_a_warning(shop: Shop) -> None:
    with examined(shop) as (app, _url):
        # Set afterwards: an app that begins as production opens the queue's own connection.
        app.config["SETTINGS"] = replace(app.config["SETTINGS"], app_env="production")
        ran = doctor(app, "--json")

    fix = "Set STRIPE_SECRET_KEY to the live key, together with the live endpoint’s secret."
    assert said(ran, "key") == [("warn", "The key is a test key in production: nobody is charged.", fix)]


@pytest.mark.parametrize(
    ("offset", "level"), [(0, "ok"), (20, "ok"), (45, "warn"), (-45, "warn"), (200, "fail"), (-3600, "fail")]
)
def test_clock_that_is_off_is_told_from_stripes(
    shop: Shop, moving_clock: MovableClock, offset: float, level: str
) -> None:
    moving_clock.advance(seconds=offset)
    with examined(shop) as (app, _url):
        ran = doctor(app, "--json")

    fix = "" if level == "ok" else "Let the machine set its clock (NTP); Stripe’s signatures end after 300 seconds."
    assert [(said_level, said_fix) for said_level, _, said_fix in said(ran, "clock")] == [(level, fix)]


def test_tax_that_is_not_set_up_fails_only_where_it_is_on(shop: Shop) -> None:
    with examined(shop, is_tax_enabled=True) as (app, _url):
        assert checks(doctor(app, "--json"))["tax"] == [("ok", "Stripe computes taxes.")]
    shop.control("/levers", {"kind": "api_tax_pending"})
    with examined(shop, is_tax_enabled=True) as (app, _url):
        ran = doctor(app, "--json")
    with examined(shop) as (app, _url):
        assert levels(doctor(app, "--json"), "tax") == ["ok"]

    assert said(ran, "tax") == [
        (
            "fail",
            "TAX_ENABLED is on, but Stripe’s tax settings are pending; missing: head_office: nobody can pay.",
            "Complete Settings, Tax in Stripe’s dashboard.",
        )
    ]


def test_account_that_may_not_charge_another_version_and_no_time_are_told(shop: Shop) -> None:
    def stripe(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        is_account = environ["PATH_INFO"] == "/v1/account"
        body = {"id": "acct_1", "object": "account", "charges_enabled": False}
        empty = {"object": "list", "url": "/v1/webhook_endpoints", "has_more": False, "data": []}
        start_response("200 OK", [("Content-Type", "application/json"), ("Stripe-Version", "2020-01-01")])
        return [json.dumps(body if is_account else empty).encode()]

    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with listening, serve(stripe, listening, date="some day"), examined(shop, stripe_api_base=address) as (app, _url):
        ran = doctor(app, "--json")

    assert [line for name in ("account", "version", "clock") for line in said(ran, name)] == [
        ("fail", "Stripe does not let acct_1 charge.", "Finish the account’s activation in Stripe’s dashboard."),
        (
            "fail",
            f"Stripe answers in version 2020-01-01, this program reads {PINNED_VERSION}.",
            "Install the locked version of the stripe library.",
        ),
        ("warn", "Stripe’s answer names no time.", "Compare the clock by hand."),
    ]


def test_clock_is_compared_at_the_middle_of_the_call(shop: Shop, moving_clock: MovableClock) -> None:
    started_at = moving_clock().replace(microsecond=0)
    moving_clock.freeze(started_at)

    def stripe(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        if environ["PATH_INFO"] == "/v1/account":
            moving_clock.advance(seconds=100)
        body = {"id": "acct_1", "object": "list", "url": "/", "has_more": False, "data": [], "charges_enabled": True}
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    date = format_datetime(started_at, usegmt=True)
    with listening, serve(stripe, listening, date=date), examined(shop, stripe_api_base=address) as (app, _url):
        ran = doctor(app, "--json")

    assert [line[:2] for line in said(ran, "clock")] == [("warn", "The clock is 50 seconds off Stripe’s.")]


def test_duplicates_and_actions_are_told_to_people_too(shop: Shop) -> None:
    with examined(shop) as (app, url):
        add_endpoint(shop, url, ["*"])
        other = add_endpoint(shop, url, ["*"])
        lines = doctor(app, "--configure").output.splitlines()

    assert lines[0].endswith(f"unchanged: every event to {url}/webhooks/stripe.")
    assert any("delivers to the same address: delete it in Stripe’s dashboard." in line for line in lines), other


def test_endpoint_of_the_other_mode_fails(shop: Shop) -> None:
    urls: list[str] = []

    def stripe(_environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        endpoint = {"id": "we_1", "object": "webhook_endpoint", "livemode": True, "status": "enabled"}
        endpoint |= {"url": urls[0] + "/webhooks/stripe", "enabled_events": ["charge.refunded"]}
        start_response("200 OK", [("Content-Type", "application/json")])
        return [
            json.dumps({"id": "acct_1", "object": "list", "url": "/", "has_more": False, "data": [endpoint]}).encode()
        ]

    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with listening, serve(stripe, listening), examined(shop, stripe_api_base=address) as (app, url):
        urls.append(url)
        ran = doctor(app, "--json")

    assert said(ran, "endpoint") == [
        ("fail", "we_1 is live, the key is not.", "Use key and endpoint secret of one mode.")
    ]
    assert levels(ran, "events") == ["fail", "warn"]


@pytest.mark.parametrize("body", [b"[]", b"null", b"{}", b'"x"', b"<html>", b'{"object": "list", "data": [{}]}', b""])
def test_answers_that_make_no_sense_are_said_and_never_crash_it(shop: Shop, body: bytes) -> None:
    def stripe(_environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with listening, serve(stripe, listening), examined(shop, stripe_api_base=address, is_tax_enabled=True) as (app, _):
        ran = doctor(app, "--json")

    assert ran.code == 1
    assert checks(ran)["account"] == [("fail", "Stripe does not answer.")]
    assert levels(ran, "webhook") == ["ok"]
