"""Disputes through their whole life: access follows the verdict, the ledger what really moved."""

from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select

from app.checkout.ledger import list_new_facts, sum_entries
from app.checkout.models import LedgerEntry, OrderNote
from app.checkout.orders import list_timeline
from app.checkout.services import StartedCheckout
from app.db import db
from app.enrollment.services import list_open_course_ids
from app.payments.facts import PaymentFacts, read_dispute, read_payment
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

PRICE = 9700


def buy(shop: Shop, **values: Any) -> StartedCheckout:
    return shop.buy(make_course(unit_amount=PRICE, capacity=5), user=make_user(), **values)


def dispute(shop: Shop, started: StartedCheckout, **body: Any) -> str:
    status, opened = shop.control(f"/dispute/{payment_intent(shop, started)}", body)
    assert status == 200, opened
    return str(opened["id"])


def list_charges(shop: Shop) -> list[str]:
    """The charges in the order in which their money came, as the ledger has them."""
    found = shop.stripe("/v1/charges?expand[]=data.balance_transaction")["data"]
    return [each["id"] for each in sorted(found, key=lambda each: (each["balance_transaction"]["created"], each["id"]))]


def dispute_charge(shop: Shop, charge_id: str) -> str:
    status, opened = shop.control(f"/dispute/{charge_id}")
    assert status == 200, opened
    return str(opened["id"])


def close(shop: Shop, dispute_id: str, outcome: str) -> None:
    status, answer = shop.control(f"/disputes/{dispute_id}/close", {"outcome": outcome})
    assert status == 200, answer


def moved(order_id: int) -> tuple[int, int]:
    """(withdrawn, reinstated) of an order."""
    db.session.rollback()
    found = sum_entries(db.session.scalars(select(LedgerEntry).where(LedgerEntry.order_id == order_id)).all())
    return found.withdrawn_amount, found.reinstated_amount


@pytest.mark.slow
@pytest.mark.parametrize(
    ("outcome", "state", "amounts", "statuses", "places"),
    [("won", "paid", (PRICE, PRICE), ["active"], [1]), ("lost", "lost", (PRICE, 0), ["revoked"], [0])],
)
def test_every_order_and_repetition_of_a_dispute_s_events_ends_the_same(
    shop: Shop, outcome: str, *, state: str, amounts: tuple[int, int], statuses: list[str], places: list[int]
) -> None:
    for course_number, order in enumerate(permutations(range(3))):
        shop.control("/reset")
        started = shop.begin(make_course(unit_amount=PRICE, capacity=5), user=make_user())
        shop.pay(started)
        close(shop, dispute(shop, started), outcome)
        told = [event for event in shop.events() if event["type"].startswith("charge.dispute.")][:3]
        for index in (*order, *order):
            assert shop.send(told[index % len(told)]) == 200
        shop.work()

        assert shop.order(started).state == state
        assert moved(shop.order(started).id) == amounts
        assert seat_statuses()[course_number:] == statuses
        assert held()[course_number:] == places


def test_open_dispute_suspends_and_keeps_the_place(shop: Shop) -> None:
    started = buy(shop)

    dispute(shop, started)
    shop.deliver_all()

    assert (shop.order(started).state, seat_statuses(), held()) == ("disputed", ["suspended"], [1])
    assert moved(shop.order(started).id) == (PRICE, 0)


def test_inquiry_moves_nothing_and_stands_once_in_the_history(shop: Shop) -> None:
    started = buy(shop)
    dispute_id = dispute(shop, started, inquiry=True)
    shop.deliver_all()
    shop.deliver_all()

    close(shop, dispute_id, "warning_closed")
    shop.deliver_all()

    notes = db.session.scalars(select(OrderNote.text).where(OrderNote.kind == "inquiry")).all()
    assert len(notes) == 1
    assert dispute_id in notes[0]
    assert (shop.order(started).state, seat_statuses(), moved(shop.order(started).id)) == ("paid", ["active"], (0, 0))
    assert "dispute" not in str(list_timeline(order_id=shop.order(started).id, currency="usd"))


def test_inquiry_that_becomes_a_chargeback_suspends(shop: Shop) -> None:
    started = buy(shop)
    dispute_id = dispute(shop, started, inquiry=True)
    shop.deliver_all()

    shop.control(f"/disputes/{dispute_id}/escalate")
    shop.deliver_all()
    assert (shop.order(started).state, seat_statuses()) == ("disputed", ["suspended"])
    close(shop, dispute_id, "won")
    shop.deliver_all()

    assert (shop.order(started).state, seat_statuses(), moved(shop.order(started).id)) == (
        "paid",
        ["active"],
        (PRICE, PRICE),
    )


@pytest.mark.parametrize(("outcome", "state"), [("won", "paid"), ("lost", "lost")])
def test_verdict_that_nobody_told_us_is_read_from_the_dispute(
    shop: Shop, moving_clock: MovableClock, outcome: str, state: str
) -> None:
    started = buy(shop)
    dispute_id = dispute(shop, started)
    shop.deliver_all()
    moving_clock.advance(days=400)
    shop.work()
    assert shop.order(started).state == "disputed"

    close(shop, dispute_id, outcome)
    moving_clock.advance(hours=24)
    shop.work()

    assert shop.order(started).state == state


@pytest.mark.parametrize(
    ("outcome", "state", "net"), [("won", "partially_refunded", PRICE - 2000), ("lost", "lost", 0)]
)
def test_refund_then_dispute_subtracts_each_once(shop: Shop, outcome: str, state: str, net: int) -> None:
    started = buy(shop)
    give_back(started, amount=2000)

    dispute_id = dispute(shop, started)
    shop.deliver_all()
    assert sums(shop.order(started).id) == (PRICE, 2000, 0)
    close(shop, dispute_id, outcome)
    shop.deliver_all()

    assert shop.order(started).state == state
    assert sums(shop.order(started).id) == (PRICE, 2000, net)


