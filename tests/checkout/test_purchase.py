"""Buying a course: paid once, granted once, whatever arrives in whatever order."""

from itertools import permutations

import pytest
from sqlalchemy import func, select

from app.checkout.errors import AlreadyEnrolled, EmailNeeded, NotOnSale, SoldOut
from app.checkout.models import LedgerEntry, Order
from app.checkout.settle import settle
from app.db import db, transaction
from app.enrollment.models import Enrollment, Grant, Seat
from app.enrollment.services import list_open_course_ids
from app.mail.models import Message
from app.payments.models import StripeEvent
from tests.checkout.conftest import Shop
from tests.factories import get_price, make_course, make_user


def count(model: type) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def mail_keys() -> list[str]:
    db.session.rollback()
    return sorted(key.partition(":")[0] for key in db.session.scalars(select(Message.key)))


def test_signed_in_buyer_pays_and_may_open_the_course_at_once(shop: Shop) -> None:
    user = make_user()
    course = make_course(unit_amount=9700)

    started = shop.begin(course, user=user)
    assert started.total_amount == 9700
    assert list_open_course_ids(user_id=user.id) == set()
    shop.pay(started, card="4242424242424242")
    shop.deliver_all()

    order = shop.order(started)
    assert (order.state, order.number, order.email) == ("paid", 1001, user.email)
    assert order.payment_method_label == "Visa ending 4242"
    entry = db.session.scalars(select(LedgerEntry)).one()
    assert (entry.kind, entry.amount, entry.currency) == ("payment", 9700, "usd")
    assert list_open_course_ids(user_id=user.id) == {course.id}
    assert (count(Seat), count(Grant), count(Enrollment)) == (1, 1, 1)
    assert mail_keys() == ["receipt"]


def test_guest_gets_a_claim_link_and_no_account(shop: Shop) -> None:
    course = make_course()

    started = shop.begin(course)
    shop.pay(started, card="4242424242424242", email="Guest@Example.org")
    shop.deliver_all()

    order = shop.order(started)
    assert (order.state, order.email, order.user_id) == ("paid", "guest@example.org", None)
    assert (count(Seat), count(Grant)) == (1, 0)
    assert mail_keys() == ["claim", "receipt"]


def test_free_course_needs_no_stripe_and_no_card(shop: Shop) -> None:
    user = make_user()
    course = make_course(unit_amount=0)

    started = shop.begin(course, user=user)

    assert (started.url, started.state) == (None, "paid")
    assert list_open_course_ids(user_id=user.id) == {course.id}
    assert shop.events() == []


def test_free_course_asks_a_guest_for_the_address(shop: Shop) -> None:
    course = make_course(unit_amount=0)

    with pytest.raises(EmailNeeded):
        shop.begin(course)
    assert count(Order) == 0

    shop.begin(course, email="guest@example.org")
    assert mail_keys() == ["claim", "receipt"]


def test_second_click_gets_the_same_session(shop: Shop) -> None:
    course = make_course()
    user = make_user()

    first = shop.begin(course, user=user)
    second = shop.begin(course, user=user)

    assert second == first
    assert count(Order) == 1
    assert len(shop.stripe("/v1/checkout/sessions")["data"]) == 1


def test_click_after_paying_says_already_yours_before_any_webhook(shop: Shop) -> None:
    course = make_course()
    user = make_user()
    started = shop.begin(course, user=user)
    shop.pay(started)

    with pytest.raises(AlreadyEnrolled) as refused:
        shop.begin(course, user=user)

    assert refused.value.order_public_id == started.order_public_id
    assert shop.order(started).state == "paid"
    assert len(shop.stripe("/v1/checkout/sessions")["data"]) == 1


def test_guest_browser_that_paid_is_not_sold_the_same_again(shop: Shop) -> None:
    course = make_course()
    started = shop.begin(course, browser="b7")
    shop.pay(started, email="guest@example.org")
    shop.deliver_all()

    with pytest.raises(AlreadyEnrolled):
        shop.begin(course, browser="b7")
    other = shop.begin(course, browser="b8")
    assert other.order_public_id != started.order_public_id


def test_every_event_twice_and_in_every_order_ends_the_same(shop: Shop) -> None:
    user = make_user()
    course = make_course()
    started = shop.begin(course, user=user)
    shop.pay(started)
    wanted = {"checkout.session.completed", "payment_intent.succeeded", "charge.succeeded"}
    events = [event for event in shop.events() if event["type"] in wanted]
    assert len(events) == 3

    for order_of_arrival in permutations(events):
        for event in order_of_arrival:
            assert shop.send(event) == 200
        shop.work()

    assert (count(Order), count(Seat), count(Grant), count(LedgerEntry)) == (1, 1, 1, 1)
    assert mail_keys() == ["receipt"]
    states = set(db.session.scalars(select(StripeEvent.state)))
    assert states == {"handled", "ignored"}


