"""What the gateway says when Stripe refuses, knows already, or answers something else than was asked for."""

from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any

import pytest
import stripe
from sqlalchemy import update

import app.payments.gateway as gateway_module
from app import clock
from app.checkout.invoices import get_order_invoice_url
from app.checkout.models import Order
from app.db import db, transaction
from app.errors import NotFound
from app.payments import listing
from app.payments.events import arm_event, claim_event, list_events, record_event
from app.payments.gateway import (
    PaymentRefused,
    PaymentUnavailable,
    StripeObjectMissing,
    ensure_coupon,
    ensure_price,
    ensure_product,
    get_checkout_session,
    get_invoice_url,
)
from app.payments.listing import list_page
from app.payments.models import StripeEvent
from tests.checkout.conftest import Shop
from tests.factories import make_course, make_user
from tests.interleaving import do_before


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.001)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.002)


def refuse(shop: Shop, path: str, status: int = 400, **lever: Any) -> None:
    status, answer = shop.control(
        "/levers", {"kind": "api_error", "status": status, "path": path, "stored": False, **lever}
    )
    assert status == 200, answer


def test_product_price_and_coupon_are_made_once_however_often_they_are_wanted(shop: Shop) -> None:
    for _ in range(2):
        product = ensure_product(public_id="prd_1", title="Course")
        prices = ensure_price(public_id="prc_1", stripe_product_id=product, unit_amount=9700, currency="usd")
        coupon = ensure_coupon(public_id="cod_1", amount_off=500, currency="usd", name="LAUNCH20")

    assert [each["id"] for each in shop.stripe("/v1/products")["data"]] == [product]
    assert [each["id"] for each in shop.stripe("/v1/prices")["data"]] == [prices]
    assert [each["id"] for each in shop.stripe("/v1/coupons")["data"]] == [coupon]


def test_what_stripe_refuses_is_refused(shop: Shop) -> None:
    product = ensure_product(public_id="prd_1", title="Course")
    for path in ("/v1/products", "/v1/coupons", "/v1/prices"):
        refuse(shop, path, method="POST")

    with pytest.raises(PaymentRefused):
        ensure_product(public_id="prd_2", title="Course")
    with pytest.raises(PaymentRefused):
        ensure_coupon(public_id="cod_1", amount_off=500, currency="usd", name="LAUNCH20")
    with pytest.raises(PaymentRefused):
        ensure_price(public_id="prc_1", stripe_product_id=product, unit_amount=9700, currency="usd")


def test_price_that_another_worker_made_in_between_is_taken(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    product = ensure_product(public_id="prd_1", title="Course")
    made: list[str] = []

    def make() -> None:
        made.append(ensure_price(public_id="prc_1", stripe_product_id=product, unit_amount=9700, currency="usd"))

    do_before(monkeypatch, gateway_module, "_single_use_key", make)

    price = ensure_price(public_id="prc_1", stripe_product_id=product, unit_amount=9700, currency="usd")

    assert [price] == made
    assert [each["id"] for each in shop.stripe("/v1/prices")["data"]] == made


def test_key_that_is_being_worked_on_right_now_is_asked_again(shop: Shop) -> None:
    with pytest.raises(PaymentUnavailable), gateway_module.stripe_errors("checkout_session"):
        raise stripe.IdempotencyError("in use", http_status=409)


def test_whoever_finds_no_place_while_others_wait_for_stripe_is_told_to_try_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = shop.begin(make_course(), user=make_user())
    session_id = str(started.stripe_checkout_session_id)
    monkeypatch.setattr(gateway_module, "_places", BoundedSemaphore(1))
    monkeypatch.setattr(gateway_module, "PLACE_SECONDS", 0.01)

    with gateway_module.stripe_errors("somebody_else"), pytest.raises(PaymentUnavailable):
        get_checkout_session(session_id)

    assert get_checkout_session(session_id).id == session_id


def test_stripe_is_not_called_while_the_database_is_locked(shop: Shop) -> None:
    with pytest.raises(RuntimeError, match="inside transaction"), transaction():
        get_checkout_session("cs_1")


def test_invoice_without_a_pdf_is_not_ready_yet(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        stripe.InvoiceService,
        "retrieve",
        lambda *_: stripe.Invoice.construct_from({"id": "in_1", "invoice_pdf": None}, "sk_test"),
    )

    with pytest.raises(StripeObjectMissing):
        get_invoice_url("in_1")


def test_invoice_that_stripe_does_not_know_is_not_found(shop: Shop) -> None:
    started = shop.begin(make_course(), user=make_user())
    with transaction() as session:
        session.execute(update(Order).values(stripe_invoice_id="in_unknown"))

    with pytest.raises(NotFound):
        get_order_invoice_url(order_id=shop.order(started).id)


@pytest.mark.parametrize("kind", ["sessions", "refunds"])
def test_listed_object_that_cannot_be_read_does_not_hide_its_page(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    started = shop.buy(make_course(), user=make_user())
    shop.control(f"/refund/{shop.order(started).stripe_payment_intent_id}", {"amount": 500})
    real = {"sessions": listing.read_session, "refunds": listing.read_refund}[kind]
    monkeypatch.setattr(
        listing, real.__name__, lambda each: real({name: each[name] for name in each if name != "created"})
    )

    page = list_page(kind, created_since=clock.now() - timedelta(hours=1), after=None)

    assert [(bool(each.id), each.facts) for each in page.objects] == [(True, None)]


def test_event_that_is_not_there_is_neither_armed_nor_claimed(shop: Shop) -> None:
    with pytest.raises(NotFound, match="evt_1"):
        arm_event("evt_1")

    assert claim_event("evt_1") is None


def test_event_is_given_up_after_thirty_tries_and_armed_by_its_redelivery(shop: Shop, moving_clock: Any) -> None:
    payload = b'{"id": "evt_1", "type": "charge.refunded"}'
    record_event(payload=payload)
    tries = 0
    while claim_event("evt_1") is not None:
        tries += 1
        moving_clock.advance(hours=2)

    assert tries == 30
    assert [event.state for event in list_events()] == ["failed"]
    record_event(payload=payload)
    assert claim_event("evt_1") is not None
    db.session.rollback()
    assert db.session.get_one(StripeEvent, "evt_1", populate_existing=True).state == "received"
