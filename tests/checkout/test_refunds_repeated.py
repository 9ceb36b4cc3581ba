"""Refunds asked for again, while Stripe is slow, wrong or gone, and those that fail later: one refund, and books that agree."""

from typing import Any

import pytest
from sqlalchemy import select

import app.checkout.refunds as refunds_module
from app.catalog.models import Product
from app.checkout.ledger import list_new_facts
from app.checkout.models import Order, OrderNote
from app.checkout.refund_orders import RefundKeyUsed
from app.checkout.refund_plans import RefundScope, preview_refund
from app.checkout.refunds import NothingToRefund, PaymentDisputed
from app.db import db
from app.payments.facts import read_payment, read_refund
from tests.checkout.conftest import Shop
from tests.checkout.money import (
    buy_seats,
    give_back,
    held,
    list_requests,
    mails,
    open_findings,
    payment_intent,
    pull_refund_lever,
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
    pull_refund_lever(shop, **lever)

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
    assert list_requests()[0].stripe_refund_id is not None


def test_a_wish_that_waits_counts_as_promised(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    pull_refund_lever(shop, kind="api_close", when="before", count=2)
    waiting = give_back(started, key="one", amount=9000)
    assert not waiting.is_done

    with pytest.raises(NothingToRefund):
        give_back(started, key="two", amount=701)
    plan = preview_refund(order_public_id=started.order_public_id, scope=RefundScope())

    assert (plan.amount, plan.state_after) == (700, "refunded")
    assert [request.amount for request in list_requests()] == [9000]


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
    assert list_requests()[0].stripe_refund_id is None

    shop.deliver_all()

    assert seat_statuses() == ["active", "active", "revoked"]
    assert refunds(shop) == [3333]
    plan = preview_refund(order_public_id=started.order_public_id, scope=RefundScope())
    assert plan.amount == 6666


def test_refund_that_stripe_refuses_is_told_and_kept_as_a_finding_until_the_money_is_back(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    pull_refund_lever(shop, kind="api_error", status=400, when="before", count=1)

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

    assert list_requests() == []


def test_refusal_of_a_refund_that_another_worker_has_just_made_is_no_refusal(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    with monkeypatch.context() as patch:
        patch.setattr("app.checkout.refund_orders._send", lambda _request_ids: None)
        give_back(started)
    request = list_requests()[0]
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
    assert list_requests()[0].error is None


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
