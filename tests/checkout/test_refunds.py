"""Refunds from our side: by seat, line, amount or all of it; once for each key, never more than was paid."""

from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.audit import Actor, AuditEntry, acting_as
from app.catalog.models import Product, PromotionCode
from app.catalog.promotion_codes import create_code
from app.checkout.models import LedgerEntry, OrderNote
from app.checkout.refund_orders import refund_order
from app.checkout.refund_plans import RefundScope, SeatRefunded, preview_refund
from app.checkout.refunds import NothingToRefund
from app.db import db, transaction
from app.enrollment.models import Grant
from app.enrollment.seats import seat_user
from app.enrollment.services import list_open_course_ids
from app.errors import AppError, InvalidInput, NotFound
from tests.checkout.conftest import Shop
from tests.checkout.money import (
    buy_seats,
    give_back,
    held,
    list_requests,
    list_seat_ids,
    mails,
    open_findings,
    open_second_session,
    pull_refund_lever,
    refunds,
    seat_statuses,
    sums,
)
from tests.factories import make_course, make_user


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.001)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.002)


# What comes back, and what closes


def test_one_seat_goes_back_alone(shop: Shop) -> None:
    started = buy_seats(shop, unit_amount=3333)
    member = make_user().id
    with transaction():
        seat_user(seat_id=list_seat_ids()[1], user_id=member)
    course_id = db.session.scalars(select(Grant.course_id)).first()
    assert list_open_course_ids(user_id=member) == {course_id}

    outcome = give_back(started, seats=(2,))

    assert [(each.amount, each.status, each.seat, each.line) for each in outcome.refunds] == [(3333, "done", 2, 1)]
    assert outcome.state == "partially_refunded"
    assert refunds(shop) == [3333]
    assert sums(shop.order(started).id) == (9999, 3333, 6666)
    assert seat_statuses() == ["active", "revoked", "active"]
    assert held() == [2]
    assert db.session.scalars(select(Product.taken_seats)).one() == 2
    assert list_open_course_ids(user_id=member) == set()
    assert list_open_course_ids(user_id=shop.order(started).user_id or 0) == {course_id}
    [mail] = mails("order_refunded")
    assert (mail["amount"], mail["target"], mail["seat_position"], mail["seat_count"]) == (3333, "seat", 2, 3)
    assert mail["access_closed"] is False
    shop.deliver_all()
    assert refunds(shop) == [3333]
    assert len(mails("order_refunded")) == 1


@pytest.mark.parametrize(
    ("currency", "unit_amount", "parts"),
    [("usd", 3334, [3334, 3334, 3334]), ("jpy", 333, [333, 333, 333]), ("kwd", 3330, [3330, 3330, 3330])],
)
def test_seats_one_after_the_other_are_all_of_it(shop: Shop, currency: str, unit_amount: int, parts: list[int]) -> None:
    started = buy_seats(shop, unit_amount=unit_amount, currency=currency)

    for number in (3, 1, 2):
        give_back(started, key=f"seat-{number}", seats=(number,))

    assert refunds(shop) == parts
    assert shop.order(started).state == "refunded"
    assert sums(shop.order(started).id) == (sum(parts), sum(parts), 0)
    assert seat_statuses() == ["revoked"] * 3
    assert held() == [0]


def test_discounted_seats_share_what_was_captured_to_the_cent(shop: Shop) -> None:
    create_code("TENOFF", amount_off=1000, currency="usd")
    started = buy_seats(shop, unit_amount=3700, code="TENOFF")

    outcome = give_back(started, seats=(1, 2, 3))

    assert [each.amount for each in outcome.refunds] == [3366, 3367, 3367]
    assert refunds(shop) == [3366, 3367, 3367]
    assert shop.order(started).state == "refunded"
    db.session.rollback()
    assert db.session.scalars(select(PromotionCode.redeemed_count)).one() == 0


def test_a_line_is_one_refund_and_closes_all_its_seats(shop: Shop) -> None:
    started = buy_seats(shop, unit_amount=5000)
    give_back(started, key="seat", seats=(1,))

    outcome = give_back(started, key="line", line=1)

    assert [each.amount for each in outcome.refunds] == [10_000]
    assert refunds(shop) == [5000, 10_000]
    assert seat_statuses() == ["revoked"] * 3
    assert shop.order(started).state == "refunded"
    assert [mail["target"] for mail in mails("order_refunded")] == ["seat", "line"]


def test_a_line_closes_its_seats_though_an_amount_went_back_before(shop: Shop) -> None:
    started = buy_seats(shop, unit_amount=5000)
    give_back(started, key="amount", amount=4000)
    assert seat_statuses() == ["active"] * 3

    outcome = give_back(started, key="line", line=1)

    assert outcome.amount == 11_000
    assert seat_statuses() == ["revoked"] * 3
    assert sums(shop.order(started).id) == (15_000, 15_000, 0)


