"""The balance: every movement with its fee, so that a shop's ledger can be compared to the minor unit."""

from collections import Counter
from typing import Any

import stripe

from tests.sandbox.conftest import Driver

DAY = 86_400


def _movements(driver: Driver, **params: Any) -> list[stripe.BalanceTransaction]:
    return list(driver.stripe.v1.balance_transactions.list({"limit": 3, **params}).auto_paging_iter())  # type: ignore[typeddict-item]


def _refund(driver: Driver, intent: stripe.PaymentIntent, amount: int) -> stripe.Refund:
    return driver.stripe.v1.refunds.create({"payment_intent": intent.id, "amount": amount})


def test_each_kind_of_movement_has_its_amount_fee_and_net(driver: Driver) -> None:
    _refund(driver, driver.paid(card="4000000000005126"), 700)
    driver.control("/tick", {"seconds": 30})
    for outcome in ("won", "lost"):
        driver.paid(card="4000000000000259")
        dispute = driver.stripe.v1.disputes.list().data[0]
        driver.control(f"/disputes/{dispute.id}/close", {"outcome": outcome})
    driver.pay(driver.session().id, method="bank_debit")
    driver.control("/tick", {"seconds": 30})

    found = [(each.type, each.reporting_category, each.amount, each.fee, each.net) for each in _movements(driver)]

    assert found[::-1] == [
        ("charge", "charge", 9700, 311, 9389),
        ("refund", "refund", -700, 0, -700),
        ("refund_failure", "refund_failure", 700, 0, 700),
        ("charge", "charge", 9700, 311, 9389),
        ("adjustment", "dispute", -9700, 1500, -11200),
        ("adjustment", "dispute_reversal", 9700, -1500, 11200),
        ("charge", "charge", 9700, 311, 9389),
        ("adjustment", "dispute", -9700, 1500, -11200),
        ("payment", "charge", 9700, 311, 9389),
    ]


def test_sums_over_a_span_and_currency_are_exact(driver: Driver) -> None:
    intents = {}
    for currency, amount in (("usd", 9700), ("jpy", 5000), ("kwd", 5120)):
        session = driver.session(driver.price(amount, currency))
        intents[currency] = driver.pay(session.id)["payment_intent"]
    driver.control("/clock", {"advance_seconds": DAY})
    since = driver.control("/clock", method="GET")[1]["now"]
    for currency, amount in (("usd", 1), ("jpy", 1), ("kwd", 10)):
        driver.stripe.v1.refunds.create({"payment_intent": intents[currency], "amount": amount})
    driver.paid()

    sums: Counter[str] = Counter()
    for each in _movements(driver, created={"gte": since}):
        sums[each.currency] += each.amount
    earlier = {each.currency: each.amount for each in _movements(driver, created={"lt": since})}

    assert sums == {"usd": 9699, "jpy": -1, "kwd": -10}
    assert earlier == {"usd": 9700, "jpy": 5000, "kwd": 5120}
    assert [each.amount for each in _movements(driver, currency="jpy")] == [-1, 5000]


def test_movements_are_found_by_source_and_type(driver: Driver) -> None:
    refund = _refund(driver, driver.paid(), 500)
    driver.paid()

    assert [each.amount for each in _movements(driver, source=refund.id)] == [-500]
    assert [each.amount for each in _movements(driver, type="charge")] == [9700, 9700]
    assert _movements(driver, type="payout") == []


def test_pages_of_movements_have_no_gaps(driver: Driver) -> None:
    intent = driver.paid()
    for _ in range(9):
        _refund(driver, intent, 100)

    ids = [each.id for each in _movements(driver)]

    assert len(set(ids)) == len(ids) == 10


def test_money_becomes_available_after_two_days(driver: Driver) -> None:
    intent = driver.paid()
    _refund(driver, intent, 1000)
    early = driver.stripe.v1.balance.retrieve()

    driver.control("/clock", {"advance_seconds": 2 * DAY})

    late = driver.stripe.v1.balance.retrieve()
    shown = [[(each.amount, each.currency) for each in part] for part in (early.available, early.pending)]
    assert shown == [[(0, "usd")], [(8389, "usd")]]
    assert [(each.amount, each.currency) for each in late.available] == [(8389, "usd")]
    assert {each.status for each in _movements(driver)} == {"available"}
    charge = driver.stripe.v1.charges.list({"expand": ["data.balance_transaction"]}).data[0]
    assert charge.balance_transaction.status == "available"  # type: ignore[union-attr]


def test_an_untouched_account_is_empty(driver: Driver) -> None:
    balance = driver.stripe.v1.balance.retrieve()

    assert (balance.available, balance.pending) == ([], [])


def test_a_pending_refund_that_is_canceled_gives_the_money_back(driver: Driver) -> None:
    intent = driver.paid(card="4000000000007726")
    refund = _refund(driver, intent, 9700)

    canceled = driver.control(f"/settle/{refund.id}", {"outcome": "canceled"})[1]
    driver.control("/tick", {"seconds": 60})

    after = driver.stripe.v1.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction"]})
    assert (canceled["status"], after.status) == ("canceled", "canceled")
    assert after.failure_balance_transaction.amount == 9700  # type: ignore[union-attr]
    charge = driver.stripe.v1.charges.list().data[0]
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert sum(each.amount for each in _movements(driver)) == 9700
    assert driver.stripe.v1.events.list({"type": "refund.failed"}).data == []
    assert len(driver.stripe.v1.events.list({"type": "refund.updated"}).data) == 1


def test_a_refund_that_has_ended_stays_as_it_is(driver: Driver) -> None:
    refund = _refund(driver, driver.paid(), 100)

    driver.control(f"/settle/{refund.id}", {"outcome": "canceled"})
    wrong, _ = driver.control(f"/settle/{refund.id}", {"outcome": "forgotten"})

    assert wrong == 400
    assert driver.stripe.v1.refunds.retrieve(refund.id).status == "succeeded"
    assert sum(each.amount for each in _movements(driver)) == 9600


def test_a_pending_refund_can_fail_days_later(driver: Driver) -> None:
    intent = driver.paid(card="4000000000007726")
    refund = _refund(driver, intent, 9700)

    driver.control(f"/settle/{refund.id}", {"outcome": "failed"})

    assert driver.stripe.v1.refunds.retrieve(refund.id).status == "failed"
    assert driver.stripe.v1.refunds.create({"payment_intent": intent.id}).amount == 9700


def test_refunds_are_listed_with_the_movements_of_those_that_failed(driver: Driver) -> None:
    good, failed = (_refund(driver, driver.paid(card=card), 100) for card in ("4242424242424242", "4000000000005126"))
    driver.control("/tick", {"seconds": 30})

    listed = driver.stripe.v1.refunds.list({"expand": ["data.failure_balance_transaction"]}).data

    back = {each.id: each.to_dict().get("failure_balance_transaction") for each in listed}
    assert back[good.id] is None
    assert back[failed.id]["amount"] == 100