def test_two_event_ids_for_one_fact_have_one_effect(shop: Shop) -> None:
    user = make_user()
    started = shop.buy(make_course(), user=user)
    completed = next(event for event in shop.events() if event["type"] == "checkout.session.completed")

    shop.send({**completed, "id": "evt_twin"})
    shop.work()

    assert (count(Grant), count(LedgerEntry)) == (1, 1)
    assert shop.order(started).number == 1001
    assert mail_keys() == ["receipt"]


def test_event_before_our_own_commit_of_the_session_is_granted(shop: Shop) -> None:
    user = make_user()
    course = make_course()
    started = shop.begin(course, user=user)
    with transaction():
        attempt = shop.attempts(started)[0]
        db.session.add(attempt)
        attempt.stripe_checkout_session_id = None
        attempt.url = None
    shop.pay(started)

    shop.deliver_all()

    assert shop.order(started).state == "paid"
    assert shop.attempts(started)[0].stripe_checkout_session_id == started.stripe_checkout_session_id
    assert list_open_course_ids(user_id=user.id) == {course.id}


def test_lost_webhooks_are_found_by_the_check_that_is_due(shop: Shop, moving_clock) -> None:
    user = make_user()
    course = make_course()
    started = shop.begin(course, user=user)
    shop.pay(started)
    shop.work()
    assert shop.order(started).state == "pending"

    moving_clock.advance(seconds=shop.settings.reconcile_interval_seconds + 1)
    shop.work()

    assert shop.order(started).state == "paid"
    assert list_open_course_ids(user_id=user.id) == {course.id}


def test_declined_card_leaves_the_session_open_for_another_try(shop: Shop) -> None:
    user = make_user()
    course = make_course()
    started = shop.begin(course, user=user)

    shop.pay(started, card="4000000000000002")
    shop.deliver_all()
    assert shop.order(started).state == "pending"
    assert list_open_course_ids(user_id=user.id) == set()

    shop.pay(started, card="4242424242424242")
    shop.deliver_all()
    assert shop.order(started).state == "paid"


def test_delayed_method_grants_only_when_the_money_came(shop: Shop) -> None:
    user = make_user()
    course = make_course()
    started = shop.begin(course, user=user)
    shop.pay(started, method="bank_debit")
    shop.deliver_all()
    assert shop.order(started).state == "processing"
    assert list_open_course_ids(user_id=user.id) == set()
    with pytest.raises(AlreadyEnrolled):
        shop.begin(course, user=user)

    shop.control(f"/settle/{started.stripe_checkout_session_id}", {"outcome": "succeeded"})
    shop.deliver_all()

    assert shop.order(started).state == "paid"
    assert list_open_course_ids(user_id=user.id) == {course.id}


def test_delayed_method_that_fails_ends_the_order_and_says_so(shop: Shop) -> None:
    user = make_user()
    course = make_course(capacity=1)
    started = shop.begin(course, user=user)
    shop.pay(started, method="bank_debit")
    shop.deliver_all()

    shop.control(f"/settle/{started.stripe_checkout_session_id}", {"outcome": "failed"})
    shop.deliver_all()

    assert shop.order(started).state == "failed"
    assert mail_keys() == ["payment-failed"]
    assert shop.begin(course, user=user).order_public_id != started.order_public_id


def test_expired_session_gives_the_seat_back(shop: Shop) -> None:
    course = make_course(capacity=1)
    first = shop.begin(course, browser="b1")
    with pytest.raises(SoldOut):
        shop.begin(course, browser="b2")

    shop.expire(first)
    shop.deliver_all()

    assert shop.order(first).state == "expired"
    assert shop.begin(course, browser="b2").state == "pending"


def test_retired_price_is_not_sold_and_open_sessions_keep_theirs(shop: Shop) -> None:
    user = make_user()
    course = make_course(unit_amount=9700)
    price = get_price(course)
    started = shop.begin(course, user=user)
    with transaction() as session:
        session.get_one(type(price), price.id).status = "retired"

    with pytest.raises(NotOnSale):
        shop.begin(course, browser="b9", price=price.public_id)
    shop.pay(started)
    shop.deliver_all()

    order = shop.order(started)
    assert (order.state, order.total_amount) == ("paid", 9700)


def test_settling_again_and_again_changes_nothing(shop: Shop) -> None:
    started = shop.buy(make_course(), user=make_user())

    for _ in range(3):
        settle(order_id=shop.order(started).id)

    assert (count(Grant), count(LedgerEntry), count(Message)) == (1, 1, 1)
