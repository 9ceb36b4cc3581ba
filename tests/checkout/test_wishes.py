"""What our checkout page adds to one click: several seats, gifts, consents; and a buyer who changes their mind."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.catalog.models import Product
from app.catalog.prices import replace_price
from app.catalog.promotion_codes import create_code
from app.checkout.choices import Buyer, GiftWish, Wish
from app.checkout.consents import ConsentNeeded
from app.checkout.errors import AlreadyEnrolled, SoldOut
from app.checkout.models import Gift, Order, OrderConsent, OrderItem
from app.checkout.services import start_checkout
from app.db import db
from app.enrollment.models import Seat
from app.enrollment.services import list_open_course_ids
from app.errors import InvalidInput
from app.mail.models import Message
from app.payments.gateway import PaymentUnavailable
from tests.checkout.conftest import Shop
from tests.factories import get_price, make_course, make_user

GIFT = GiftWish(recipient_email="Ana@Example.org", recipient_name="Ana", giver_name="Maya", message="Enjoy it")


def seats() -> list[tuple[str | None, bool, str]]:
    """Of every seat: who is invited, whether it is taken, its status."""
    db.session.rollback()
    rows = db.session.scalars(select(Seat).order_by(Seat.position))
    return [(seat.invited_email, seat.claimed_by_id is not None, seat.status) for seat in rows]


def open_sessions(shop: Shop) -> list[str]:
    found = shop.stripe("/v1/checkout/sessions?limit=100")["data"]
    return [each["id"] for each in found if each["status"] == "open"]


def states() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Order.state).order_by(Order.id)))


# Several seats


def test_team_pays_for_all_seats_and_the_buyer_sits_on_the_first(shop: Shop) -> None:
    user, course = make_user(email="maya@example.org"), make_course(unit_amount=9700, capacity=10)

    started = shop.begin(course, user=user, quantity=3)
    shop.pay(started)
    shop.deliver_all()

    order = shop.order(started)
    assert (order.state, order.purpose, order.total_amount) == ("paid", "team", 29_100)
    assert seats() == [("maya@example.org", True, "active"), (None, False, "active"), (None, False, "active")]
    assert list_open_course_ids(user_id=user.id) == {course.id}
    assert db.session.scalars(select(Product.taken_seats)).one() == 3


def test_buyer_who_wants_no_seat_gets_none(shop: Shop) -> None:
    user, course = make_user(), make_course()

    started = shop.begin(course, user=user, quantity=2, takes_seat=False)
    shop.pay(started)
    shop.deliver_all()

    assert seats() == [(None, False, "active"), (None, False, "active")]
    assert list_open_course_ids(user_id=user.id) == set()


def test_owner_of_the_course_buys_more_seats_and_keeps_none_of_them(shop: Shop) -> None:
    user, course = make_user(), make_course()
    shop.buy(course, user=user)

    more = shop.begin(course, user=user, quantity=2)
    shop.pay(more)
    shop.deliver_all()

    assert shop.order(more).takes_seat is False
    assert [taken for _, taken, _ in seats()].count(True) == 1


def test_one_seat_for_a_colleague_may_be_bought_by_an_owner(shop: Shop) -> None:
    user, course = make_user(), make_course()
    shop.buy(course, user=user)

    more = shop.begin(course, user=user, quantity=1, purpose="team", takes_seat=False)

    assert more.total_amount == 9700


def test_team_larger_than_what_is_left_is_sold_out_and_holds_nothing(shop: Shop) -> None:
    course = make_course(capacity=2)

    with pytest.raises(SoldOut):
        shop.begin(course, quantity=3)

    assert states() == []
    assert db.session.scalars(select(Product.taken_seats)).one() == 0


@pytest.mark.parametrize("quantity", [-1, 0, 101, 10**9])
def test_impossible_quantity_is_refused(shop: Shop, quantity: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        shop.begin(make_course(), quantity=quantity)

    assert (refused.value.field, refused.value.sentence) == ("quantity", "Choose 1 to 100 seats.")


# Gifts


def test_gift_goes_to_its_recipient_and_leaves_the_buyer_without_a_seat(shop: Shop) -> None:
    user, course = make_user(), make_course()

    started = shop.begin(course, user=user, purpose="gift", gift=GIFT)
    shop.pay(started)
    shop.deliver_all()

    assert shop.order(started).purpose == "gift"
    assert seats() == [("ana@example.org", False, "active")]
    assert list_open_course_ids(user_id=user.id) == set()
    gift = db.session.scalars(select(Gift)).one()
    assert (gift.recipient_name, gift.giver_name, gift.message, gift.send_at) == ("Ana", "Maya", "Enjoy it", None)
    sent = db.session.scalars(select(Message).where(Message.template == "gift_seat")).one()
    assert (sent.to_address, sent.sent_at is not None) == ("ana@example.org", True)


def test_gift_mail_waits_for_its_day(shop: Shop, moving_clock: Any) -> None:
    day = clock.now() + timedelta(days=40)
    started = shop.begin(make_course(), user=make_user(), purpose="gift", gift=replace(GIFT, send_at=day))
    shop.pay(started)
    shop.deliver_all()
    waiting = db.session.scalars(select(Message).where(Message.template == "gift_seat")).one()
    assert (waiting.sent_at, waiting.send_after) == (None, day)

    moving_clock.advance(days=40, minutes=1)
    shop.work()

    db.session.rollback()
    assert db.session.get_one(Message, waiting.id).sent_at is not None


@pytest.mark.parametrize(
    ("gift", "field", "sentence"),
    [
        (None, "recipient_email", "Enter the address the gift goes to."),
        (replace(GIFT, recipient_email="not an address"), "recipient_email", ""),
        (replace(GIFT, recipient_email="a@example.org, b@example.org"), "recipient_email", ""),
        (replace(GIFT, message="x" * 501), "gift_message", "Keep the message to 500 characters."),
        (replace(GIFT, send_at=clock.now() + timedelta(days=367)), "gift_on", "Choose a day within the next year."),
    ],
)
def test_gift_that_cannot_be_delivered_is_refused(shop: Shop, gift: GiftWish | None, field: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        shop.begin(make_course(), purpose="gift", gift=gift)

    assert refused.value.field == field
    assert refused.value.sentence == sentence or (not sentence and "address" in refused.value.sentence)
    assert states() == []


def test_owner_gives_the_same_course_away_twice(shop: Shop) -> None:
    user, course = make_user(), make_course()
    shop.buy(course, user=user)

    for name in ("ana@example.org", "ben@example.org"):
        started = shop.begin(course, user=user, purpose="gift", gift=replace(GIFT, recipient_email=name))
        shop.pay(started)
        shop.deliver_all()

    assert states() == ["paid", "paid", "paid"]


def test_form_of_a_paid_gift_sent_once_more_charges_nothing(shop: Shop) -> None:
    user, course = make_user(), make_course()
    wish = {"purpose": "gift", "gift": GIFT, "form_key": "k1"}
    started = shop.begin(course, user=user, **wish)
    shop.pay(started)
    shop.deliver_all()

    with pytest.raises(AlreadyEnrolled) as refused:
        shop.begin(course, user=user, **wish)

    assert refused.value.order_public_id == started.order_public_id
    assert open_sessions(shop) == []


# A buyer who changes their mind


def test_another_quantity_closes_the_first_session_at_stripe(shop: Shop) -> None:
    user, course = make_user(), make_course(capacity=5)
    create_code("LAUNCH20", percent_off=20, max_redemptions=1)

    first = shop.begin(course, user=user)
    second = shop.begin(course, user=user, quantity=3)
    third = shop.begin(course, user=user, quantity=3, code="LAUNCH20")
    fourth = shop.begin(course, user=user, quantity=2, code="LAUNCH20")

    assert len({each.order_public_id for each in (first, second, third, fourth)}) == 4
    assert open_sessions(shop) == [fourth.stripe_checkout_session_id]
    assert states() == ["expired", "expired", "expired", "pending"]
    assert db.session.scalars(select(Product.taken_seats)).one() == 2


def test_new_price_closes_the_session_of_the_old_one(shop: Shop) -> None:
    user, course = make_user(), make_course(unit_amount=9700)
    old = shop.begin(course, user=user)
    replace_price(product_id=get_price(course).product_id, unit_amount=12_900, currency="usd")

    new = shop.begin(course, user=user)

    assert (old.total_amount, new.total_amount) == (9700, 12_900)
    assert open_sessions(shop) == [new.stripe_checkout_session_id]


def test_payment_that_was_faster_than_the_change_of_mind_counts(shop: Shop) -> None:
    user, course = make_user(), make_course()
    first = shop.begin(course, user=user)
    shop.pay(first)

    with pytest.raises(AlreadyEnrolled):
        shop.begin(course, user=user, quantity=2)

    assert states() == ["paid"]
    assert open_sessions(shop) == []


def test_while_stripe_is_away_nothing_second_is_opened(shop: Shop) -> None:
    user, course = make_user(), make_course()
    first = shop.begin(course, user=user)
    shop.control("/levers", {"kind": "api_error", "status": 503, "path": "/v1/*", "count": 1000, "stored": False})

    with pytest.raises(PaymentUnavailable):
        shop.begin(course, user=user, quantity=2)

    shop.remove_levers()
    assert states() == ["pending"]
    assert open_sessions(shop) == [first.stripe_checkout_session_id]


def test_order_without_a_session_is_closed_when_stripe_knows_none(shop: Shop) -> None:
    user, course = make_user(), make_course(capacity=3)
    shop.control("/levers", {"kind": "api_error", "status": 503, "path": "/v1/*", "count": 1000, "stored": False})
    with pytest.raises(PaymentUnavailable):
        shop.begin(course, user=user)
    shop.remove_levers()

    second = shop.begin(course, user=user, quantity=2)

    assert states() == ["expired", "pending"]
    assert open_sessions(shop) == [second.stripe_checkout_session_id]
    assert db.session.scalars(select(Product.taken_seats)).one() == 2


def test_second_session_of_a_paid_order_can_no_longer_be_paid(shop: Shop) -> None:
    user, course = make_user(), make_course()
    first = shop.begin(course, user=user)
    second = shop.begin(course, user=user, quantity=1)
    assert first == second
    shop.pay(first)
    shop.deliver_all()

    with pytest.raises(AlreadyEnrolled):
        shop.begin(course, user=user)

    assert open_sessions(shop) == []


# Consents


@pytest.fixture
def asking_shop(shop: Shop) -> Any:
    settings = shop.app.config["SETTINGS"]
    shop.app.config["SETTINGS"] = replace(settings, consents=("terms", "eu_waiver"))
    yield shop
    shop.app.config["SETTINGS"] = settings


@pytest.mark.parametrize(
    ("given", "field"),
    [(set(), "consent_terms"), ({"terms"}, "consent_eu_waiver"), ({"eu_waiver"}, "consent_terms")],
)
def test_nothing_begins_without_the_consents_the_shop_asks_for(asking_shop: Shop, given: set[str], field: str) -> None:
    with pytest.raises(ConsentNeeded) as refused:
        asking_shop.begin(make_course(), consents=frozenset(given))

    assert refused.value.field == field
    assert states() == []


def test_consents_are_kept_with_the_words_and_the_time(asking_shop: Shop, moving_clock: Any) -> None:
    moving_clock.freeze(clock.now())

    asking_shop.begin(make_course(), consents=frozenset({"terms", "eu_waiver"}))

    kept = db.session.scalars(select(OrderConsent).order_by(OrderConsent.kind)).all()
    assert [(each.kind, each.text_version, each.given_at) for each in kept] == [
        ("eu_waiver", "2026-11", clock.now()),
        ("terms", "2026-11", clock.now()),
    ]
    assert kept[0].text == (
        "I want to start the course at once, and I know that I lose my right of withdrawal when it opens."
    )


# Several currencies


def test_each_price_is_charged_in_its_own_currency(shop: Shop) -> None:
    course = make_course(unit_amount=9700, currency="usd")
    product_id = get_price(course).product_id
    prices = {"usd": get_price(course).public_id}
    for currency, unit_amount in (("eur", 8900), ("jpy", 14_000), ("kwd", 29_500)):
        prices[currency] = replace_price(product_id=product_id, unit_amount=unit_amount, currency=currency).public_id

    charged = {}
    for currency, price in prices.items():
        buyer = Buyer(user_id=None, browser_key=currency, email=None)
        started = start_checkout(price_public_id=price, buyer=buyer, wish=Wish())
        shop.pay(started)
        shop.deliver_all()
        order = shop.order(started)
        assert order.state == "paid"
        charged[order.currency] = db.session.scalars(
            select(OrderItem.total_amount).where(OrderItem.order_id == order.id)
        ).one()

    assert charged == {"usd": 9700, "eur": 8900, "jpy": 14_000, "kwd": 29_500}
