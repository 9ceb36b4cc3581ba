"""POST /webhooks/stripe: stores what is Stripe's, refuses everything else, and never answers 5xx to bad input."""

import json
import time

import pytest
from sqlalchemy import func, select

from app.checkout.models import Finding
from app.db import db, transaction
from app.payments.models import StripeEvent
from tests.checkout.conftest import Shop

EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "checkout.session.completed",
    "api_version": "2026-10-28.endive",
    "livemode": False,
    "data": {"object": {"id": "cs_test_1", "object": "checkout.session", "metadata": {}}},
}


def stored() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(StripeEvent)) or 0


def state_of(event_id: str) -> str:
    db.session.rollback()
    return db.session.get_one(StripeEvent, event_id).state


def test_signed_event_is_stored_before_the_answer(shop: Shop) -> None:
    assert shop.send(EVENT) == 200
    assert state_of("evt_1") == "received"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        "t=1,v1=00",
        "t=abc,v1=00",
        "v1=00",
        "t=1,v0=00",
        "t=1,t=2,v1=00",
        "t=" + "9" * 400 + ",v1=00",
        "t=1," + ",".join(["v1=00"] * 10_000),
        "t=-1,v1=00",
        "t=٣,v1=00",
        "t=1,v1=é",
    ],
)
def test_what_is_not_signed_by_stripe_gets_400_and_leaves_nothing(shop: Shop, header: str | None) -> None:
    headers = {} if header is None else {"Stripe-Signature": header.encode("utf-8").decode("latin-1")}

    response = shop.client.post("/webhooks/stripe", data=json.dumps(EVENT), headers=headers)

    assert response.status_code == 400
    assert response.json is not None
    assert response.json["code"] == "signature_invalid"
    assert stored() == 0


@pytest.mark.parametrize("offset", [-301, -3600, 302, 3600, 365 * 24 * 3600])
def test_timestamps_beyond_five_minutes_are_refused_on_both_sides(shop: Shop, offset: int) -> None:
    assert shop.send(EVENT, timestamp=int(time.time()) + offset) == 400
    assert stored() == 0


def test_wrong_secret_is_refused(shop: Shop) -> None:
    assert shop.send(EVENT, secret="whsec_" + "x" * 32) == 400
    assert stored() == 0


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b"1",
        b'"x"',
        b"{}",
        b'{"id": "evt_1"}',
        b'{"id": 1, "type": "x"}',
        b'{"id": "", "type": "x"}',
        b'{"id": "evt_1", "type": []}',
        b'{"id": "evt_1", "type": "x", "n": NaN}',
        b'{"id": "evt_1", "type": "x", "n": 1e999}',
        b'{"id": "evt_\\u0000", "type": "x"}',
        b'{"id": "evt_\\ud800", "type": "x"}',
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"[" * 60_000,
        b'{"id": "evt_1", "type": "x", "deep": ' + b"[" * 60_000 + b"]" * 60_000 + b"}",
        b"",
    ],
)
def test_signed_body_that_is_no_event_gets_400(shop: Shop, body: bytes) -> None:
    assert shop.send(body) == 400
    assert stored() == 0


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "x",
        {"object": None},
        {"object": "cs_1"},
        {"object": {"id": 7}},
        {"object": {"id": "x", "metadata": None}},
    ],
)
def test_odd_payloads_are_stored_and_ignored(shop: Shop, data: object) -> None:
    assert shop.send({**EVENT, "data": data}) == 200
    shop.work()
    assert state_of("evt_1") == "ignored"


@pytest.mark.parametrize("event_type", ["some.future.type", "v2.core.event", "customer.created"])
def test_unknown_types_are_stored_and_ignored(shop: Shop, event_type: str) -> None:
    assert shop.send({**EVENT, "type": event_type}) == 200
    shop.work()
    assert state_of("evt_1") == "ignored"


def test_event_of_another_app_has_no_effect_and_raises_no_alarm(shop: Shop) -> None:
    foreign = {"id": "cs_test_1", "object": "checkout.session", "metadata": {"app_id": "other", "order": "ord_1"}}
    assert shop.send({**EVENT, "data": {"object": foreign}}) == 200
    shop.work()
    assert state_of("evt_1") == "ignored"
    assert db.session.scalars(select(Finding)).all() == []


def test_live_event_at_a_test_shop_is_ignored(shop: Shop) -> None:
    assert shop.send({**EVENT, "livemode": True}) == 200
    shop.work()
    assert state_of("evt_1") == "ignored"


def test_our_app_but_unknown_order_is_kept_retried_and_reported(shop: Shop) -> None:
    ours = {
        "id": "cs_test_1",
        "object": "checkout.session",
        "metadata": {"app_id": shop.settings.stripe_app_id, "order": "ord_missing"},
    }
    assert shop.send({**EVENT, "data": {"object": ours}}) == 200
    shop.work()

    event = db.session.get_one(StripeEvent, "evt_1")
    assert (event.state, event.attempt_count, event.error) == ("received", 1, "unknown_order")
    [finding] = db.session.scalars(select(Finding))
    assert (finding.key, finding.kind, finding.detail) == (
        "unknown_order:ord_missing",
        "unknown_order",
        "Stripe names the order ord_missing, which this shop does not know.",
    )


def test_poison_event_delays_only_itself(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    poison = {**EVENT, "id": "evt_poison"}
    shop.send(poison)
    shop.send({**EVENT, "id": "evt_good", "type": "customer.created"})

    def explode(_object: object) -> None:
        raise RuntimeError("impossible content")

    monkeypatch.setattr("app.checkout.events._find_order", explode)
    shop.work()

    assert (state_of("evt_poison"), state_of("evt_good")) == ("received", "ignored")
    poisoned = db.session.get_one(StripeEvent, "evt_poison")
    assert (poisoned.attempt_count, poisoned.error) == (1, "crashed: RuntimeError")


def test_redelivery_arms_an_event_that_failed(shop: Shop) -> None:
    shop.send(EVENT)
    with transaction() as session:
        session.get_one(StripeEvent, "evt_1").state = "failed"

    assert shop.send(EVENT) == 200

    assert state_of("evt_1") == "received"
    assert db.session.get_one(StripeEvent, "evt_1").delivery_count == 2


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_methods_get_405(shop: Shop, method: str) -> None:
    response = shop.client.open("/webhooks/stripe", method=method)
    assert response.status_code == 405


def test_trailing_slash_is_not_a_redirect(shop: Shop) -> None:
    assert shop.client.post("/webhooks/stripe/", data=b"{}").status_code == 400


def test_huge_body_gets_413(shop: Shop) -> None:
    response = shop.client.post("/webhooks/stripe", data=b"x" * 600_000)
    assert response.status_code == 413
    assert stored() == 0
