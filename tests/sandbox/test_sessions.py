"""Checkout Sessions by the API: what may be asked for, what comes back, how one ends."""

import time
from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import Driver


def test_a_session_shows_its_sums_and_lines(driver: Driver) -> None:
    price = driver.price(9700)

    session = driver.session(price, line_items=[{"price": price, "quantity": 3}], client_reference_id="ord_1")

    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 29100)
    assert session.payment_intent is None
    assert session.url == f"{driver.server.url}/c/pay/{session.id}"
    lines = driver.stripe.v1.checkout.sessions.line_items.list(session.id).data
    assert [(line.quantity, line.amount_total) for line in lines] == [(3, 29100)]


@pytest.mark.parametrize(("currency", "amount", "total"), [("jpy", 500, 500), ("usd", 9700, 9700), ("kwd", 5000, 5000)])
def test_amounts_stay_in_the_currencys_minor_unit(driver: Driver, currency: str, amount: int, total: int) -> None:
    session = driver.session(driver.price(amount, currency))
    driver.pay(session.id)

    paid = driver.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})

    assert (paid.amount_total, paid.currency, paid.payment_intent.amount_received) == (total, currency, total)  # type: ignore[union-attr]


def test_a_coupon_takes_its_share_to_the_minor_unit(driver: Driver) -> None:
    one, other = driver.price(999), driver.price(1001)
    coupon = driver.stripe.v1.coupons.create({"amount_off": 333, "currency": "usd"})

    session = driver.session(
        line_items=[{"price": one, "quantity": 1}, {"price": other, "quantity": 1}],
        discounts=[{"coupon": coupon.id}],
        expand=["total_details.breakdown", "line_items.data.discounts"],
    )

    assert (session.amount_subtotal, session.amount_total) == (2000, 1667)
    assert session.line_items is not None
    assert sum(line.amount_discount for line in session.line_items.data) == 333
    assert session.total_details is not None
    assert session.total_details.breakdown is not None
    assert session.total_details.breakdown.discounts[0].amount == 333


def test_everything_off_needs_no_payment(driver: Driver) -> None:
    coupon = driver.stripe.v1.coupons.create({"percent_off": 100, "max_redemptions": 1})
    session = driver.session(discounts=[{"coupon": coupon.id}])

    driver.pay(session.id)

    done = driver.stripe.v1.checkout.sessions.retrieve(session.id)
    assert (done.status, done.payment_status, done.payment_intent) == ("complete", "no_payment_required", None)
    assert driver.stripe.v1.payment_intents.list().data == []
    with pytest.raises(stripe.InvalidRequestError):
        driver.session(discounts=[{"coupon": coupon.id}])


def test_an_inline_price_is_sold_but_not_offered(driver: Driver) -> None:
    data = {"currency": "eur", "unit_amount": 4900, "product_data": {"name": "Workshop"}}

    session = driver.session("none", line_items=[{"price_data": data, "quantity": 1}])

    assert (session.currency, session.amount_total) == ("eur", 4900)
    assert driver.stripe.v1.prices.list({"active": True}).data == []
    assert driver.stripe.v1.products.list({"active": True}).data == []


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"payment_method_types": ["card"]}, "payment_method_types"),
        ({"mode": "subscription"}, "mode"),
        ({"success_url": "/relative"}, "success_url"),
        ({"expires_at": 60}, "expires_at"),
        ({"expires_at": 25 * 3600}, "expires_at"),
        ({"customer": "cus_none"}, "customer"),
        ({"customer_email": "nobody"}, "customer_email"),
        ({"customer": "cus_none", "customer_email": "a@example.org"}, "customer"),
        ({"discounts": [{"coupon": "x"}], "allow_promotion_codes": True}, "discounts"),
        ({"discounts": [{"coupon": "none"}]}, "discounts[0][coupon]"),
        ({"line_items": [{"price": "price_none", "quantity": 1}]}, "line_items[0][price]"),
        ({"locale": "xx"}, "locale"),
        ({"custom_text": {"submit": {"message": "m" * 1201}}}, "custom_text[submit][message]"),
        ({"after_expiration": {"recovery": {"enabled": True}}}, "after_expiration"),
        ({"color": "red"}, "color"),
        ({"client_reference_id": "r" * 201}, "client_reference_id"),
    ],
)
def test_a_bad_session_is_refused_and_leaves_nothing(driver: Driver, change: dict[str, Any], param: str) -> None:
    price = driver.price()
    if "expires_at" in change:
        change = {"expires_at": int(time.time()) + change["expires_at"]}

    with pytest.raises(stripe.InvalidRequestError) as refused:
        driver.session(price, **change)

    assert refused.value.param == param
    assert driver.stripe.v1.checkout.sessions.list().data == []


