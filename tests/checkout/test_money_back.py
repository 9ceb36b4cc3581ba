"""Refunds and disputes made at Stripe: the ledger to the cent, and access as the policies say."""

from itertools import permutations

import pytest
from sqlalchemy import select

from app.catalog.models import Product
from app.checkout.ledger import Entry, derive_state
from app.checkout.models import Order, OrderItem, OrderNote, RefundRequest
from app.checkout.settle import settle
from app.db import db, transaction
from app.enrollment.services import list_open_course_ids
from tests.checkout.conftest import Shop
from tests.checkout.money import (
    findings,
    list_requests,
    mails,
    open_findings,
    open_second_session,
    payment_intent,
    refunds,
    seat_statuses,
    sums,
)
from tests.factories import make_course, make_user


def test_partial_refunds_keep_access_until_everything_is_back(shop: Shop) -> None:
    user, course = make_user(), make_course(unit_amount=9700)
    started = shop.buy(course, user=user)

    for amount, state in ((2000, "partially_refunded"), (3000, "partially_refunded")):
        shop.control(f"/refund/{payment_intent(shop, started)}", {"amount": amount})
        shop.deliver_all()
        assert shop.order(started).state == state
        assert list_open_course_ids(user_id=user.id) == {course.id}
    shop.control(f"/refund/{payment_intent(shop, started)}", {"amount": 4700})
    shop.deliver_all()

    assert shop.order(started).state == "refunded"
    assert sums(shop.order(started).id) == (9700, 9700, 0)
    assert list_open_course_ids(user_id=user.id) == set()
    assert [mail["amount"] for mail in mails("order_refunded")] == [2000, 3000, 4700]
    assert [mail["access_closed"] for mail in mails("order_refunded")] == [False, False, True]


def test_full_refund_gives_the_seat_of_a_limited_course_back(shop: Shop) -> None:
    course = make_course(capacity=1)
    started = shop.buy(course, user=make_user())
    assert db.session.scalars(select(Product.taken_seats)).one() == 1

    shop.control(f"/refund/{payment_intent(shop, started)}")
    shop.deliver_all()

    db.session.rollback()
    assert db.session.scalars(select(Product.taken_seats)).one() == 0


def test_refund_that_fails_later_restores_money_and_access(shop: Shop) -> None:
    user, course = make_user(), make_course(unit_amount=9700)
    started = shop.buy(course, user=user, card="4000000000005126")
    shop.control(f"/refund/{payment_intent(shop, started)}")
    shop.deliver_all()
    assert shop.order(started).state == "refunded"

    shop.control("/tick", {"seconds": 3600})
    shop.deliver_all()

    assert shop.order(started).state == "paid"
    assert sums(shop.order(started).id) == (9700, 0, 9700)
    assert list_open_course_ids(user_id=user.id) == {course.id}
    assert findings() == [
        (
            "refund_failed",
            "A refund came back from the buyer’s bank: return the money another way, and tell them.",
            None,
        )
    ]
    assert [(mail["amount"], mail["access_open"]) for mail in mails("refund_failed")] == [(9700, True)]


def test_refund_that_failed_is_made_good_by_another_one(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user(), card="4000000000005126")
    shop.control(f"/refund/{payment_intent(shop, started)}")
    shop.deliver_all()
    shop.control("/tick", {"seconds": 3600})
    shop.deliver_all()

    shop.control(f"/refund/{payment_intent(shop, started)}")
    shop.deliver_all()

    assert shop.order(started).state == "refunded"
    assert [resolution for _, _, resolution in findings()] == ["The money went back another way."]
    assert sums(shop.order(started).id) == (9700, 9700, 0)


