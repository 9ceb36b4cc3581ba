"""Money that comes days later, goes back in pieces, is disputed or comes again: the ledger equals Stripe's (F70-F81)."""

import json
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select

from app.catalog.models import Product
from app.checkout.events import handle_event
from app.db import db
from app.enrollment.services import list_open_course_ids
from app.payments.events import record_event
from tests.checkout.conftest import Shop
from tests.checkout.money import give_back, open_findings
from tests.conftest import MovableClock
from tests.factories import make_course, make_user
from tests.faults.worlds import ask, effects, find_event, keep_rows, payment_intent, put_rows_back

PRICE = 9700


def stripe_sums(shop: Shop) -> tuple[int, int, int, int]:
    """(captured, refunded, withdrawn, reinstated) by Stripe's own objects."""
    charges = shop.stripe("/v1/charges?limit=100")["data"]
    refunds = shop.stripe("/v1/refunds?limit=100")["data"]
    moves = [move["amount"] for each in shop.stripe("/v1/disputes")["data"] for move in each["balance_transactions"]]
    return (
        sum(each["amount"] for each in charges if each["paid"]),
        sum(each["amount"] for each in refunds if each["status"] in {"succeeded", "pending"}),
        -sum(amount for amount in moves if amount < 0),
        sum(amount for amount in moves if amount > 0),
    )


# F70, a delayed method


@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_delayed_payment_holds_its_place_for_days_and_opens_nothing_before_the_money(
    shop: Shop, moving_clock: MovableClock, outcome: str, *, is_told: bool
) -> None:
    user, course = make_user(), make_course(unit_amount=PRICE, capacity=1)
    started = shop.begin(course, user=user)
    shop.pay(started, method="bank_debit")
    shop.deliver_all()
    for _ in range(6):
        moving_clock.advance(days=1)
        shop.work()
        assert (effects().state, effects().live_grants, effects().mails) == ("processing", 0, ())
        assert db.session.scalars(select(Product.taken_seats)).one() == 1

    ask(shop, f"/settle/{started.stripe_checkout_session_id}", outcome=outcome)
    if is_told:
        name = "checkout.session.async_payment_" + outcome
        assert shop.send(find_event(shop, name), timestamp=int(moving_clock().timestamp())) == 200
        shop.work()
    else:
        moving_clock.advance(hours=1)
        shop.work()

    has_come = outcome == "succeeded"
    assert effects().state == ("paid" if has_come else "failed")
    assert effects().mails == (("receipt",) if has_come else ("payment-failed",))
    assert list_open_course_ids(user_id=user.id) == ({course.id} if has_come else set())
    assert db.session.scalars(select(Product.taken_seats)).one() == (1 if has_come else 0)
    assert effects().sums == stripe_sums(shop)


# F71, a failure told late


@pytest.mark.parametrize("is_last", [True, False])
def test_failure_of_an_earlier_try_told_late_changes_nothing(shop: Shop, *, is_last: bool) -> None:
    user, course = make_user(), make_course(unit_amount=PRICE)
    started = shop.begin(course, user=user)
    shop.pay(started, card="4000000000000002")
    shop.pay(started)
    failure = find_event(shop, "payment_intent.payment_failed")
    success = find_event(shop, "checkout.session.completed")
    async_failure = {**success, "id": "evt_async", "type": "checkout.session.async_payment_failed"}

    for event in (success, failure, async_failure) if is_last else (failure, async_failure, success):
        assert shop.send(event) == 200
        shop.work()

    assert (effects().state, effects().mails, effects().sums) == ("paid", ("receipt",), (PRICE, 0, 0, 0))
    assert shop.order(started).failure_reason is None
    assert list_open_course_ids(user_id=user.id) == {course.id}


# F72, in pieces


