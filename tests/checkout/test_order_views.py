"""Who sees which order: by Stripe's session, by a mailed link, by the browser that began it, and by address."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app import clock
from app.checkout.claim_links import resend_claim_link
from app.checkout.order_links import ORDER_PURPOSE
from app.checkout.orders import (
    find_order_of_session,
    get_order_of_link,
    get_order_of_user,
    list_guest_course_ids,
    list_orders_of_user,
    list_timeline,
)
from app.checkout.resend import resend_order_mails
from app.checkout.seat_orders import change_gift, find_occasion, get_seat_order
from app.db import db
from app.errors import NotFound
from app.mail.models import Message
from app.signing import sign_link
from tests.accounts.people import SAME_ORIGIN, Browser
from tests.checkout.conftest import Shop
from tests.checkout.money import give_back, mails
from tests.conftest import MovableClock
from tests.enrollment.teams import sell, sell_gift
from tests.factories import make_course, make_user


def test_order_is_found_by_its_session_and_by_no_other(shop: Shop) -> None:
    started = shop.begin(make_course())

    found = find_order_of_session(stripe_checkout_session_id=str(started.stripe_checkout_session_id))

    assert found is not None
    assert found.public_id == started.order_public_id
    assert find_order_of_session(stripe_checkout_session_id="cs_other") is None


@pytest.mark.parametrize("value", ["ord_unknown", ["ord_unknown"], 7])
def test_link_that_names_no_order_shows_none(app: Flask, value: Any) -> None:
    with pytest.raises(NotFound):
        get_order_of_link(sign_link(ORDER_PURPOSE, value))


def test_guest_opens_the_course_for_a_day_in_the_browser_that_paid(shop: Shop, moving_clock: MovableClock) -> None:
    course = make_course()
    started = shop.begin(course)
    shop.pay(started, email="guest@example.org")
    own = [started.order_public_id]
    assert list_guest_course_ids(order_public_ids=own) == set()
    shop.deliver_all()

    assert list_guest_course_ids(order_public_ids=own) == {course.id}
    assert list_guest_course_ids(order_public_ids=[]) == set()
    assert list_guest_course_ids(order_public_ids=["ord_other"]) == set()
    moving_clock.advance(hours=25)
    assert list_guest_course_ids(order_public_ids=own) == set()


def test_account_without_a_proved_address_sees_what_it_bought_and_not_what_its_address_did(app: Flask) -> None:
    user = make_user(email="maya@example.org")
    # Its first order was paid with another address.
    own, by_address = sell(user=user, email="company@example.org"), sell(email="maya@example.org")

    unproved = [order.public_id for order in list_orders_of_user(user_id=user.id, email=None)]
    proved = [order.public_id for order in list_orders_of_user(user_id=user.id, email="maya@example.org")]

    assert (unproved, proved) == ([own.public_id], [by_address.public_id, own.public_id])
    with pytest.raises(NotFound):
        get_order_of_user(public_id=by_address.public_id, user_id=user.id, email=None)


def test_history_names_the_seat_that_went_back(shop: Shop) -> None:
    course = make_course(unit_amount=9700)
    started = shop.begin(course, user=make_user(), quantity=3)
    shop.pay(started)
    shop.deliver_all()
    give_back(started, seats=(2,))
    shop.deliver_all()

    timeline = list_timeline(order_id=shop.order(started).id, currency="usd")

    assert [(kind, detail) for kind, _, detail, _ in timeline if detail] == [
        ("refunded", f"{course.title}, seat 2 of 3")
    ]
    assert timeline[-1][:2] == ("created", "Order placed")


def test_unpaid_order_has_no_seats_side(shop: Shop) -> None:
    started = shop.begin(make_course(), quantity=2)

    with pytest.raises(NotFound):
        get_seat_order(order_id=shop.order(started).id)
    with pytest.raises(NotFound):
        find_occasion(order_item_id=0, email="maya@example.org")


def test_claim_link_of_a_seat_that_is_nobodys_is_sent_to_nobody(app: Flask) -> None:
    sold = sell(quantity=2)

    assert resend_claim_link(seat_public_id=sold.seat().public_id) is False
    assert resend_claim_link(seat_public_id="sea_unknown") is False
    assert mails("claim_seat") == []


def test_gift_whose_day_alone_changes_keeps_its_link(app: Flask, moving_clock: MovableClock) -> None:
    day = clock.now() + timedelta(days=10)
    sold = sell_gift(send_at=day)
    version = sold.seat().claim_version

    assert change_gift(order_id=sold.order_id, recipient_email="nia@example.org", send_at=day + timedelta(days=1))

    assert (sold.seat().claim_version, sold.seat().invited_email) == (version, "nia@example.org")


def test_mails_that_were_asked_for_again_carry_the_hour_in_their_keys(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(clock.now().replace(minute=0, second=0, microsecond=0))
    sold = sell(quantity=2, takes_seat=True, email="guest@example.org")

    for minutes in (0, 59, 1):
        moving_clock.advance(minutes=minutes)
        resend_order_mails(email="guest@example.org")

    hours = [f"{clock.now() - timedelta(hours=each):%Y%m%d%H}" for each in (1, 0)]
    keys = set(db.session.scalars(select(Message.key)))
    assert keys == {
        f"claim:{sold.seat().public_id}:1",
        *(f"claim:{sold.seat().public_id}:1:{hour}" for hour in hours),
        *(f"receipt:{sold.public_id}:{hour}" for hour in hours),
    }


def test_find_my_order_sends_what_was_bought_and_whats_left_to_take_once_an_hour(shop: Shop) -> None:
    bought = shop.begin(make_course())
    shop.pay(bought, email="guest@example.org")
    team = shop.begin(make_course(), browser="b2", quantity=2, takes_seat=False)
    shop.pay(team, email="guest@example.org")
    shop.deliver_all()
    before = len(mails("receipt")), len(mails("claim_seat"))
    browser = Browser(shop.app)

    def ask(email: str) -> int:
        return browser.open("/find-order", method="POST", data={"email": email}, headers=SAME_ORIGIN).status_code

    assert before == (2, 1)
    assert [ask("Guest@Example.org"), ask("guest@example.org"), ask("nobody@example.org")] == [200, 200, 200]
    assert (len(mails("receipt")), len(mails("claim_seat"))) == (4, 2)
    assert ask("no address") == 400