def test_dispute_won_then_refund_subtracts_once(shop: Shop) -> None:
    started = buy(shop)
    close(shop, dispute(shop, started), "won")
    shop.deliver_all()

    outcome = give_back(started)

    assert outcome.is_done
    assert refunds(shop) == [PRICE]
    assert (shop.order(started).state, sums(shop.order(started).id)) == ("refunded", (PRICE, PRICE, 0))
    assert moved(shop.order(started).id) == (PRICE, PRICE)


def test_partial_dispute_withdraws_its_part_and_suspends_all(shop: Shop) -> None:
    started = buy(shop)

    dispute_id = dispute(shop, started, amount=2500)
    shop.deliver_all()
    assert (shop.order(started).state, moved(shop.order(started).id)) == ("disputed", (2500, 0))
    close(shop, dispute_id, "won")
    shop.deliver_all()

    assert (shop.order(started).state, moved(shop.order(started).id)) == ("paid", (2500, 2500))


def test_refunded_seat_stays_closed_when_a_dispute_is_won(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=3000, capacity=5), user=make_user(), quantity=3)
    shop.pay(started)
    shop.deliver_all()
    give_back(started, seats=(2,))
    dispute_id = dispute(shop, started)
    shop.deliver_all()
    assert (seat_statuses(), held()) == (["suspended", "revoked", "suspended"], [2])

    close(shop, dispute_id, "won")
    shop.deliver_all()

    assert (shop.order(started).state, seat_statuses(), held()) == (
        "partially_refunded",
        ["active", "revoked", "active"],
        [2],
    )


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_dispute_about_one_of_two_payments_leaves_what_the_other_one_bought(shop: Shop, outcome: str) -> None:
    user, course = make_user(), make_course(unit_amount=PRICE)
    started = shop.begin(course, user=user)
    again = open_second_session(shop.order(started).id)
    shop.pay(started)
    shop.pay(again)
    # Its payer's bank is faster than our own return.
    dispute_id = dispute_charge(shop, list_charges(shop)[1])
    shop.deliver_all()
    assert (shop.order(started).state, list_open_course_ids(user_id=user.id)) == ("paid", {course.id})
    assert (refunds(shop), open_findings()) == ([], ["second_payment"])

    close(shop, dispute_id, outcome)
    shop.deliver_all()
    shop.deliver_all()

    assert list_open_course_ids(user_id=user.id) == {course.id}
    # Won, the money is ours again and goes back by itself; lost, the bank has given it back.
    assert refunds(shop) == ([PRICE] if outcome == "won" else [])
    assert sums(shop.order(started).id)[2] == PRICE
    assert open_findings() == []


def test_second_payment_goes_back_while_the_first_is_disputed_and_access_waits_for_the_verdict(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=PRICE), user=make_user())
    again = open_second_session(shop.order(started).id)
    shop.pay(started)
    shop.pay(again)
    dispute_charge(shop, list_charges(shop)[0])
    shop.deliver_all()
    shop.deliver_all()

    assert shop.order(started).state == "disputed"
    assert refunds(shop) == [PRICE]
    assert [mail["cause"] for mail in mails("order_returned")] == ["paid_twice"]
    assert seat_statuses() == ["suspended"]


def read_with_dispute(status: str, *moves: tuple[int, int]) -> PaymentFacts:
    facts = read_dispute(
        {
            "id": "du_1",
            "charge": "ch_1",
            "amount": 9700,
            "currency": "usd",
            "status": status,
            "created": 1_760_000_000,
            "balance_transactions": [
                {"amount": amount, "currency": "usd", "created": created} for amount, created in moves
            ],
        }
    )
    return read_payment({"id": "pi_1", "status": "succeeded"}, charges=[], refunds=[], disputes=[facts])


OUT, BACK = (-9700, 1_760_000_100), (9700, 1_760_900_000)


@pytest.mark.parametrize(
    ("status", "moves", "kinds"),
    [
        ("warning_needs_response", (), []),
        ("warning_under_review", (), []),
        ("warning_closed", (), []),
        ("needs_response", (OUT,), ["dispute_opened", "dispute_withdrawn"]),
        ("under_review", (OUT,), ["dispute_opened", "dispute_withdrawn"]),
        ("won", (OUT, BACK), ["dispute_opened", "dispute_withdrawn", "dispute_reinstated", "dispute_won"]),
        ("lost", (OUT,), ["dispute_opened", "dispute_withdrawn", "dispute_lost"]),
        ("appeal_under_review", (OUT,), ["dispute_opened", "dispute_withdrawn", "dispute_lost"]),
        ("prevented", (), ["dispute_opened", "dispute_won"]),
        ("a word of next year", (), []),
        ("a word of next year", (OUT,), ["dispute_opened", "dispute_withdrawn"]),
    ],
)
def test_each_status_of_stripe_is_read_as_the_policies_say(
    status: str, moves: tuple[tuple[int, int], ...], kinds: list[str]
) -> None:
    entries = list_new_facts(read_with_dispute(status, *moves), [])

    assert [entry.kind for entry in entries] == kinds
    times = {entry.kind: int(entry.occurred_at.timestamp()) for entry in entries}
    assert times.get("dispute_withdrawn", OUT[1]) == OUT[1]
    assert times.get("dispute_reinstated", BACK[1]) == BACK[1]
