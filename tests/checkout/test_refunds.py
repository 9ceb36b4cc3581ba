"""Refunds from our side: by seat, line, amount or all of it; once for each key, never more than was paid."""

from typing import Any

import pytest
from sqlalchemy import select

import app.checkout.refunds as refunds_module
from app import clock
from app.accounts.models import AuditEntry
from app.catalog.models import Product, PromotionCode
from app.catalog.promotion_codes import create_code
from app.checkout.ledger import list_new_facts
from app.checkout.models import LedgerEntry, Order, OrderNote, RefundRequest
from app.checkout.refund_orders import RefundKeyUsed, refund_order
from app.checkout.refund_plans import RefundScope, SeatRefunded, preview_refund
from app.checkout.refunds import NothingToRefund, PaymentDisputed
from app.checkout.services import StartedCheckout
from app.db import db, transaction
from app.enrollment.models import Grant, Seat
from app.enrollment.seats import seat_user
from app.enrollment.services import list_open_course_ids
from app.errors import InvalidInput, NotFound
from app.payments.facts import read_payment, read_refund
from tests.checkout.conftest import Shop
from tests.checkout.money import (
    give_back,
    held,
    mails,
    open_findings,
    open_second_session,
    payment_intent,
    refunds,
    seat_statuses,
    sums,
)
from tests.conftest import MovableClock
from tests.factories import make_course, make_user


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.001)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.002)


def buy_seats(shop: Shop, *, quantity: int = 3, unit_amount: int = 3333, **values: Any) -> StartedCheckout:
    """A paid team order of a limited course; the buyer sits on the first seat."""
    currency = values.pop("currency", "usd")
    card = values.pop("card", "4242424242424242")
    course = make_course(unit_amount=unit_amount, currency=currency, capacity=10)
    started = shop.begin(course, user=make_user(), quantity=quantity, **values)
    shop.pay(started, card=card)
    shop.deliver_all()
    assert shop.order(started).state == "paid"
    return started


def requests() -> list[RefundRequest]:
    db.session.rollback()
    return list(db.session.scalars(select(RefundRequest).order_by(RefundRequest.id)))


def pull(shop: Shop, **lever: Any) -> None:
    status, answer = shop.control("/levers", {"path": "/v1/refunds", "method": "POST", **lever})
    assert status == 200, answer


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


def list_seat_ids() -> list[int]:
    return list(db.session.scalars(select(Seat.id).order_by(Seat.order_item_id, Seat.position)))


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

    refund_order(
        order_public_id=started.order_public_id, request_key="k", scope=RefundScope(amount=500), reason=" Late start ",
        user_id=admin.id,
    )  # fmt: skip

    note = db.session.scalars(select(OrderNote).where(OrderNote.kind == "refund_wanted")).one()
    audit = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "order.refund")).one()
    assert (note.text, note.actor_id) == ("Late start", admin.id)
    assert (audit.actor_kind, audit.actor_id, audit.subject_id) == ("user", str(admin.id), started.order_public_id)
    assert audit.after == {"amount": 500, "currency": "usd", "seats": []}
    assert requests()[0].requested_by_id == admin.id
    entry = db.session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "refund")).one()
    assert entry.refund_request_id == requests()[0].id