def test_a_seat_takes_what_is_left_when_an_amount_went_back_before(shop: Shop) -> None:
    started = buy_seats(shop, quantity=2, unit_amount=5000)
    give_back(started, key="amount", amount=7000)

    outcome = give_back(started, key="seat", seats=(2,))

    assert outcome.amount == 3000
    assert shop.order(started).state == "refunded"
    assert seat_statuses() == ["revoked"] * 2


def test_an_amount_keeps_every_seat_until_all_is_back(shop: Shop) -> None:
    started = buy_seats(shop, unit_amount=4000)

    give_back(started, key="a", amount=5000)
    assert (shop.order(started).state, seat_statuses(), held()) == ("partially_refunded", ["active"] * 3, [3])
    assert [mail["target"] for mail in mails("order_refunded")] == ["amount"]
    give_back(started, key="b", amount=7000)

    assert (shop.order(started).state, seat_statuses(), held()) == ("refunded", ["revoked"] * 3, [0])


def test_everything_left_goes_back_by_default(shop: Shop) -> None:
    create_code("LAUNCH", percent_off=50, max_redemptions=1)
    started = buy_seats(shop, unit_amount=4000, code="LAUNCH")
    give_back(started, key="a", amount=1000)

    outcome = give_back(started, key="b")

    assert outcome.amount == 5000
    assert refunds(shop) == [1000, 5000]
    assert sums(shop.order(started).id) == (6000, 6000, 0)
    db.session.rollback()
    assert db.session.scalars(select(PromotionCode.redeemed_count)).one() == 0
    assert mails("order_refunded")[-1]["access_closed"] is True


def test_another_grant_keeps_the_course_open(shop: Shop) -> None:
    user, course = make_user(), make_course(unit_amount=9700)
    started = shop.buy(course, user=user)
    with transaction() as session:
        session.add(Grant(user_id=user.id, course_id=course.id, reason="By hand", granted_at=clock.now()))

    plan = preview_refund(order_public_id=started.order_public_id, scope=RefundScope())
    give_back(started)

    assert [(each.number, each.kept_titles) for each in plan.closing] == [(1, (course.title,))]
    assert seat_statuses() == ["revoked"]
    assert list_open_course_ids(user_id=user.id) == {course.id}


def test_refund_leaves_who_wanted_it_and_why(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    admin = make_user()

    with acting_as(Actor(kind="user", id=admin.public_id)):
        refund_order(
            order_public_id=started.order_public_id, request_key="k", scope=RefundScope(amount=500),
            reason=" Late start ", user_id=admin.id,
        )  # fmt: skip

    note = db.session.scalars(select(OrderNote).where(OrderNote.kind == "refund_wanted")).one()
    audit = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "order.refund")).one()
    assert (note.text, note.actor_id) == ("Late start", admin.id)
    assert (audit.actor_kind, audit.actor_id, audit.subject_id) == ("user", admin.public_id, started.order_public_id)
    assert audit.after == {"amount": 500, "currency": "usd", "seats": []}
    assert list_requests()[0].requested_by_id == admin.id
    entry = db.session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "refund")).one()
    assert entry.refund_request_id == list_requests()[0].id