@pytest.mark.parametrize(
    ("outcome", "state", "net", "is_open"), [("won", "paid", 9700, True), ("lost", "lost", 0, False)]
)
def test_dispute_suspends_and_its_verdict_decides(
    shop: Shop, outcome: str, state: str, net: int, *, is_open: bool
) -> None:
    user, course = make_user(), make_course(unit_amount=9700)
    started = shop.buy(course, user=user)
    _, dispute = shop.control(f"/dispute/{payment_intent(shop, started)}")
    shop.deliver_all()
    assert shop.order(started).state == "disputed"
    assert list_open_course_ids(user_id=user.id) == set()

    shop.control(f"/disputes/{dispute['id']}/close", {"outcome": outcome})
    shop.deliver_all()

    assert shop.order(started).state == state
    assert sums(shop.order(started).id)[2] == net
    assert (list_open_course_ids(user_id=user.id) == {course.id}) is is_open


def test_inquiry_changes_nothing(shop: Shop) -> None:
    user, course = make_user(), make_course()
    started = shop.buy(course, user=user)

    _, dispute = shop.control(f"/dispute/{payment_intent(shop, started)}", {"inquiry": True})
    shop.deliver_all()
    settle(order_id=shop.order(started).id)

    db.session.rollback()
    notes = db.session.scalars(select(OrderNote).where(OrderNote.kind == "inquiry")).all()
    assert [(note.order_id, note.text) for note in notes] == [
        (
            shop.order(started).id,
            f"{dispute['id']}: the buyer’s bank asks about this payment. Answer it in Stripe’s dashboard.",
        )
    ]
    assert shop.order(started).state == "paid"
    assert list_open_course_ids(user_id=user.id) == {course.id}


def test_payment_that_comes_after_the_last_seat_went_is_returned_by_itself(shop: Shop) -> None:
    user, course = make_user(), make_course(unit_amount=9700, capacity=1)
    late = shop.begin(course, user=user)
    shop.pay(late, method="bank_debit")
    shop.deliver_all()
    # The first order is given up (as after a wrong verdict about its session), its seat goes to somebody else.
    lose_the_seat()
    winner = shop.begin(course, browser="b2")
    shop.pay(winner, email="winner@example.org")
    shop.deliver_all()

    shop.control(f"/settle/{late.stripe_checkout_session_id}", {"outcome": "succeeded"})
    shop.deliver_all()
    shop.deliver_all()

    order = shop.order(late)
    assert order.state == "refunded"
    assert sums(order.id) == (9700, 9700, 0)
    assert list_open_course_ids(user_id=user.id) == set()
    assert db.session.scalars(select(Product.taken_seats)).one() == 1
    assert findings() == [
        (
            "late_payment",
            "Paid after the last seat was gone; the money goes back by itself.",
            "The money went back, or bought its seat after all.",
        )
    ]
    assert mails("order_returned") == [
        {
            "order_number": f"NSL-{order.number}",
            "titles": [course.title],
            "amount": 9700,
            "currency": "usd",
            "cause": "sold_out",
            "course_url": {"path": f"/courses/{course.slug}", "purpose": "", "value": ""},
        }
    ]
    assert list_requests()[0].reason == "Every seat was taken before the payment arrived."
    assert mails("order_refunded") == []
    assert db.session.scalars(select(RefundRequest.stripe_refund_id)).one() is not None


def test_second_payment_goes_back_by_itself_and_its_buyer_is_told_why(shop: Shop) -> None:
    user, course = make_user(), make_course(unit_amount=9700)
    started = shop.begin(course, user=user)
    again = open_second_session(shop.order(started).id)
    shop.pay(started)
    shop.pay(again)

    shop.deliver_all()
    shop.deliver_all()

    order = shop.order(started)
    assert refunds(shop) == [9700]
    assert sums(order.id) == (19_400, 9700, 9700)
    assert list_open_course_ids(user_id=user.id) == {course.id}
    assert findings() == [
        (
            "second_payment",
            "The order was paid twice; the second payment goes back by itself.",
            "The second payment went back.",
        )
    ]
    assert list_requests()[0].reason == "Paid twice."
    assert [(mail["cause"], mail["amount"]) for mail in mails("order_returned")] == [("paid_twice", 9700)]
    assert mails("order_refunded") == []
    assert len(mails("receipt")) == 1