def test_refund_of_an_order_that_was_paid_twice_takes_each_payment_for_itself(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    again = open_second_session(shop.order(started).id)
    shop.pay(started)
    shop.pay(again)
    # The return of the second payment is refused for now, so both charges have money left.
    pull(shop, kind="api_error", status=400, when="before", count=1)
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
    assert requests() == []
    assert refunds(shop) == []
    assert seat_statuses() == ["active"] * 3


# What is refused leaves nothing


@pytest.mark.parametrize(
    ("scope", "error"),
    [
        ({"amount": 0}, NothingToRefund),
        ({"amount": -5}, NothingToRefund),
        ({"amount": 10_000}, NothingToRefund),
        ({"line": 0}, InvalidInput),
        ({"line": 2}, InvalidInput),
        ({"seats": (4,)}, InvalidInput),
        ({"seats": (0,)}, InvalidInput),
        ({"amount": 5, "line": 1}, InvalidInput),
        ({"seats": (1,), "line": 1}, InvalidInput),
    ],
)
def test_what_cannot_be_refunded_is_refused_and_leaves_nothing(
    shop: Shop, scope: dict[str, Any], error: type[Exception]
) -> None:
    started = buy_seats(shop, unit_amount=3333)

    with pytest.raises(error):
        give_back(started, **scope)
    with pytest.raises(error):
        preview_refund(order_public_id=started.order_public_id, scope=RefundScope(**scope))

    assert requests() == []
    assert refunds(shop) == []


def test_an_amount_between_the_steps_of_its_currency_is_refused(shop: Shop) -> None:
    started = buy_seats(shop, unit_amount=3330, currency="kwd")

    with pytest.raises(InvalidInput, match="must be 0"):
        give_back(started, amount=1005)

    assert requests() == []


@pytest.mark.parametrize(("reason", "key"), [("", "k"), ("  ", "k"), ("Why", ""), ("Why", "k" * 101)])
def test_a_refund_needs_a_reason_and_a_key(shop: Shop, reason: str, key: str) -> None:
    started = shop.buy(make_course(), user=make_user())

    with pytest.raises(InvalidInput):
        refund_order(order_public_id=started.order_public_id, request_key=key, scope=RefundScope(), reason=reason)

    assert requests() == []


def test_unknown_orders_are_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound):
        refund_order(order_public_id="ord_none", request_key="k", scope=RefundScope(), reason="Why")
    with pytest.raises(NotFound):
        preview_refund(order_public_id="ord_none", scope=RefundScope())


def test_unpaid_and_free_orders_have_nothing_to_refund(shop: Shop) -> None:
    unpaid = shop.begin(make_course(), user=make_user())
    free = shop.begin(make_course(unit_amount=0), user=make_user())

    for started in (unpaid, free):
        for scope in ({}, {"line": 1}, {"amount": 1}):
            with pytest.raises(NothingToRefund):
                give_back(started, **scope)

    assert requests() == []


def test_a_seat_is_refunded_once(shop: Shop) -> None:
    started = buy_seats(shop)
    give_back(started, key="one", seats=(2,))

    for scope in ({"seats": (2,)}, {"seats": (1, 2)}):
        with pytest.raises(SeatRefunded):
            give_back(started, key="two", **scope)
    give_back(started, key="line", line=1)
    for scope in ({"seats": (1,)}, {"line": 1}):
        with pytest.raises(SeatRefunded):
            give_back(started, key="three", **scope)

    assert refunds(shop) == [3333, 6666]


# Once for each key


def test_the_same_key_again_tells_the_first_outcome(shop: Shop) -> None:
    started = buy_seats(shop)
    first = give_back(started, seats=(2, 3))

    again = give_back(started, seats=(2, 3))

    assert again == first
    assert refunds(shop) == [3333, 3333]
    assert len(mails("order_refunded")) == 2


@pytest.mark.parametrize(
    ("first", "other"),
    [
        ({"seats": (2,)}, {"seats": (3,)}),
        ({"seats": (2,)}, {"line": 1}),
        ({"line": 1}, {"amount": 9999}),
        ({"amount": 500}, {"amount": 600}),
        ({"amount": 500}, {"seats": (1,)}),
    ],
)
def test_a_key_stands_for_one_choice(shop: Shop, first: dict[str, Any], other: dict[str, Any]) -> None:
    started = buy_seats(shop)
    give_back(started, **first)
    before = refunds(shop)

    with pytest.raises(RefundKeyUsed):
        give_back(started, **other)

    assert refunds(shop) == before


def test_a_key_stands_for_one_order(shop: Shop) -> None:
    first = shop.buy(make_course(unit_amount=9700), user=make_user())
    second = shop.buy(make_course(unit_amount=9700), user=make_user())
    give_back(first, amount=100)

    with pytest.raises(RefundKeyUsed):
        give_back(second, amount=100)

    assert refunds(shop) == [100]
    assert db.session.scalars(select(OrderNote).where(OrderNote.kind == "refund_wanted")).all() != []
    assert sums(shop.order(second).id) == (9700, 0, 9700)


# Stripe is slow, wrong or gone, F73 to F75