def test_refund_of_an_order_that_was_paid_twice_takes_each_payment_for_itself(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    again = open_second_session(shop.order(started).id)
    shop.pay(started)
    shop.pay(again)
    # The return of the second payment is refused for now, so both charges have money left.
    pull_refund_lever(shop, kind="api_error", status=400, when="before", count=1)
    shop.deliver_all()
    assert (refunds(shop), open_findings()) == ([], ["second_payment", "refund_refused"])

    plan = preview_refund(order_public_id=started.order_public_id, scope=RefundScope(amount=12_000))
    outcome = give_back(started, amount=12_000)

    assert plan.left_amount == 19_400
    assert [part.amount for part in plan.parts] == [9700, 2300]
    assert len({part.stripe_charge_id for part in plan.parts}) == 2
    assert [each.status for each in outcome.refunds] == ["done", "done"]
    assert sums(shop.order(started).id) == (19_400, 12_000, 7400)
    give_back(started, key="rest")
    assert shop.order(started).state == "refunded"
    assert open_findings() == []


# The preview


def test_preview_says_what_would_happen_and_does_nothing(shop: Shop) -> None:
    create_code("HALF", percent_off=50)
    started = buy_seats(shop, unit_amount=4000, code="HALF")
    order_id = started.order_public_id

    seat = preview_refund(order_public_id=order_id, scope=RefundScope(seats=(2,)))
    everything = preview_refund(order_public_id=order_id, scope=RefundScope())
    amount = preview_refund(order_public_id=order_id, scope=RefundScope(amount=100))

    assert (seat.amount, seat.left_amount, seat.state_after) == (2000, 6000, "partially_refunded")
    assert ([each.number for each in seat.closing], seat.staying_seats, seat.freed_capacity) == ([2], 2, 1)
    assert (seat.freed_code, everything.freed_code) == ("", "HALF")
    assert ([each.number for each in everything.closing], everything.staying_seats) == ([1, 2, 3], 0)
    assert (everything.amount, everything.freed_capacity, everything.state_after) == (6000, 3, "refunded")
    assert (amount.closing, amount.staying_seats, amount.freed_capacity) == ((), 3, 0)
    assert list_requests() == []
    assert refunds(shop) == []
    assert seat_statuses() == ["active"] * 3


# What is refused leaves nothing


@pytest.mark.parametrize(
    ("scope", "error", "sentence", "field"),
    [
        ({"amount": 0}, NothingToRefund, NothingToRefund.sentence, None),
        ({"amount": -5}, NothingToRefund, NothingToRefund.sentence, None),
        ({"amount": 10_000}, NothingToRefund, NothingToRefund.sentence, None),
        ({"line": 0}, InvalidInput, "There is no line 0: the order has 1.", "line"),
        ({"line": 2}, InvalidInput, "There is no line 2: the order has 1.", "line"),
        ({"seats": (4,)}, InvalidInput, "There is no seat 4: the order has 3.", "seat"),
        ({"seats": (0,)}, InvalidInput, "There is no seat 0: the order has 3.", "seat"),
        ({"amount": 5, "line": 1}, InvalidInput, "Choose an amount, a line or seats: only one of them.", None),
        ({"seats": (1,), "line": 1}, InvalidInput, "Choose an amount, a line or seats: only one of them.", None),
    ],
)
def test_what_cannot_be_refunded_is_refused_and_leaves_nothing(
    shop: Shop, scope: dict[str, Any], error: type[AppError], sentence: str, field: str | None
) -> None:
    started = buy_seats(shop, unit_amount=3333)

    with pytest.raises(error) as refused:
        give_back(started, **scope)
    assert (refused.value.sentence, refused.value.field) == (sentence, field)
    with pytest.raises(error):
        preview_refund(order_public_id=started.order_public_id, scope=RefundScope(**scope))

    assert list_requests() == []
    assert refunds(shop) == []


def test_an_amount_between_the_steps_of_its_currency_is_refused(shop: Shop) -> None:
    started = buy_seats(shop, unit_amount=3330, currency="kwd")

    with pytest.raises(InvalidInput, match="must be 0"):
        give_back(started, amount=1005)

    assert list_requests() == []


@pytest.mark.parametrize(("reason", "key"), [("", "k"), ("  ", "k"), ("Why", ""), ("Why", "k" * 101)])
def test_a_refund_needs_a_reason_and_a_key(shop: Shop, reason: str, key: str) -> None:
    started = shop.buy(make_course(), user=make_user())

    with pytest.raises(InvalidInput) as refused:
        refund_order(order_public_id=started.order_public_id, request_key=key, scope=RefundScope(), reason=reason)

    assert (refused.value.field, refused.value.sentence) in {
        ("reason", "Say why the money goes back: it is kept with the order."),
        ("request_key", "The request’s key has 1 to 100 characters."),
    }
    assert (refused.value.field == "reason") is (reason.strip() == "")
    assert list_requests() == []


def test_unknown_orders_are_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound, match=r"^There is no such order\.$"):
        refund_order(order_public_id="ord_none", request_key="k" * 100, scope=RefundScope(), reason="Why")
    with pytest.raises(NotFound, match=r"^There is no such order\.$"):
        preview_refund(order_public_id="ord_none", scope=RefundScope())


def test_unpaid_and_free_orders_have_nothing_to_refund(shop: Shop) -> None:
    unpaid = shop.begin(make_course(), user=make_user())
    free = shop.begin(make_course(unit_amount=0), user=make_user())

    for started in (unpaid, free):
        for scope in ({}, {"line": 1}, {"amount": 1}):
            with pytest.raises(NothingToRefund):
                give_back(started, **scope)

    assert list_requests() == []


def test_a_seat_is_refunded_once(shop: Shop) -> None:
    started = buy_seats(shop)
    give_back(started, key="one", seats=(2,))

    for scope in ({"seats": (2,)}, {"seats": (1, 2)}):
        with pytest.raises(SeatRefunded, match=r"^Seat 2 was refunded already, or its refund is on its way\.$"):
            give_back(started, key="two", **scope)
    give_back(started, key="line", line=1)
    for name, scope in (("Seat 1", {"seats": (1,)}), ("This line", {"line": 1})):
        with pytest.raises(SeatRefunded, match=rf"^{name} was refunded already, or its refund is on its way\.$"):
            give_back(started, key="three", **scope)

    assert refunds(shop) == [3333, 6666]
