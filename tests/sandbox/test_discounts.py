"""Coupons and promotion codes on sessions: exact amounts, limits, and what counts as a use."""

import time
from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import Driver


def _coupon(driver: Driver, **params: Any) -> str:
    return driver.stripe.v1.coupons.create({"duration": "once", **params}).id


def _discounted(driver: Driver, coupon: str, price: str | None = None, **more: Any) -> stripe.checkout.Session:
    return driver.session(price, discounts=[{"coupon": coupon}], expand=["line_items"], **more)


@pytest.mark.parametrize(
    ("amount", "currency", "coupon", "total"),
    [
        (9700, "usd", {"amount_off": 1940, "currency": "usd"}, 7760),
        (9700, "usd", {"percent_off": 20}, 7760),
        (9999, "usd", {"percent_off": 33.33}, 6666),
        (1001, "usd", {"percent_off": 50}, 500),
        (500, "jpy", {"percent_off": 12.5}, 437),
        (5000, "kwd", {"amount_off": 1500, "currency": "kwd"}, 3500),
        (900, "usd", {"amount_off": 5000, "currency": "usd"}, 0),
    ],
)
def test_a_discount_is_exact_to_the_minor_unit(
    driver: Driver, amount: int, currency: str, coupon: dict[str, Any], total: int
) -> None:
    session = _discounted(driver, _coupon(driver, **coupon), driver.price(amount, currency))

    assert session.total_details is not None
    assert session.line_items is not None
    assert (session.amount_subtotal, session.amount_total) == (amount, total)
    assert session.total_details.amount_discount == amount - total
    assert [(line.amount_discount, line.amount_total) for line in session.line_items.data] == [(amount - total, total)]
    assert session.payment_status == ("unpaid" if total else "no_payment_required")


@pytest.mark.parametrize(
    ("currency", "least"), [("usd", 50), ("eur", 50), ("gbp", 30), ("jpy", 50), ("sek", 300), ("huf", 17500)]
)
def test_a_rest_below_the_minimum_charge_is_refused_and_zero_is_not(driver: Driver, currency: str, least: int) -> None:
    price = driver.price(least * 2, currency)

    with pytest.raises(stripe.InvalidRequestError) as refused:
        _discounted(driver, _coupon(driver, amount_off=least + 1, currency=currency), price)
    exactly = _discounted(driver, _coupon(driver, amount_off=least, currency=currency), price)
    nothing = _discounted(driver, _coupon(driver, amount_off=least * 2, currency=currency), price)

    assert refused.value.code == "amount_too_small"
    assert (exactly.amount_total, nothing.amount_total) == (least, 0)


def test_an_amount_in_another_currency_is_refused(driver: Driver) -> None:
    coupon = _coupon(driver, amount_off=500, currency="eur")

    with pytest.raises(stripe.InvalidRequestError) as refused:
        _discounted(driver, coupon)

    assert refused.value.param == "discounts[0][coupon]"


def test_a_coupon_under_a_chosen_id_is_made_once(driver: Driver) -> None:
    made = driver.stripe.v1.coupons.create({"id": "app_code_1940usd", "amount_off": 1940, "currency": "usd"})

    with pytest.raises(stripe.InvalidRequestError) as refused:
        driver.stripe.v1.coupons.create({"id": "app_code_1940usd", "amount_off": 1940, "currency": "usd"})

    assert (made.id, refused.value.http_status, refused.value.code) == (
        "app_code_1940usd",
        400,
        "resource_already_exists",
    )
    assert len(driver.stripe.v1.coupons.list().data) == 1


def test_a_use_counts_when_the_session_is_complete_and_the_last_one_ends_the_coupon(driver: Driver) -> None:
    coupon = _coupon(driver, percent_off=10, max_redemptions=1)
    session = _discounted(driver, coupon)
    before = driver.stripe.v1.coupons.retrieve(coupon)

    driver.pay(session.id)

    after = driver.stripe.v1.coupons.retrieve(coupon)
    assert [(each.times_redeemed, each.valid) for each in (before, after)] == [(0, True), (1, False)]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        _discounted(driver, coupon)
    assert refused.value.code == "coupon_expired"


def test_an_expired_session_uses_nothing(driver: Driver) -> None:
    coupon = _coupon(driver, percent_off=10)
    session = _discounted(driver, coupon)

    driver.stripe.v1.checkout.sessions.expire(session.id)

    assert driver.stripe.v1.coupons.retrieve(coupon).times_redeemed == 0


def test_a_coupon_ends_by_the_clock_but_an_open_session_keeps_it(driver: Driver) -> None:
    coupon = _coupon(driver, percent_off=10, redeem_by=int(time.time()) + 3600)
    session = _discounted(driver, coupon)

    driver.control("/clock", {"advance_seconds": 3700})

    assert driver.stripe.v1.coupons.retrieve(coupon).valid is False
    assert driver.stripe.v1.coupons.list().data[0].valid is False
    with pytest.raises(stripe.InvalidRequestError):
        _discounted(driver, coupon)
    intent = driver.stripe.v1.payment_intents.retrieve(driver.pay(session.id)["payment_intent"])
    assert intent.amount_received == 8730