@pytest.mark.parametrize("quantity", [0, -1, 1_000_000])
def test_a_quantity_is_at_least_one(driver: Driver, quantity: int) -> None:
    price = driver.price()

    with pytest.raises(stripe.InvalidRequestError) as refused:
        driver.session(line_items=[{"price": price, "quantity": quantity}])

    assert refused.value.param == "line_items[0][quantity]"


@pytest.mark.parametrize(
    ("currency", "amount", "code"),
    [("usd", 49, "amount_too_small"), ("jpy", 49, "amount_too_small"), ("usd", 100_000_000, "amount_too_large")],
)
def test_totals_have_stripes_limits(driver: Driver, currency: str, amount: int, code: str) -> None:
    price = driver.price(amount, currency)

    with pytest.raises(stripe.InvalidRequestError) as refused:
        driver.session(price)

    assert refused.value.code == code


def test_currencies_do_not_mix(driver: Driver) -> None:
    dollars, euros = driver.price(900), driver.price(900, "eur")

    with pytest.raises(stripe.InvalidRequestError):
        driver.session(line_items=[{"price": dollars, "quantity": 1}, {"price": euros, "quantity": 1}])


def test_an_archived_price_is_not_sold(driver: Driver) -> None:
    price = driver.price()
    driver.stripe.v1.prices.update(price, {"active": False})

    with pytest.raises(stripe.InvalidRequestError) as refused:
        driver.session(price)

    assert refused.value.param == "line_items[0][price]"


def test_only_an_open_session_expires(driver: Driver) -> None:
    session = driver.session()
    driver.stripe.v1.checkout.sessions.expire(session.id)

    with pytest.raises(stripe.InvalidRequestError):
        driver.stripe.v1.checkout.sessions.expire(session.id)

    expired = driver.stripe.v1.checkout.sessions.retrieve(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    assert len(driver.stripe.v1.events.list({"type": "checkout.session.expired"}).data) == 1


def test_a_session_expires_by_itself(driver: Driver) -> None:
    session = driver.session(expires_at=int(time.time()) + 1800)

    assert driver.control("/tick", {"seconds": 1795})[1] == {"done": 0}
    assert driver.control("/tick", {"seconds": 1805})[1] == {"done": 1}

    assert driver.stripe.v1.checkout.sessions.retrieve(session.id).status == "expired"
    status, answer = driver.control(f"/pay/{session.id}")
    assert (status, answer["status"]) == (409, "expired")


def test_sessions_are_found_by_payment_status_and_customer(driver: Driver) -> None:
    customer = driver.stripe.v1.customers.create({"email": "maya@example.org"})
    price = driver.price()
    bought = driver.session(price, customer=customer.id)
    driver.session(price)
    intent = driver.pay(bought.id)["payment_intent"]

    sessions = driver.stripe.v1.checkout.sessions
    for params in ({"payment_intent": intent}, {"status": "complete"}, {"customer": customer.id}):
        assert [each.id for each in sessions.list(params).data] == [bought.id]  # type: ignore[arg-type]


def test_a_guest_becomes_a_customer_only_if_asked(driver: Driver) -> None:
    price = driver.price()
    guest, kept = driver.session(price), driver.session(price, customer_creation="always")

    driver.pay(guest.id, email="maya@example.org")
    driver.pay(kept.id, email="maya@example.org")

    sessions = driver.stripe.v1.checkout.sessions
    assert sessions.retrieve(guest.id).customer is None
    customer = sessions.retrieve(kept.id, {"expand": ["customer"]}).customer
    assert isinstance(customer, stripe.Customer)
    assert customer.email == "maya@example.org"


def test_metadata_reaches_the_payment_only_by_payment_intent_data(driver: Driver) -> None:
    session = driver.session(metadata={"order": "s"}, payment_intent_data={"metadata": {"order": "p"}})
    intent_id = driver.pay(session.id)["payment_intent"]

    intent = driver.stripe.v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]})

    assert intent.metadata.to_dict() == {"order": "p"}
    assert intent.latest_charge.metadata.to_dict() == {"order": "p"}  # type: ignore[union-attr]
