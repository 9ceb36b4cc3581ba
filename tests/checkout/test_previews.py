"""What would change, told whole before it does; and prices and codes at the very edge of what they allow."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from app import clock
from app.catalog.promotion_codes import create_code
from app.checkout.choices import get_choice
from app.checkout.errors import AmountMismatch, CodeUnusable
from app.checkout.models import Order
from app.checkout.preview import Difference, Mail, NewEntry, SeatChange, preview_settle
from app.checkout.quote import Quote, make_quote
from app.checkout.settle import settle
from app.db import transaction
from app.errors import InvalidInput
from tests.checkout.conftest import Shop
from tests.checkout.money import findings, give_back, open_second_session, payment_intent, seat_statuses, sums
from tests.conftest import MovableClock
from tests.factories import get_price, make_course, make_user

# Previews


def test_payment_that_nobody_told_of_is_foreseen_and_not_written(shop: Shop) -> None:
    course = make_course(unit_amount=9700)
    started = shop.begin(course, quantity=2)
    shop.pay(started, email="guest@example.org", name="Gia Guest")
    order = shop.order(started)
    charge_id = shop.stripe(f"/v1/payment_intents/{payment_intent(shop, started)}")["latest_charge"]

    foreseen = preview_settle(order_id=order.id)

    first_mail, second_mail = foreseen.mails
    assert first_mail.key.startswith("claim:seat_")
    assert foreseen == Difference(
        order_id=order.id,
        order_public_id=order.public_id,
        order_number="NSL-1001",
        state_before="pending",
        state_after="paid",
        columns=foreseen.columns,
        entries=(NewEntry(kind="payment", stripe_object_id=charge_id, amount=19_400, currency="usd"),),
        seats=tuple(
            SeatChange(title=course.title, position=position, before="", after="active") for position in (1, 2)
        ),
        mails=(
            Mail(key=first_mail.key, template="claim_seat"),
            Mail(key=f"receipt:{order.public_id}", template="receipt"),
        ),
    )
    assert second_mail.template == "receipt"
    assert {"number", "email", "state", "paid_at", "stripe_payment_intent_id"} < set(foreseen.columns)
    assert not {"id", "public_id", "created_at", "read_started_at", "check_after"} & set(foreseen.columns)
    assert (shop.order(started).state, seat_statuses(), sums(order.id)) == ("pending", [], (0, 0, 0))
    settle(order_id=order.id)
    after = preview_settle(order_id=order.id)
    assert after.is_empty
    assert (after.order_number, after.state_before, after.state_after) == ("NSL-1001", "paid", "paid")


def test_refunds_and_a_second_payment_that_nobody_told_of_are_foreseen(shop: Shop) -> None:
    course = make_course(unit_amount=9700)
    started = shop.begin(course, user=make_user())
    again = open_second_session(shop.order(started).id)
    shop.pay(started)
    settle(order_id=shop.order(started).id)
    assert again.stripe_checkout_session_id is not None
    order = shop.order(started)
    shop.control(f"/refund/{payment_intent(shop, started)}")
    refund_id = shop.stripe("/v1/refunds")["data"][0]["id"]

    foreseen = preview_settle(order_id=order.id)

    assert foreseen == Difference(
        order_id=order.id,
        order_public_id=order.public_id,
        order_number="NSL-1001",
        state_before="paid",
        state_after="refunded",
        columns=("state",),
        entries=(NewEntry(kind="refund", stripe_object_id=refund_id, amount=9700, currency="usd"),),
        seats=(SeatChange(title=course.title, position=1, before="active", after="revoked"),),
        mails=(Mail(key=f"refund:{refund_id}", template="order_refunded"),),
    )
    assert not foreseen.is_empty


def test_second_payment_that_nobody_told_of_is_foreseen_with_its_return(shop: Shop) -> None:
    course = make_course(unit_amount=9700)
    # Another order's refund stands in the books already.
    give_back(shop.buy(make_course(unit_amount=500), user=make_user()), amount=100)
    started = shop.begin(course, user=make_user())
    again = open_second_session(shop.order(started).id)
    shop.pay(started)
    shop.pay(again)
    order = shop.order(started)
    intents = [shop.stripe(f"/v1/payment_intents/{payment_intent(shop, each)}") for each in (started, again)]
    entries = [
        NewEntry(kind="payment", stripe_object_id=intent["latest_charge"], amount=9700, currency="usd")
        for intent in intents
    ]

    foreseen = preview_settle(order_id=order.id)

    assert foreseen.entries == tuple(sorted(entries, key=lambda each: each.stripe_object_id))
    [refund] = foreseen.refunds
    assert refund in {f"second-payment:{each.stripe_object_id}" for each in entries}
    assert (foreseen.findings, foreseen.resolved) == ((refund,), ())
    assert [mail for mail in foreseen.mails if mail.template != "receipt"] == [
        Mail(key=f"returned:{refund}", template="order_returned")
    ]
    shop.deliver_all()
    after = preview_settle(order_id=order.id)
    assert (after.refunds, after.findings) == ((), ())


def test_paid_session_that_is_not_as_ordered_is_foreseen_as_that(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started)
    with transaction() as session:
        session.execute(update(Order).values(total_amount=9600))
    order = shop.order(started)

    foreseen = preview_settle(order_id=order.id)

    assert foreseen.mismatch is not None
    assert foreseen == Difference(
        order_id=order.id,
        order_public_id=order.public_id,
        order_number="",
        state_before="pending",
        state_after="pending",
        mismatch=foreseen.mismatch,
    )
    assert not foreseen.is_empty
    with pytest.raises(AmountMismatch):
        settle(order_id=order.id)
    assert findings() == [("amount_mismatch", foreseen.mismatch, None)]


# Quotes


def test_quote_is_the_price_times_the_seats_less_the_code(shop: Shop) -> None:
    choice = get_choice(get_price(make_course(unit_amount=1000)).public_id)
    create_code("LAUNCH20", percent_off=20, minimum_quantity=3)

    plain, dear = make_quote(choice, quantity=3), make_quote(choice, quantity=3, code=" launch20 ")

    assert plain == Quote(
        unit_amount=1000, quantity=3, currency="usd", subtotal_amount=3000, discount_amount=0, promotion_code=None
    )
    assert dear.promotion_code is not None
    assert replace(dear, promotion_code=None) == replace(plain, discount_amount=600)
    assert (plain.total_amount, dear.total_amount) == (3000, 2400)
    assert make_quote(choice, quantity=3, code="  ") == plain


def test_more_than_one_charge_can_be_is_refused_with_its_reason(shop: Shop) -> None:
    choice = get_choice(get_price(make_course(unit_amount=99_999_999)).public_id)

    assert make_quote(choice, quantity=1).total_amount == 99_999_999
    with pytest.raises(InvalidInput) as refused:
        make_quote(choice, quantity=2)

    assert refused.value.sentence == "That’s more than one card payment can be. Buy fewer seats at a time."
    assert refused.value.field == "quantity"


@pytest.mark.parametrize(("unit_amount", "total_amount"), [(99, 0), (100, 50), (101, 51)])
def test_rest_below_the_smallest_charge_is_waived(shop: Shop, unit_amount: int, total_amount: int) -> None:
    choice = get_choice(get_price(make_course(unit_amount=unit_amount)).public_id)
    create_code("HALF", amount_off=50, currency="usd")

    assert make_quote(choice, quantity=1, code="HALF").total_amount == total_amount


def test_code_counts_from_its_first_moment_to_before_its_last(shop: Shop, moving_clock: MovableClock) -> None:
    moving_clock.freeze(clock.now().replace(microsecond=0))
    course = make_course(unit_amount=1000)
    first, last = clock.now() + timedelta(hours=1), clock.now() + timedelta(hours=2)
    create_code("HOUR", percent_off=20, starts_at=first, ends_at=last)

    def total(browser: str) -> int | None:
        try:
            return shop.begin(course, browser=browser, code="HOUR").total_amount
        except CodeUnusable:
            return None

    moving_clock.advance(minutes=59, seconds=59)
    assert total("b1") is None
    moving_clock.advance(seconds=1)
    assert total("b2") == 800
    moving_clock.advance(minutes=59, seconds=59)
    assert total("b3") == 800
    moving_clock.advance(seconds=1)
    assert total("b4") is None
