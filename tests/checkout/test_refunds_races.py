"""Money back, everybody at once; each race has a control that goes wrong without the database's decision."""

from typing import Any

import pytest
from sqlalchemy import func, select

import app.checkout.refund_orders as refund_orders_module
import app.checkout.refund_plans as refund_plans_module
from app.catalog.models import Product
from app.checkout.models import LedgerEntry, RefundRequest
from app.checkout.refund_plans import RefundScope
from app.checkout.services import StartedCheckout
from app.checkout.settle import settle
from app.db import db
from tests.checkout.conftest import Shop
from tests.checkout.money import give_back, held, mails, open_findings, payment_intent, refunds, seat_statuses, sums
from tests.factories import make_course, make_user
from tests.races import Pause, kinds, run_at_once

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.02)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.05)


def buy_seats(shop: Shop) -> StartedCheckout:
    started = shop.begin(make_course(unit_amount=3000, capacity=5), user=make_user(), quantity=3)
    shop.pay(started)
    shop.deliver_all()
    return started


def promised() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.coalesce(func.sum(RefundRequest.amount), 0))) or 0


def come_to_rest(shop: Shop) -> None:
    shop.work()
    shop.deliver_all()


def plan_before_the_lock(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """Every thread makes its plan from what it read before anybody wrote: what a check without the lock would do."""
    pause, real = Pause(threads), refund_orders_module.make_plan

    def plan_early(order: Any, scope: Any) -> Any:
        return pause.seen.plan

    def look_early(order_id: int) -> None:
        if hasattr(pause.seen, "plan"):
            return
        order = db.session.get_one(
            refund_orders_module.Order,
            order_id,
            populate_existing=True,
            options=[
                refund_orders_module.selectinload(refund_orders_module.Order.items),
                refund_orders_module.selectinload(refund_orders_module.Order.entries),
            ],
        )
        pause.seen.plan = real(order, pause.seen.scope)
        pause.wait()

    def refund_with_scope(**values: Any) -> Any:
        pause.seen.scope = values["scope"]
        return real_refund(**values)

    real_refund = refund_orders_module.refund_order
    monkeypatch.setattr(refund_orders_module, "make_plan", plan_early)
    monkeypatch.setattr(refund_orders_module, "_settle_quietly", look_early)
    monkeypatch.setattr("tests.checkout.money.refund_order", refund_with_scope)


# Two admins


def test_one_key_clicked_eight_times_is_one_refund(shop: Shop) -> None:
    started = buy_seats(shop)

    outcomes = run_at_once(shop.app, *[lambda: give_back(started, seats=(2,))] * 8)
    come_to_rest(shop)

    assert kinds(outcomes) == {"RefundOutcome": 8}, outcomes
    assert {each.amount for each in outcomes} == {3000}
    assert refunds(shop) == [3000]
    assert seat_statuses() == ["active", "revoked", "active"]
    assert len(mails("order_refunded")) == 1


def test_four_admins_refund_one_seat_once(shop: Shop) -> None:
    started = buy_seats(shop)

    outcomes = run_at_once(
        shop.app, *[lambda name=f"admin-{number}": give_back(started, key=name, seats=(2,)) for number in range(4)]
    )
    come_to_rest(shop)

    assert kinds(outcomes) == {"RefundOutcome": 1, "SeatRefunded": 3}, outcomes
    assert refunds(shop) == [3000]
    assert (seat_statuses(), held()) == (["active", "revoked", "active"], [2])


def test_control_a_plan_made_before_the_lock_promises_one_seat_four_times(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = buy_seats(shop)
    plan_before_the_lock(monkeypatch, 4)
    monkeypatch.setattr(refund_orders_module, "_send", lambda _request_ids: None)

    outcomes = run_at_once(
        shop.app, *[lambda name=f"admin-{number}": give_back(started, key=name, seats=(2,)) for number in range(4)]
    )

    assert kinds(outcomes) == {"RefundOutcome": 4}, outcomes
    assert promised() == 12_000


def test_a_seat_and_an_amount_at_once_never_return_more_than_was_paid(shop: Shop) -> None:
    started = buy_seats(shop)

    outcomes = run_at_once(
        shop.app,
        lambda: give_back(started, key="amount", amount=8000),
        lambda: give_back(started, key="seats", seats=(1, 2)),
    )
    come_to_rest(shop)

    # The amount is never cut short: after the seats there is too little for it; before them they take the rest.
    assert kinds(outcomes) in ({"RefundOutcome": 2}, {"RefundOutcome": 1, "NothingToRefund": 1}), outcomes
    assert sum(refunds(shop)) == promised() <= 9000
    assert sorted(refunds(shop)) in ([1000, 8000], [3000, 3000])
    assert sums(shop.order(started).id)[1] == promised()
    assert open_findings() == []


def test_control_a_seat_and_an_amount_planned_before_the_lock_promise_too_much(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = buy_seats(shop)
    plan_before_the_lock(monkeypatch, 2)
    monkeypatch.setattr(refund_orders_module, "_send", lambda _request_ids: None)

    run_at_once(
        shop.app,
        lambda: give_back(started, key="amount", amount=8000),
        lambda: give_back(started, key="seats", seats=(1, 2)),
    )

    assert promised() == 14_000


def test_everything_wanted_by_four_admins_goes_back_once(shop: Shop) -> None:
    started = buy_seats(shop)

    outcomes = run_at_once(
        shop.app, *[lambda name=f"admin-{number}": give_back(started, key=name) for number in range(4)]
    )
    come_to_rest(shop)

    assert kinds(outcomes) == {"RefundOutcome": 1, "NothingToRefund": 3}, outcomes
    assert refunds(shop) == [9000]
    assert (shop.order(started).state, held()) == ("refunded", [0])
    assert db.session.scalars(select(Product.taken_seats)).one() == 0


# Our refund and somebody in Stripe's dashboard


def test_a_refund_here_and_one_in_the_dashboard_at_once_are_both_in_the_ledger(shop: Shop) -> None:
    started = buy_seats(shop)
    intent = payment_intent(shop, started)

    outcomes = run_at_once(
        shop.app,
        lambda: give_back(started, seats=(2,)),
        lambda: shop.control(f"/refund/{intent}", {"amount": 4000}),
    )
    come_to_rest(shop)

    assert not any(isinstance(each, Exception) for each in outcomes), outcomes
    assert sorted(refunds(shop)) == [3000, 4000]
    assert sums(shop.order(started).id) == (9000, 7000, 2000)
    assert seat_statuses() == ["active", "revoked", "active"]


def test_all_of_it_here_and_all_of_it_in_the_dashboard_at_once_is_all_of_it_once(shop: Shop) -> None:
    started = buy_seats(shop)
    intent = payment_intent(shop, started)

    run_at_once(shop.app, lambda: give_back(started), lambda: shop.control(f"/refund/{intent}", {"amount": 9000}))
    come_to_rest(shop)

    # Whoever was second was refused by Stripe; what was wanted has happened, so nothing needs a person.
    assert refunds(shop) == [9000]
    assert (shop.order(started).state, sums(shop.order(started).id)) == ("refunded", (9000, 9000, 0))
    assert open_findings() == []


# Our call and Stripe's webhook


def test_a_refund_and_four_readings_of_it_at_once_are_one_entry_and_one_mail(shop: Shop) -> None:
    started = buy_seats(shop)
    order_id = shop.order(started).id

    outcomes = run_at_once(shop.app, lambda: give_back(started, seats=(3,)), *[lambda: settle(order_id=order_id)] * 4)
    come_to_rest(shop)

    assert not any(isinstance(each, Exception) for each in outcomes), outcomes
    assert db.session.scalars(select(LedgerEntry.kind).where(LedgerEntry.kind == "refund")).all() == ["refund"]
    assert len(mails("order_refunded")) == 1
    assert (seat_statuses(), held()) == (["active", "active", "revoked"], [2])


def test_control_money_counted_without_the_lines_of_waiting_wishes_is_promised_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = buy_seats(shop)
    monkeypatch.setattr(refund_orders_module, "_send", lambda _request_ids: None)
    monkeypatch.setattr("app.checkout.refunds.list_waiting", lambda *_: [])
    monkeypatch.setattr(refund_plans_module, "list_waiting", lambda *_: [])

    give_back(started, key="one", amount=9000)
    give_back(started, key="two", amount=9000)

    assert promised() == 18_000


# Two admins who saw the same


def refund_what_was_seen(started: StartedCheckout, key: str, seen: int | None) -> Any:
    return refund_orders_module.refund_order(
        order_public_id=started.order_public_id, request_key=key, scope=RefundScope(amount=2000), reason="Asked for it",
        seen_left_amount=seen,
    )  # fmt: skip


def test_of_two_who_saw_the_same_order_one_refunds_and_one_hears_of_it(shop: Shop) -> None:
    started = buy_seats(shop)

    outcomes = run_at_once(
        shop.app, *[lambda name=f"admin-{number}": refund_what_was_seen(started, name, 9000) for number in range(2)]
    )
    come_to_rest(shop)

    assert kinds(outcomes) == {"RefundOutcome": 1, "RefundOutdated": 1}, outcomes
    assert refunds(shop) == [2000]


def test_control_without_what_was_seen_both_refund(shop: Shop) -> None:
    started = buy_seats(shop)

    outcomes = run_at_once(
        shop.app, *[lambda name=f"admin-{number}": refund_what_was_seen(started, name, None) for number in range(2)]
    )
    come_to_rest(shop)

    assert kinds(outcomes) == {"RefundOutcome": 2}, outcomes
    assert refunds(shop) == [2000, 2000]