def test_late_payment_whose_return_fails_buys_its_seat_after_all(shop: Shop) -> None:
    user, course = make_user(), make_course(unit_amount=9700, capacity=1)
    late = shop.begin(course, user=user)
    lose_the_seat()
    winner = shop.buy(course, user=make_user())
    shop.pay(late, card="4000000000005126")
    shop.deliver_all()
    assert (shop.order(late).state, list_open_course_ids(user_id=user.id)) == ("refunded", set())

    shop.control("/tick", {"seconds": 3600})
    shop.deliver_all()

    assert shop.order(late).state == "paid"
    assert list_open_course_ids(user_id=user.id) == {course.id}
    assert sorted(open_findings()) == ["oversold", "refund_failed"]
    oversold = "The money came back after the seat had gone to somebody else: one more than the course has seats."
    assert ("oversold", oversold, None) in findings()

    # The other buyer's refund makes room again, which the next look at the late order finds.
    shop.control(f"/refund/{payment_intent(shop, winner)}")
    shop.deliver_all()
    settle(order_id=shop.order(late).id)
    assert ("oversold", oversold, "Every sold seat is within the capacity again.") in findings()
    assert [mail["access_open"] for mail in mails("refund_failed")] == [True]
    assert len(mails("receipt")) == 2
    assert db.session.scalars(select(Product.taken_seats)).one() == 1


def lose_the_seat() -> None:
    """The one order there is was given up too early, and its seat went back on sale."""
    with transaction() as session:
        session.scalars(select(Order)).one().state = "expired"
        session.scalars(select(OrderItem)).one().held_quantity = 0
        session.scalars(select(Product)).one().taken_seats = 0


def test_seats_follow_the_money_whoever_sits_on_them(shop: Shop) -> None:
    started = shop.begin(make_course(), browser="b1")
    shop.pay(started, email="guest@example.org")
    shop.deliver_all()
    shop.control(f"/refund/{payment_intent(shop, started)}")
    shop.deliver_all()

    assert seat_statuses() == ["revoked"]


def make_entry(kind: str, amount: int = 100, object_id: str = "x") -> Entry:
    from datetime import UTC, datetime  # noqa: PLC0415

    return Entry(
        kind=kind,
        stripe_object_id=object_id,
        related_stripe_object_id=None,
        amount=amount,
        currency="usd",
        status="",
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("entries", "state"),
    [
        ([], None),
        ([("refund", 100, "r")], None),
        ([("payment", 100, "c")], "paid"),
        ([("payment", 0, "c")], "paid"),
        ([("payment", 100, "c"), ("refund", 40, "r")], "partially_refunded"),
        ([("payment", 100, "c"), ("refund", 100, "r")], "refunded"),
        ([("payment", 100, "c"), ("refund", 100, "r"), ("refund_failed", 100, "r")], "paid"),
        ([("payment", 100, "c"), ("dispute_opened", 100, "d"), ("dispute_withdrawn", 100, "d")], "disputed"),
        ([("payment", 100, "c"), ("dispute_opened", 100, "d"), ("dispute_won", 0, "d")], "paid"),
        ([("payment", 100, "c"), ("dispute_opened", 100, "d"), ("dispute_lost", 0, "d")], "lost"),
        ([("payment", 100, "c"), ("dispute_lost", 0, "d"), ("dispute_won", 0, "d")], "paid"),
        ([("payment", 100, "c"), ("dispute_opened", 60, "d"), ("refund", 100, "r")], "refunded"),
        ([("payment", 100, "c"), ("payment", 100, "c2"), ("refund", 100, "r")], "partially_refunded"),
    ],
)
def test_state_is_a_function_of_the_ledger_whatever_the_order(
    entries: list[tuple[str, int, str]], state: str | None
) -> None:
    rows = [make_entry(*entry) for entry in entries]

    assert {derive_state(order) for order in permutations(rows)} == {state}
