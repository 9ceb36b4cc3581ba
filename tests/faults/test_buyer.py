"""What buyers, prices, codes, courses and accounts do while somebody pays (F50-F62)."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

import app.checkout.settle as settle_module
import app.payments.gateway as gateway_module
from app import clock
from app.accounts.models import User
from app.accounts.services import deactivate_user
from app.catalog.models import Course, Product, PromotionCode
from app.catalog.prices import replace_price
from app.catalog.promotion_codes import create_code
from app.checkout.choices import GiftWish
from app.checkout.errors import AlreadyEnrolled
from app.checkout.models import LedgerEntry
from app.db import db, transaction
from app.enrollment.models import Grant, Seat
from app.enrollment.services import list_open_course_ids
from app.mail.models import Message
from app.mail.rendering import render_message
from tests.accounts.people import SAME_ORIGIN, Browser, list_mails, read_link
from tests.checkout.conftest import Shop
from tests.checkout.money import give_back, open_findings, refunds
from tests.factories import get_price, make_course, make_user
from tests.faults.worlds import ask, effects, find_event, payment_intent

PRICE = 9700


# F53: the checkout ends while its buyer pays


@pytest.mark.parametrize("is_expiry_first", [True, False])
def test_paid_wins_whichever_of_expired_and_completed_is_told_first(shop: Shop, *, is_expiry_first: bool) -> None:
    user, course = make_user(), make_course(unit_amount=PRICE, capacity=1)
    started = shop.begin(course, user=user)
    shop.pay(started)
    completed = find_event(shop, "checkout.session.completed")
    gone = {**completed["data"]["object"], "status": "expired", "payment_status": "unpaid", "payment_intent": None}
    expired = {**completed, "id": "evt_expired", "type": "checkout.session.expired", "data": {"object": gone}}

    for event in (expired, completed) if is_expiry_first else (completed, expired):
        assert shop.send(event) == 200
        shop.work()

    assert (effects().state, effects().sums[0], effects().live_grants) == ("paid", PRICE, 1)
    assert list_open_course_ids(user_id=user.id) == {course.id}


@pytest.mark.parametrize("is_seat_gone", [False, True])
def test_order_that_was_read_as_expired_and_then_as_paid_gets_its_seat_or_its_money_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, *, is_seat_gone: bool
) -> None:
    user, course = make_user(), make_course(unit_amount=PRICE, capacity=1)
    started = shop.begin(course, user=user)
    real = settle_module.get_checkout_session
    with monkeypatch.context() as patch:
        patch.setattr(
            settle_module,
            "get_checkout_session",
            lambda each: replace(real(each), status="expired", payment_status="unpaid"),
        )
        settle_module.settle(order_id=shop.order(started).id)
    assert shop.order(started).state == "expired"
    if is_seat_gone:
        shop.begin(course, browser="somebody-faster")

    shop.pay(started)
    shop.deliver_all()
    shop.deliver_all()

    if is_seat_gone:
        assert (shop.order(started).state, refunds(shop)) == ("refunded", [PRICE])
        assert list_open_course_ids(user_id=user.id) == set()
        assert "order_returned" in list(db.session.scalars(select(Message.template)))
    else:
        assert (shop.order(started).state, refunds(shop)) == ("paid", [])
        assert list_open_course_ids(user_id=user.id) == {course.id}
    assert db.session.scalars(select(Product.taken_seats)).one() == 1


# F54, F55: price and code change while the session is open


@pytest.mark.parametrize("unit_amount", [100, 19_700])
def test_price_that_changed_while_the_session_was_open_is_not_charged(shop: Shop, unit_amount: int) -> None:
    user, course = make_user(), make_course(unit_amount=PRICE)
    price = get_price(course)
    started = shop.begin(course, user=user)

    replace_price(product_id=price.product_id, unit_amount=unit_amount, currency="usd")
    shop.pay(started)
    shop.deliver_all()

    assert (shop.order(started).total_amount, effects().sums[0], effects().live_grants) == (PRICE, PRICE, 1)
    assert open_findings() == []


CODE_ENDS = {
    "disabled": {"is_active": False},
    "over": {"ends_at": datetime(2020, 1, 1, tzinfo=UTC)},
    "exhausted": {"max_redemptions": 1},
    "changed": {"percent_off": 90},
}


@pytest.mark.parametrize("how", CODE_ENDS)
def test_code_that_ended_while_the_session_was_open_counts_as_shown(shop: Shop, how: str) -> None:
    user, course = make_user(), make_course(unit_amount=10_000)
    create_code("LAUNCH20", percent_off=20)
    started = shop.begin(course, user=user, code="LAUNCH20")

    with transaction() as session:
        session.execute(update(PromotionCode).values(**CODE_ENDS[how]))
    shop.pay(started)
    shop.deliver_all()

    assert (shop.order(started).state, effects().sums[0], effects().live_grants) == ("paid", 8000, 1)
    assert open_findings() == []
    db.session.rollback()
    assert db.session.scalars(select(PromotionCode.redeemed_count)).one() == 1


# F58: the course goes while somebody pays for it


@pytest.mark.parametrize("status", ["archived", "draft"])
def test_course_taken_off_while_somebody_pays_is_theirs_to_read(shop: Shop, status: str) -> None:
    course = make_course(unit_amount=PRICE)
    started = shop.begin(course)
    with transaction() as session:
        session.execute(update(Course).values(status=status))
        session.execute(update(Product).values(status="archived"))

    shop.pay(started, email="maya@example.org")
    shop.deliver_all()

    assert (effects().state, effects().mails, open_findings()) == ("paid", ("claim", "receipt"), [])
    browser = claim_in_a_browser(shop, "maya@example.org")
    lesson = browser.get(f"/courses/{course.slug}/lessons/lesson-2")
    assert (lesson.status_code, f"Text 2 of {course.slug}" in lesson.text) == (200, True)
    assert browser.get(f"/courses/{course.slug}").status_code == 200
    assert course.title in browser.get("/account/courses").text
    stranger = Browser(shop.app)
    expected = (404, 404) if status == "draft" else (200, 303)
    paths = (f"/courses/{course.slug}", f"/courses/{course.slug}/lessons/lesson-2")
    assert tuple(stranger.get(path).status_code for path in paths) == expected


def test_course_that_is_being_paid_for_cannot_be_deleted(shop: Shop) -> None:
    """No page or command deletes one; the database keeps a statement by hand from doing it."""
    user, course = make_user(), make_course(unit_amount=PRICE)
    started = shop.begin(course, user=user)

    with pytest.raises(IntegrityError), transaction() as session:
        session.execute(delete(Course).where(Course.id == course.id))
    shop.pay(started)
    shop.deliver_all()

    assert (shop.order(started).state, list_open_course_ids(user_id=user.id)) == ("paid", {course.id})


def claim_in_a_browser(shop: Shop, address: str) -> Browser:
    """Open the claim link mailed to the address and press the button."""
    mail = next(each for each in list_mails(address) if each.template in {"claim_seat", "gift_seat"})
    browser = Browser(shop.app)
    assert browser.post(read_link(mail), headers=SAME_ORIGIN).status_code == 303
    return browser


# F59, the account changes while its owner pays


def test_account_closed_while_it_pays_keeps_its_order_and_can_be_opened_again(shop: Shop) -> None:
    user, course = make_user(email="maya@example.org"), make_course(unit_amount=PRICE)
    started = shop.begin(course, user=user)
    deactivate_user(user_id=user.id, reason="Asked for it")

    shop.pay(started)
    shop.deliver_all()

    order = shop.order(started)
    assert (order.state, order.number, order.email) == ("paid", 1001, "maya@example.org")
    assert (effects().live_grants, effects().mails) == (1, ("receipt",))
    # The receipt's link shows the order without signing in, and its money can go back.
    receipt = next(each for each in list_mails("maya@example.org") if each.template == "receipt")
    link = re.search(r"http://localhost(/orders/\S+)", render_message(receipt).text)
    assert link is not None
    assert "NSL-1001" in Browser(shop.app).get(link.group(1)).text
    give_back(started)
    assert (shop.order(started).state, effects().live_grants) == ("refunded", 0)


def test_address_changed_while_its_owner_pays_keeps_the_order_in_the_account(shop: Shop) -> None:
    user, course = make_user(email="old@example.org"), make_course(unit_amount=PRICE)
    started = shop.begin(course, user=user)
    with transaction() as session:
        session.get_one(User, user.id).email = "new@example.org"

    shop.pay(started, email="third@example.org")
    shop.deliver_all()

    assert (shop.order(started).user_id, shop.order(started).state) == (user.id, "paid")
    assert list_open_course_ids(user_id=user.id) == {course.id}
    # Written to where the buyer was reached when the order was made, never to what somebody typed at Stripe.
    assert [mail.to_address for mail in list_mails()] == ["old@example.org"]
    with pytest.raises(AlreadyEnrolled):
        shop.begin(course, user=user)


# F61, who has the course already


def test_who_has_the_course_by_any_way_is_refused_before_paying(shop: Shop) -> None:
    user, course = make_user(), make_course(unit_amount=PRICE)
    with transaction() as session:
        session.add(Grant(user_id=user.id, course_id=course.id, granted_at=clock.now(), reason="By hand"))

    with pytest.raises(AlreadyEnrolled):
        shop.begin(course, user=user)

    assert shop.events() == []


def test_gift_to_somebody_who_has_the_course_stays_a_seat_and_changes_nothing_for_them(shop: Shop) -> None:
    owner, giver, course = make_user(email="rosa@example.org"), make_user(), make_course(unit_amount=PRICE)
    shop.buy(course, user=owner)
    gift = shop.begin(course, user=giver, purpose="gift", gift=GiftWish(recipient_email="rosa@example.org"))
    shop.pay(gift)
    shop.deliver_all()
    claim_in_a_browser(shop, "rosa@example.org")
    assert list_open_course_ids(user_id=owner.id) == {course.id}

    give_back(gift)

    # One seat went back with its money; the one they paid for is still there.
    assert list_open_course_ids(user_id=owner.id) == {course.id}
    assert sorted(db.session.scalars(select(Seat.status))) == ["active", "revoked"]


def test_second_purchase_that_slipped_through_by_another_browser_is_two_orders_and_can_go_back(shop: Shop) -> None:
    """A guest in two browsers is two buyers: both orders stand in the ledger, and one refund closes nothing."""
    course = make_course(unit_amount=PRICE)
    first, second = shop.begin(course, browser="b1"), shop.begin(course, browser="b2")
    for started in (first, second):
        shop.pay(started, email="maya@example.org")
    shop.deliver_all()
    claim_in_a_browser(shop, "maya@example.org")
    db.session.rollback()
    learner = db.session.scalars(select(User).where(User.email == "maya@example.org")).one()

    give_back(second)

    assert (shop.order(first).state, shop.order(second).state) == ("paid", "refunded")
    assert list_open_course_ids(user_id=learner.id) == {course.id}


# F62, currencies and what the buyer is shown


@pytest.mark.parametrize(
    ("currency", "unit_amount", "refunded", "shown"),
    [("jpy", 500, 167, "¥500"), ("kwd", 5000, 1670, "KWD5.000"), ("usd", 9700, 3233, "$97.00")],
)
def test_minor_units_are_exact_through_payment_refund_and_mail(
    shop: Shop, currency: str, unit_amount: int, refunded: int, shown: str
) -> None:
    started = shop.buy(make_course(unit_amount=unit_amount, currency=currency), user=make_user())
    charge = shop.stripe("/v1/charges")["data"][0]
    assert (charge["amount"], charge["currency"]) == (unit_amount, currency)

    ask(shop, f"/refund/{payment_intent(shop, started)}", amount=refunded)
    shop.deliver_all()

    assert effects().sums == (unit_amount, refunded, 0, 0)
    entries = db.session.execute(select(LedgerEntry.amount, LedgerEntry.currency).order_by(LedgerEntry.id)).all()
    assert [tuple(entry) for entry in entries] == [(unit_amount, currency), (refunded, currency)]
    receipt = next(each for each in list_mails() if each.template == "receipt")
    assert shown in render_message(receipt).text.replace("\u00a0", "")


def test_currency_that_the_buyer_was_shown_is_not_what_was_agreed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adaptive Pricing: currency and amount_total stay ours, presentment_details is what the buyer saw."""
    started = shop.begin(make_course(unit_amount=PRICE), user=make_user())
    shop.pay(started)
    real = gateway_module.read_session
    details = {"presentment_amount": 8923, "presentment_currency": "eur"}
    monkeypatch.setattr(gateway_module, "read_session", lambda each: real({**each, "presentment_details": details}))

    shop.deliver_all()

    assert (effects().state, effects().sums, open_findings()) == ("paid", (PRICE, 0, 0, 0), [])