def test_a_deleted_coupon_does_not_change_an_open_session(driver: Driver) -> None:
    coupon = _coupon(driver, percent_off=10)
    session = _discounted(driver, coupon)

    driver.stripe.v1.coupons.delete(coupon)

    assert driver.stripe.v1.payment_intents.retrieve(driver.pay(session.id)["payment_intent"]).amount == 8730


def test_only_name_and_metadata_of_a_coupon_change(driver: Driver) -> None:
    coupon = _coupon(driver, percent_off=10)

    changed = driver.stripe.v1.coupons.update(coupon, {"name": "Launch", "metadata": {"code": "1"}})

    assert (changed.name, changed.to_dict()["metadata"], changed.percent_off) == ("Launch", {"code": "1"}, 10)
    assert driver.api("POST", f"/v1/coupons/{coupon}", "percent_off=20")[0] == 400
    assert len(driver.stripe.v1.events.list({"type": "coupon.updated"}).data) == 1


def test_a_promotion_code_gives_its_coupons_discount_and_counts_both(driver: Driver) -> None:
    coupon = _coupon(driver, percent_off=50)
    code = driver.stripe.v1.promotion_codes.create(
        {"promotion": {"type": "coupon", "coupon": coupon}, "code": "LAUNCH", "max_redemptions": 1}
    )

    session = driver.session(discounts=[{"promotion_code": code.id}])
    driver.pay(session.id)

    assert session.amount_total == 4850
    assert session.discounts is not None
    assert [(each.coupon, each.promotion_code) for each in session.discounts] == [(None, code.id)]
    used = driver.stripe.v1.promotion_codes.retrieve(code.id)
    assert (used.times_redeemed, used.active) == (1, False)
    assert driver.stripe.v1.coupons.retrieve(coupon).times_redeemed == 1
    with pytest.raises(stripe.InvalidRequestError):
        driver.session(discounts=[{"promotion_code": code.id}])


def test_a_promotion_code_is_unique_while_active_whatever_its_case(driver: Driver) -> None:
    params: Any = {"promotion": {"type": "coupon", "coupon": _coupon(driver, percent_off=50)}, "code": "Launch"}
    first = driver.stripe.v1.promotion_codes.create(params)

    with pytest.raises(stripe.InvalidRequestError) as refused:
        driver.stripe.v1.promotion_codes.create(params | {"code": "LAUNCH"})
    driver.stripe.v1.promotion_codes.update(first.id, {"active": False})
    second = driver.stripe.v1.promotion_codes.create(params | {"code": "LAUNCH"})
    with pytest.raises(stripe.InvalidRequestError):
        driver.stripe.v1.promotion_codes.update(first.id, {"active": True})

    assert refused.value.param == "code"
    active = driver.stripe.v1.promotion_codes.list({"active": True}).data
    assert [each.id for each in active] == [second.id]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"code": "two words"}, "code"),
        ({"max_redemptions": 11}, "max_redemptions"),
        ({"expires_at": 60}, "expires_at"),
        ({"customer": "cus_none"}, "customer"),
        ({"promotion": {"type": "coupon", "coupon": "none"}}, "promotion[coupon]"),
        ({"promotion": {"type": "coupon"}}, "promotion[coupon]"),
        ({"restrictions": {"minimum_amount": 100}}, "restrictions[minimum_amount_currency]"),
        ({"restrictions": {"first_time_transaction": True}}, "restrictions[first_time_transaction]"),
    ],
)
def test_a_bad_promotion_code_is_refused(driver: Driver, change: dict[str, Any], param: str) -> None:
    coupon = _coupon(driver, percent_off=50, max_redemptions=10)
    params: Any = {"promotion": {"type": "coupon", "coupon": coupon}} | change

    with pytest.raises(stripe.InvalidRequestError) as refused:
        driver.stripe.v1.promotion_codes.create(params)

    assert refused.value.param == param
    assert driver.stripe.v1.promotion_codes.list().data == []


def test_a_promotion_code_can_ask_for_a_larger_order_or_one_customer(driver: Driver) -> None:
    coupon = _coupon(driver, percent_off=50)
    promotion: Any = {"type": "coupon", "coupon": coupon}
    customer = driver.stripe.v1.customers.create({"email": "maya@example.org"}).id
    larger = driver.stripe.v1.promotion_codes.create(
        {"promotion": promotion, "restrictions": {"minimum_amount": 10_000, "minimum_amount_currency": "usd"}}
    )
    own = driver.stripe.v1.promotion_codes.create({"promotion": promotion, "customer": customer})
    price = driver.price(5000)

    with pytest.raises(stripe.InvalidRequestError):
        driver.session(price, discounts=[{"promotion_code": larger.id}])
    with pytest.raises(stripe.InvalidRequestError):
        driver.session(price, discounts=[{"promotion_code": own.id}])
    with pytest.raises(stripe.InvalidRequestError):
        driver.session(price, discounts=[{"promotion_code": own.id, "coupon": coupon}])

    lines = [{"price": price, "quantity": 2}]
    assert driver.session(line_items=lines, discounts=[{"promotion_code": larger.id}]).amount_total == 5000
    assert driver.session(price, customer=customer, discounts=[{"promotion_code": own.id}]).amount_total == 2500
