"""Promotion codes at checkout: what is shown is what is charged, limits hold, and unused uses come back."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.catalog.models import Product, PromotionCode
from app.catalog.promotion_codes import create_code, disable_code
from app.checkout.errors import CodeUnusable, EmailNeeded
from app.checkout.models import Order, PromotionRedemption
from app.db import db
from app.enrollment.services import list_open_course_ids
from app.errors import InvalidInput
from tests.checkout.conftest import Shop
from tests.factories import get_price, make_course, make_user


def uses(code: str = "LAUNCH20") -> int:
    db.session.rollback()
    return db.session.scalars(select(PromotionCode.redeemed_count).where(PromotionCode.code == code)).one()


def redemption() -> tuple[str, int]:
    db.session.rollback()
    row = db.session.scalars(select(PromotionRedemption)).one()
    return row.status, row.amount


def order_count() -> int:
    return len(db.session.scalars(select(Order.id)).all())


def test_percentage_is_charged_as_quoted_and_counted_once(shop: Shop) -> None:
    user, course = make_user(), make_course(unit_amount=9999)
    create_code("LAUNCH20", percent_off=20, max_redemptions=5)

    started = shop.begin(course, user=user, code=" launch20 ")

    assert started.total_amount == 7999
    session = shop.stripe(f"/v1/checkout/sessions/{started.stripe_checkout_session_id}")
    assert (session["amount_subtotal"], session["amount_total"]) == (9999, 7999)
    assert session["total_details"]["amount_discount"] == 2000
    assert (uses(), redemption()) == (1, ("reserved", 2000))

    shop.pay(started)
    shop.deliver_all()

    order = shop.order(started)
    assert (order.state, order.subtotal_amount, order.discount_amount, order.total_amount) == ("paid", 9999, 2000, 7999)
    assert (uses(), redemption()) == (1, ("redeemed", 2000))
    assert list_open_course_ids(user_id=user.id) == {course.id}


@pytest.mark.parametrize(
    ("currency", "unit_amount", "terms", "total_amount"),
    [
        ("usd", 9700, {"amount_off": 2000, "currency": "usd"}, 7700),
        ("jpy", 5000, {"percent_off": 33}, 3350),
        ("kwd", 5000, {"percent_off": 33}, 3350),
        ("usd", 9700, {"percent_off": 1}, 9603),
        ("eur", 333, {"percent_off": 50}, 166),
    ],
)
def test_every_kind_of_discount_is_exact_in_stripe(
    shop: Shop, currency: str, unit_amount: int, terms: dict[str, Any], total_amount: int
) -> None:
    course = make_course(unit_amount=unit_amount, currency=currency)
    create_code("LAUNCH20", **terms)

    started = shop.begin(course, code="LAUNCH20")

    session = shop.stripe(f"/v1/checkout/sessions/{started.stripe_checkout_session_id}")
    assert (session["amount_total"], session["currency"], started.total_amount) == (
        total_amount,
        currency,
        total_amount,
    )


def test_orders_with_the_same_discount_share_one_coupon(shop: Shop) -> None:
    course = make_course(unit_amount=9700)
    create_code("LAUNCH20", percent_off=20)

    for browser in ("b1", "b2", "b3"):
        shop.begin(course, browser=browser, code="LAUNCH20")

    coupons = shop.stripe("/v1/coupons?limit=100")["data"]
    assert [(each["amount_off"], each["currency"], each["name"]) for each in coupons] == [(1940, "usd", "LAUNCH20")]


@pytest.mark.parametrize("percent_off", [100, 99])
def test_nothing_left_to_charge_enrolls_without_stripe(shop: Shop, percent_off: int) -> None:
    # A single percent of 40.00 is 40 cents, less than a card can be charged: it is waived.
    user, course = make_user(), make_course(unit_amount=4000)
    create_code("LAUNCH20", percent_off=percent_off)

    started = shop.begin(course, user=user, code="LAUNCH20")

    assert (started.url, started.state, started.total_amount) == (None, "paid", 0)
    order = shop.order(started)
    assert (order.subtotal_amount, order.discount_amount, order.number) == (4000, 4000, 1001)
    assert list_open_course_ids(user_id=user.id) == {course.id}
    assert shop.stripe("/v1/checkout/sessions")["data"] == []
    assert (uses(), redemption()) == (1, ("redeemed", 4000))


def test_guest_with_nothing_to_pay_is_asked_for_an_address(shop: Shop) -> None:
    course = make_course()
    create_code("LAUNCH20", percent_off=100)

    with pytest.raises(EmailNeeded):
        shop.begin(course, code="LAUNCH20")

    assert (order_count(), uses()) == (0, 0)


@pytest.mark.parametrize(
    ("terms", "wish"),
    [
        ({"percent_off": 20}, {"code": "NOT-THIS-ONE"}),
        ({"percent_off": 20}, {"code": "LAUNCH20; DROP"}),
        ({"percent_off": 20}, {"code": "L" * 60}),
        ({"percent_off": 20, "minimum_quantity": 3}, {"code": "LAUNCH20", "quantity": 2}),
        ({"amount_off": 500, "currency": "eur"}, {"code": "LAUNCH20"}),
        ({"percent_off": 20, "starts_at": "later"}, {"code": "LAUNCH20"}),
        ({"percent_off": 20, "ends_at": "now"}, {"code": "LAUNCH20"}),
        ({"percent_off": 20, "product_ids": "other"}, {"code": "LAUNCH20"}),
    ],
)
def test_code_that_does_not_count_is_refused_in_the_same_words(
    shop: Shop, moving_clock: Any, terms: dict[str, Any], wish: dict[str, Any]
) -> None:
    course, other = make_course(), make_course()
    if terms.get("starts_at") == "later":
        terms = {**terms, "starts_at": clock.now() + timedelta(days=1)}
    if terms.get("ends_at") == "now":
        terms = {**terms, "ends_at": clock.now() + timedelta(minutes=1)}
    if terms.get("product_ids") == "other":
        terms = {**terms, "product_ids": [get_price(other).product_id]}
    create_code("LAUNCH20", **terms)
    if "ends_at" in terms:
        moving_clock.advance(minutes=2)

    with pytest.raises(CodeUnusable) as refused:
        shop.begin(course, user=make_user(), **wish)

    assert refused.value.sentence == "This code can’t be used for this purchase. Check its spelling, or leave it out."
    assert (order_count(), uses()) == (0, 0)
    assert db.session.scalars(select(Product.taken_seats)).all() == [0, 0]


def test_disabled_or_used_up_code_gives_the_same_answer_as_an_unknown_one(shop: Shop) -> None:
    course = make_course()
    create_code("LAUNCH20", percent_off=20, max_redemptions=1)
    shop.begin(course, browser="b1", code="LAUNCH20")

    with pytest.raises(CodeUnusable) as used_up:
        shop.begin(course, browser="b2", code="LAUNCH20")
    disable_code("LAUNCH20")
    with pytest.raises(CodeUnusable) as disabled:
        shop.begin(course, browser="b3", code="LAUNCH20")

    assert used_up.value.sentence == disabled.value.sentence == CodeUnusable().sentence
    assert (order_count(), uses()) == (1, 1)


def test_code_limited_to_products_counts_for_them(shop: Shop) -> None:
    course = make_course(unit_amount=9700)
    create_code("LAUNCH20", percent_off=20, product_ids=[get_price(course).product_id])

    assert shop.begin(course, code="LAUNCH20").total_amount == 7760


def test_second_click_keeps_the_reservation_of_the_last_use(shop: Shop) -> None:
    course = make_course()
    create_code("LAUNCH20", percent_off=20, max_redemptions=1)

    first = shop.begin(course, code="LAUNCH20")
    second = shop.begin(course, code="LAUNCH20")

    assert first == second
    assert uses() == 1


def test_each_person_uses_a_code_as_often_as_its_limit_says(shop: Shop) -> None:
    course, other = make_course(), make_course()
    maya = make_user(email="maya@example.org")
    create_code("LAUNCH20", percent_off=20, per_customer_limit=1)
    started = shop.begin(course, user=maya, code="LAUNCH20")
    shop.pay(started)
    shop.deliver_all()

    with pytest.raises(CodeUnusable):
        shop.begin(other, user=maya, code="LAUNCH20")
    # The same person as a guest, in another spelling of the address.
    with pytest.raises(CodeUnusable):
        shop.begin(other, browser="b2", email="maya@example.org", code="LAUNCH20")
    assert shop.begin(other, browser="b3", email="ben@example.org", code="LAUNCH20").total_amount == 7760
    assert uses() == 2


def test_guest_names_an_address_where_a_code_counts_by_person(shop: Shop) -> None:
    course = make_course()
    create_code("LAUNCH20", percent_off=20, per_customer_limit=1)

    with pytest.raises(EmailNeeded):
        shop.begin(course, code="LAUNCH20")

    assert (order_count(), uses()) == (0, 0)


def test_use_comes_back_when_the_checkout_expires(shop: Shop) -> None:
    course = make_course()
    create_code("LAUNCH20", percent_off=20, max_redemptions=1)
    started = shop.begin(course, code="LAUNCH20")

    shop.expire(started)
    shop.deliver_all()

    assert shop.order(started).state == "expired"
    assert (uses(), redemption()[0]) == (0, "released")
    assert shop.begin(course, browser="b2", code="LAUNCH20").total_amount == 7760


def test_use_comes_back_when_a_delayed_payment_fails(shop: Shop) -> None:
    create_code("LAUNCH20", percent_off=20, max_redemptions=1)
    started = shop.begin(make_course(), code="LAUNCH20")
    shop.pay(started, method="bank_debit")
    shop.deliver_all()
    assert (shop.order(started).state, uses()) == ("processing", 1)

    shop.control(f"/settle/{started.stripe_checkout_session_id}", {"outcome": "failed"})
    shop.deliver_all()

    assert (shop.order(started).state, uses(), redemption()[0]) == ("failed", 0, "released")


def test_use_comes_back_with_the_whole_money_and_not_with_a_part(shop: Shop) -> None:
    create_code("LAUNCH20", percent_off=20, max_redemptions=1)
    started = shop.begin(make_course(unit_amount=10_000), code="LAUNCH20")
    shop.pay(started)
    shop.deliver_all()
    payment_intent = shop.order(started).stripe_payment_intent_id

    shop.control(f"/refund/{payment_intent}", {"amount": 3000})
    shop.deliver_all()
    assert (shop.order(started).state, uses()) == ("partially_refunded", 1)

    shop.control(f"/refund/{payment_intent}", {"amount": 5000})
    shop.deliver_all()
    assert (shop.order(started).state, uses(), redemption()[0]) == ("refunded", 0, "released")


def test_price_with_a_code_stands_although_the_code_ended_before_the_payment(shop: Shop) -> None:
    user, course = make_user(), make_course(unit_amount=10_000)
    create_code("LAUNCH20", percent_off=20)
    started = shop.begin(course, user=user, code="LAUNCH20")

    disable_code("LAUNCH20")
    shop.pay(started)
    shop.deliver_all()

    assert (shop.order(started).state, shop.order(started).total_amount) == ("paid", 8000)
    assert list_open_course_ids(user_id=user.id) == {course.id}
    assert uses() == 1


def test_more_than_one_payment_can_be_is_refused_before_anything_is_written(shop: Shop) -> None:
    with pytest.raises(InvalidInput) as refused:
        shop.begin(make_course(unit_amount=9_999_999), quantity=100)

    assert (refused.value.field, order_count()) == ("quantity", 0)