@pytest.mark.parametrize(
    "lever",
    [
        {"kind": "api_error", "status": 500, "when": "before", "count": 2, "stored": False},
        {"kind": "api_error", "status": 500, "when": "after", "count": 2},
        {"kind": "api_error", "status": 429, "when": "before", "count": 2},
        {"kind": "api_close", "when": "before", "count": 2},
        {"kind": "api_close", "when": "after", "count": 2},
        {"kind": "api_garbage", "body": "html", "count": 2},
        {"kind": "api_garbage", "body": "truncated", "count": 2},
    ],
)
@pytest.mark.parametrize("is_forgotten", [False, True], ids=["keys kept", "keys forgotten"])
def test_a_refund_without_an_answer_is_made_once_by_whoever_asks_next(
    shop: Shop, moving_clock: MovableClock, lever: dict[str, Any], *, is_forgotten: bool
) -> None:
    started = buy_seats(shop)
    pull(shop, **lever)

    first = give_back(started, seats=(2,))
    shop.remove_levers()
    if is_forgotten:
        shop.control("/levers", {"kind": "forget_idempotency_keys"})
    moving_clock.advance(minutes=10)
    shop.work()
    again = give_back(started, seats=(2,))

    assert [each.status for each in first.refunds] in (["waiting"], ["done"])
    assert [each.status for each in again.refunds] == ["done"]
    assert refunds(shop) == [3333]
    assert seat_statuses() == ["active", "revoked", "active"]
    assert requests()[0].stripe_refund_id is not None


