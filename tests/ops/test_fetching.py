"""Fetching by its id what Stripe should have told."""

import pytest

from app.checkout.fetching import GONE_EVENT, GONE_OBJECT, fetch_from_stripe
from app.checkout.findings import list_open_findings
from app.errors import InvalidInput
from app.payments.gateway import PaymentUnavailable
from tests.checkout.conftest import Shop
from tests.factories import make_course, make_user
from tests.ops.conftest import list_entries, payment_intent, sell_elsewhere
from tests.ops.test_replay import find_event, read


def test_an_event_that_never_came_is_stored_and_handled(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started)
    event_id = find_event(shop, "checkout.session.completed")["id"]

    fetched = fetch_from_stripe(event_id)

    assert (fetched.event_id, read(event_id).state, read(event_id).delivery_count) == (event_id, "received", 1)
    shop.work()
    assert (read(event_id).state, shop.order(started).state) == ("handled", "paid")
    assert fetch_from_stripe(event_id).sentence == "The event is in the inbox already."
    assert read(event_id).delivery_count == 1


@pytest.mark.parametrize("kind", ["session", "payment", "charge"])
def test_an_object_brings_its_order_in_line(shop: Shop, kind: str) -> None:
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started)
    intent = payment_intent(shop, started)
    ids = {
        "session": started.stripe_checkout_session_id,
        "payment": intent,
        "charge": shop.stripe(f"/v1/payment_intents/{intent}")["latest_charge"],
    }

    fetched = fetch_from_stripe(str(ids[kind]))

    assert (fetched.order_public_id, fetched.has_failed) == (started.order_public_id, False)
    assert list_entries(shop.order(started)) == [("payment", 9700)]
    assert fetch_from_stripe(str(ids[kind])).sentence == "Order NSL-1001 agrees with Stripe already."


def test_a_refund_without_metadata_of_ours_finds_its_order(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    intent = payment_intent(shop, started)
    shop.control(f"/refund/{intent}", {"amount": 700})
    refund = shop.stripe(f"/v1/refunds?payment_intent={intent}")["data"][0]["id"]

    assert fetch_from_stripe(refund).sentence == "Order NSL-1001 was brought in line with Stripe."

    assert list_entries(shop.order(started)) == [("payment", 9700), ("refund", 700)]


def test_what_is_another_apps_has_no_effect_and_an_unknown_order_is_noted(shop: Shop) -> None:
    foreign = fetch_from_stripe(sell_elsewhere(shop, {"app_id": "other", "order": "ord_x"}))
    assert (foreign.sentence, foreign.has_failed) == (
        "Stripe has it, but it belongs to no order of this shop.", True,
    )  # fmt: skip
    assert list_open_findings() == []

    fetched = fetch_from_stripe(sell_elsewhere(shop, {"app_id": shop.settings.stripe_app_id, "order": "ord_missing"}))

    assert fetched.has_failed
    assert [finding.key for finding in list_open_findings()] == ["unknown_order:ord_missing"]


@pytest.mark.parametrize(
    ("stripe_id", "sentence"),
    [
        ("evt_missing", GONE_EVENT),
        ("pi_missing", GONE_OBJECT),
        ("cus_1", "Enter an id that begins with evt_, cs_, pi_, ch_, re_ or du_, as Stripe’s dashboard shows it."),
        (
            "pi_1/../../accounts",
            "Enter an id that begins with evt_, cs_, pi_, ch_, re_ or du_, as Stripe’s dashboard shows it.",
        ),
        ("evt_1?x", "Enter an id that begins with evt_, cs_, pi_, ch_, re_ or du_, as Stripe’s dashboard shows it."),
    ],
)
def test_what_cannot_be_fetched_is_said(shop: Shop, stripe_id: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        fetch_from_stripe(stripe_id)

    assert refused.value.sentence == sentence


def test_an_order_that_stripe_does_not_answer_for_stays_as_it_was(shop: Shop) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    intent = payment_intent(shop, started)
    shop.control("/levers", {"kind": "api_error", "status": 503, "path": "/v1/charges"})

    fetched = fetch_from_stripe(intent)

    shop.remove_levers()
    assert (fetched.has_failed, fetched.sentence) == (True, PaymentUnavailable.sentence)
    assert shop.order(started).state == "pending"
