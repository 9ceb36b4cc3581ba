"""What settle() makes of readings that Stripe rarely gives: other sums, no address, nothing to pay, too late."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, select, update

import app.checkout.services as services_module
from app import clock
from app.catalog.models import Product
from app.catalog.promotion_codes import create_code
from app.checkout.apply import apply_money, close_unpaid
from app.checkout.models import LedgerEntry, Order
from app.checkout.services import StartedCheckout
from app.checkout.settle import Reading, apply_reading, find_mismatch, lock_order, read_stripe
from app.db import db, transaction
from app.enrollment.services import list_open_course_ids
from tests.checkout.conftest import Shop
from tests.checkout.money import findings, mails, open_findings, seat_statuses
from tests.factories import make_course, make_user
from tests.interleaving import do_before


def read(shop: Shop, started: StartedCheckout, **changes: Any) -> Reading:
    """What Stripe says of an order of one session, with this changed in that session."""
    with transaction():
        order = lock_order(shop.order(started).id)
    reading = read_stripe(order)
    return replace(reading, sessions=tuple(replace(each, **changes) for each in reading.sessions))


def take_in(shop: Shop, started: StartedCheckout, reading: Reading) -> Order:
    with transaction():
        apply_reading(shop.order(started).id, reading)
    return shop.order(started)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mode": "setup"}, "Session {id} has mode setup."),
        ({"livemode": True}, "Session {id} has livemode True, the order False."),
        ({"currency": "eur"}, "Session {id} charged eur, the order says usd."),
        ({"amount_total": 9699}, "Session {id} charged 9699 usd, the order says 9700."),
        ({}, None),
    ],
)
def test_paid_session_that_is_not_as_ordered_is_named(
    shop: Shop, changes: dict[str, Any], sentence: str | None
) -> None:
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started)

    found = find_mismatch(shop.order(started), read(shop, started, **changes))

    assert found == (sentence and sentence.format(id=started.stripe_checkout_session_id))


def test_payment_in_another_currency_than_its_session_is_named(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started)
    reading = read(shop, started)
    payment = reading.payments[0]
    charges = tuple(replace(each, currency="eur") for each in payment.charges)

    found = find_mismatch(shop.order(started), replace(reading, payments=(replace(payment, charges=charges),)))

    assert found == f"Payment {payment.id} charged another currency than usd."


@pytest.mark.parametrize(
    ("typed", "kept"), [("Guest@Example.org", "guest@example.org"), (" Guest@Localhost ", "guest@localhost")]
)
def test_address_that_our_rules_refuse_is_kept_as_stripe_took_it(shop: Shop, typed: str, kept: str) -> None:
    started = shop.begin(make_course())
    shop.pay(started)

    order = take_in(shop, started, read(shop, started, email=typed))

    assert (order.state, order.email) == ("paid", kept)


def test_name_is_kept_as_far_as_there_is_room(shop: Shop) -> None:
    started = shop.begin(make_course())
    shop.pay(started)

    order = take_in(shop, started, read(shop, started, customer_name="N" * 201))

    assert order.customer_name == "N" * 200


def test_guest_without_any_address_is_enrolled_and_nobody_is_written_to(shop: Shop) -> None:
    started = shop.begin(make_course())
    shop.pay(started)

    order = take_in(shop, started, read(shop, started, email=None))

    assert (order.state, order.number, order.email, seat_statuses()) == ("paid", 1001, None, ["active"])
    assert mails("receipt") == []


def test_session_that_cost_nothing_is_paid_without_a_payment(shop: Shop) -> None:
    user, course = make_user(), make_course()
    started = shop.begin(course, user=user)
    with transaction() as session:
        session.execute(update(Order).values(total_amount=0))

    order = take_in(
        shop,
        started,
        read(shop, started, status="complete", payment_status="no_payment_required", amount_total=0),
    )

    assert (order.state, order.payment_method_label, order.stripe_payment_intent_id) == ("paid", "", None)
    assert list(db.session.execute(select(LedgerEntry.kind, LedgerEntry.amount))) == [("payment", 0)]
    assert list_open_course_ids(user_id=user.id) == {course.id}


def test_order_whose_payment_stripe_does_not_tell_of_any_more_stays_paid(shop: Shop) -> None:
    user, course = make_user(), make_course()
    started = shop.buy(course, user=user)
    with transaction() as session:
        session.execute(delete(LedgerEntry))

    order = take_in(shop, started, Reading(started_at=clock.now(), sessions=(), payments=()))

    assert order.state == "paid"
    assert list_open_course_ids(user_id=user.id) == {course.id}


def test_nothing_follows_from_a_ledger_without_payment(shop: Shop) -> None:
    started = shop.begin(make_course(), user=make_user())

    with pytest.raises(ValueError, match="needs a payment"), transaction():
        apply_money(lock_order(shop.order(started).id))

    assert shop.order(started).state == "pending"


@pytest.mark.parametrize("rivals", [0, 1])
def test_order_given_up_too_early_keeps_the_price_of_its_code(shop: Shop, rivals: int) -> None:
    course = make_course(unit_amount=10_000)
    create_code("LAST", percent_off=20, max_redemptions=1)
    started = shop.begin(course, code="LAST")
    shop.pay(started, method="bank_debit")
    shop.deliver_all()
    with transaction():
        close_unpaid(lock_order(shop.order(started).id), state="expired")
    for number in range(rivals):
        shop.begin(course, browser=f"rival{number}", code="LAST")

    shop.control(f"/settle/{started.stripe_checkout_session_id}", {"outcome": "succeeded"})
    shop.deliver_all()

    assert (shop.order(started).state, shop.order(started).total_amount) == ("paid", 8000)
    over = "Paid late with a code whose last use had gone to somebody else: one use more than its limit."
    assert findings() == [("code_over_limit", over, None)] * rivals
    shop.control(f"/refund/{shop.order(started).stripe_payment_intent_id}")
    shop.deliver_all()
    assert findings() == [("code_over_limit", over, "The order’s use was given back.")] * rivals


def test_free_order_after_the_last_seat_was_gone_is_named_and_gets_none(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, course = make_user(), make_course(unit_amount=0, capacity=1)

    def lose_the_seat() -> None:
        order = db.session.scalars(select(Order)).one()
        with transaction() as session:
            order = lock_order(order.id)
            order.items[0].held_quantity = 0
            session.execute(update(Product).values(taken_seats=1))

    do_before(monkeypatch, services_module, "settle_free_order", lose_the_seat)

    started = shop.begin(course, user=user)

    assert (shop.order(started).number, seat_statuses(), open_findings()) == (1001, [], ["late_payment"])
    assert findings()[0][1] == "Ordered for nothing after the last seat was gone."
    assert list_open_course_ids(user_id=user.id) == set()