def test_a_wish_that_waits_counts_as_promised(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    pull(shop, kind="api_close", when="before", count=2)
    waiting = give_back(started, key="one", amount=9000)
    assert not waiting.is_done

    with pytest.raises(NothingToRefund):
        give_back(started, key="two", amount=701)
    plan = preview_refund(order_public_id=started.order_public_id, scope=RefundScope())

    assert (plan.amount, plan.state_after) == (700, "refunded")
    assert [request.amount for request in requests()] == [9000]


def test_a_refund_whose_sender_died_before_settling_is_settled_by_the_sweep(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    with monkeypatch.context() as patch:
        patch.setattr("app.checkout.refund_orders._settle_quietly", lambda _order_id: None)
        outcome = give_back(started)
    assert ([each.status for each in outcome.refunds], shop.order(started).state) == (["waiting"], "paid")

    shop.work()

    assert shop.order(started).state == "refunded"
    assert seat_statuses() == ["revoked"]


def test_event_that_comes_before_our_own_commit_finds_its_seat(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    started = buy_seats(shop)
    with monkeypatch.context() as patch:
        # Stripe has made the refund, its answer was never stored.
        patch.setattr("app.checkout.refunds._record_sent", lambda *_, **__: None)
        patch.setattr("app.checkout.refund_orders._settle_quietly", lambda _order_id: None)
        give_back(started, seats=(3,))
    assert requests()[0].stripe_refund_id is None

    shop.deliver_all()

    assert seat_statuses() == ["active", "active", "revoked"]
    assert refunds(shop) == [3333]
    plan = preview_refund(order_public_id=started.order_public_id, scope=RefundScope())
    assert plan.amount == 6666


def test_refund_that_stripe_refuses_is_told_and_kept_as_a_finding_until_the_money_is_back(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    pull(shop, kind="api_error", status=400, when="before", count=1)

    outcome = give_back(started, key="one")

    assert [each.status for each in outcome.refunds] == ["refused"]
    assert (shop.order(started).state, seat_statuses(), open_findings()) == ("paid", ["active"], ["refund_refused"])
    assert mails("order_refunded") == []
    again = give_back(started, key="two")
    assert again.is_done
    assert (shop.order(started).state, open_findings(), refunds(shop)) == ("refunded", [], [9700])


def test_dashboard_refund_that_we_have_not_heard_of_counts_before_ours(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    shop.control(f"/refund/{payment_intent(shop, started)}", {"amount": 3000})

    with pytest.raises(NothingToRefund):
        give_back(started, amount=7000)
    outcome = give_back(started)

    assert outcome.amount == 6700
    assert sorted(refunds(shop)) == [3000, 6700]
    assert open_findings() == []


# Refunds that fail later (F76, P6)


def test_seat_whose_refund_fails_is_open_again_and_can_be_refunded_again(shop: Shop) -> None:
    started = buy_seats(shop, card="4000000000005126")
    give_back(started, key="one", seats=(2,))
    assert (seat_statuses()[1], held()) == ("revoked", [2])

    shop.control("/tick", {"seconds": 3600})
    shop.deliver_all()

    assert (shop.order(started).state, seat_statuses(), held()) == ("paid", ["active"] * 3, [3])
    assert sums(shop.order(started).id) == (9999, 0, 9999)
    assert open_findings() == ["refund_failed"]
    assert [mail["access_open"] for mail in mails("refund_failed")] == [True]
    again = give_back(started, key="two", seats=(2,))
    assert again.is_done
    assert (seat_statuses(), open_findings()) == (["active", "revoked", "active"], [])
    assert [each.status for each in give_back(started, key="one", seats=(2,)).refunds] == ["failed"]


def test_refund_that_failed_before_we_ever_saw_it_leaves_its_money_free(shop: Shop) -> None:
    started = buy_seats(shop, card="4000000000005126")
    shop.control("/levers", {"kind": "api_error", "status": 500, "path": "/v1/checkout/sessions/*", "method": "GET",
                             "count": 100, "stored": False})  # fmt: skip
    give_back(started, key="one", seats=(2,))
    shop.control("/tick", {"seconds": 3600})
    shop.remove_levers()

    shop.deliver_all()

    assert sums(shop.order(started).id) == (9999, 0, 9999)
    assert seat_statuses() == ["active"] * 3
    assert mails("refund_failed") == []
    assert give_back(started, key="two", seats=(2,)).is_done


def test_seat_that_comes_back_after_its_place_was_sold_is_reported(shop: Shop) -> None:
    course = make_course(unit_amount=5000, capacity=2)
    started = shop.begin(course, user=make_user(), quantity=2)
    shop.pay(started, card="4000000000005126")
    shop.deliver_all()
    give_back(started, seats=(2,))
    shop.buy(course, user=make_user())

    shop.control("/tick", {"seconds": 3600})
    shop.deliver_all()

    assert seat_statuses() == ["active"] * 3
    assert held() == [1, 1]
    assert sorted(open_findings()) == ["oversold", "refund_failed"]
    assert db.session.scalars(select(Product.taken_seats)).one() == 2


def test_every_order_of_events_ends_the_same(shop: Shop) -> None:
    started = buy_seats(shop, card="4000000000005126")
    give_back(started, key="one", seats=(2,))
    give_back(started, key="two", amount=1000)
    shop.control("/tick", {"seconds": 3600})

    events = shop.events()
    for event in [*reversed(events), *events, *events[::2]]:
        assert shop.send(event) == 200
    shop.work()

    assert sums(shop.order(started).id) == (9999, 0, 9999)
    assert seat_statuses() == ["active"] * 3
    assert len(mails("refund_failed")) == 2
    assert db.session.scalars(select(Order.state)).one() == "paid"


def test_disputed_payment_cannot_be_refunded(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    shop.control(f"/dispute/{payment_intent(shop, started)}")

    for scope in ({}, {"seats": (1,)}, {"line": 1}, {"amount": 100}):
        with pytest.raises(PaymentDisputed):
            give_back(started, **scope)

    assert requests() == []


def test_refusal_of_a_refund_that_another_worker_has_just_made_is_no_refusal(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    with monkeypatch.context() as patch:
        patch.setattr("app.checkout.refund_orders._send", lambda _request_ids: None)
        give_back(started)
    request = requests()[0]
    real_find, looks = refunds_module.find_refund, []

    def look_just_before_the_other_worker(**values: Any) -> Any:
        looks.append(values)
        found = real_find(**values)
        if len(looks) == 1:
            # Its key was another one, as after the day that Stripe keeps them.
            refunds_module.create_refund(
                charge_id=request.stripe_charge_id, amount=9700, idempotency_key="other",
                refund_request=request.public_id,
            )  # fmt: skip
        return found

    monkeypatch.setattr(refunds_module, "find_refund", look_just_before_the_other_worker)

    assert refunds_module.send_refund(request.id) == request.order_id
    shop.work()

    assert len(looks) == 2
    assert refunds(shop) == [9700]
    assert (shop.order(started).state, open_findings()) == ("refunded", [])
    assert requests()[0].error is None


def test_foreign_refund_that_never_moved_money_is_no_entry() -> None:
    def read(status: str, **values: Any) -> list[str]:
        refund = read_refund({"id": "re_1", "charge": "ch_1", "amount": 5, "currency": "usd", "status": status,
                              "created": 1_760_000_000, **values})  # fmt: skip
        facts = read_payment({"id": "pi_1"}, charges=[], refunds=[refund], disputes=[])
        return [entry.kind for entry in list_new_facts(facts, [])]

    assert read("requires_action") == []
    assert read("canceled") == []
    assert read("failed", failure_balance_transaction={"created": 1_760_000_500}) == ["refund", "refund_failed"]
    assert read("canceled", metadata={"refund_request": "rfr_1"}) == ["refund", "refund_failed"]
    assert read("pending") == ["refund"]