def test_refunds_in_three_steps_close_at_the_last_cent_only(shop: Shop) -> None:
    user, course = make_user(), make_course(unit_amount=PRICE)
    started = shop.buy(course, user=user)
    intent = payment_intent(shop, started)
    for amount, total, is_open in ((3233, 3233, True), (3233, 6466, True), (3233, 9699, True), (1, 9700, False)):
        ask(shop, f"/refund/{intent}", amount=amount)
        events = [event for event in shop.events() if event["type"].startswith(("refund.", "charge.refund"))]
        # Newest first, each twice, the second time under another id.
        for event in reversed(events):
            shop.send(event)
            shop.send({**event, "id": f"{event['id']}_{total}"})
        shop.work()
        assert effects().sums == (PRICE, total, 0, 0) == stripe_sums(shop)
        assert (course.id in list_open_course_ids(user_id=user.id)) is is_open


# F77, F78, a dispute's own events


@pytest.mark.slow
@pytest.mark.parametrize(("outcome", "state", "net"), [("won", "paid", PRICE), ("lost", "lost", 0)])
def test_a_disputes_events_end_the_same_in_all_orders(
    shop: Shop, stand_still: Callable[[], None], outcome: str, state: str, net: int
) -> None:
    user, course = make_user(), make_course(unit_amount=PRICE)
    started = shop.buy(course, user=user)
    before = keep_rows()
    dispute = ask(shop, f"/dispute/{payment_intent(shop, started)}")
    ask(shop, f"/disputes/{dispute['id']}/close", outcome=outcome)
    told = {event["type"]: event for event in shop.events() if event["type"].startswith("charge.dispute.")}
    assert len(told) >= 3

    expected = stripe_sums(shop)
    stand_still()
    # Four of them in all 24 orders; where there are three, in their six.
    for order in permutations(list(told.values())[-4:]):
        put_rows_back(before)
        for event in order:
            record_event(payload=json.dumps(event).encode())
            handle_event(event["id"])
        end = effects()
        captured, refunded, withdrawn, reinstated = end.sums
        assert (end.state, captured - refunded - withdrawn + reinstated, end.live_grants) == (
            state,
            net,
            1 if outcome == "won" else 0,
        )
        assert end.sums == expected


# F79, refund and dispute of one payment


@pytest.mark.parametrize("by", ["us", "dashboard"])
@pytest.mark.parametrize("outcome", ["won", "lost"])
@pytest.mark.parametrize("is_refund_first", [True, False])
def test_refund_and_dispute_of_one_payment_are_each_subtracted_once(
    shop: Shop, by: str, outcome: str, *, is_refund_first: bool
) -> None:
    started = shop.buy(make_course(unit_amount=PRICE), user=make_user())
    intent = payment_intent(shop, started)

    def refund(amount: int) -> None:
        if by == "us":
            give_back(started, amount=amount)
        else:
            ask(shop, f"/refund/{intent}", amount=amount)

    if is_refund_first:
        refund(1700)
    dispute = ask(shop, f"/dispute/{intent}")
    shop.deliver_all()
    ask(shop, f"/disputes/{dispute['id']}/close", outcome=outcome)
    shop.deliver_all()
    if not is_refund_first and outcome == "won":
        refund(PRICE)
    shop.deliver_all()

    captured, refunded, withdrawn, reinstated = effects().sums
    assert effects().sums == stripe_sums(shop)
    kept = captured - refunded - withdrawn + reinstated
    if is_refund_first:
        assert (kept, effects().state) == ((8000, "partially_refunded") if outcome == "won" else (0, "lost"))
    else:
        assert (kept, effects().state) == (0, "refunded" if outcome == "won" else "lost")
    assert open_findings() == []


# F81, an inquiry


@pytest.mark.parametrize("is_closed", [False, True])
def test_inquiry_leaves_access_and_money_alone_through_any_events(shop: Shop, *, is_closed: bool) -> None:
    user, course = make_user(), make_course(unit_amount=PRICE)
    started = shop.buy(course, user=user)
    before = effects()
    dispute = ask(shop, f"/dispute/{payment_intent(shop, started)}", inquiry=True)
    if is_closed:
        ask(shop, f"/disputes/{dispute['id']}/close", outcome="warning_closed")

    events: list[dict[str, Any]] = shop.events()
    for event in [*reversed(events), *events]:
        assert shop.send(event) == 200
    shop.work()

    assert effects() == before
    assert list_open_course_ids(user_id=user.id) == {course.id}
    assert (shop.order(started).state, open_findings()) == ("paid", [])
