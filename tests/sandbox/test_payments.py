"""Paying, and money moving back: cards, 3-D Secure, bank debits, refunds, disputes."""

import pytest
import stripe

from tests.sandbox.conftest import Driver, Listener


def test_a_card_pays_once(driver: Driver) -> None:
    session = driver.session()

    first = driver.pay(session.id, email="maya@example.org")
    status, again = driver.control(f"/pay/{session.id}")

    assert first["redirect_url"] == f"http://shop.example/success?session_id={session.id}"
    assert (status, again["status"]) == (409, "already_complete")
    charges = driver.stripe.v1.charges.list({"payment_intent": first["payment_intent"]}).data
    assert [(charge.amount, charge.status, charge.billing_details.email) for charge in charges] == [
        (9700, "succeeded", "maya@example.org")
    ]
    balance = driver.stripe.v1.balance_transactions.retrieve(str(charges[0].balance_transaction))
    assert (balance.amount, balance.fee, balance.net) == (9700, 311, 9389)


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("4000000000000002", "card_declined", "generic_decline"),
        ("4000000000009995", "card_declined", "insufficient_funds"),
        ("4000000000009987", "card_declined", "lost_card"),
        ("4000000000009979", "card_declined", "stolen_card"),
        ("4000000000000069", "expired_card", None),
        ("4000000000000127", "incorrect_cvc", None),
        ("4000000000000119", "processing_error", None),
    ],
)
def test_a_declined_card_can_be_followed_by_another(
    driver: Driver, card: str, code: str, decline_code: str | None
) -> None:
    session = driver.session()

    status, answer = driver.control(f"/pay/{session.id}", {"card": card})
    driver.pay(session.id)

    assert (status, answer["error"]["code"], answer["error"].get("decline_code")) == (402, code, decline_code)
    intents = driver.stripe.v1.payment_intents.list().data
    assert [intent.status for intent in intents] == ["succeeded"]
    charges = driver.stripe.v1.charges.list({"payment_intent": intents[0].id}).data
    assert [charge.status for charge in charges] == ["succeeded", "failed"]


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ({"card": "4242424242424241"}, "incorrect_number"),
        ({"card": "4111111111111111"}, "card_declined"),
        ({"card": "no card"}, "incorrect_number"),
        ({"expiry": "01/20"}, "invalid_expiry_year"),
        ({"expiry": "13/40"}, "invalid_expiry_month"),
        ({"cvc": "12"}, "invalid_cvc"),
    ],
)
def test_what_is_no_card_never_reaches_the_bank(driver: Driver, typed: dict[str, str], code: str) -> None:
    session = driver.session()

    status, answer = driver.control(f"/pay/{session.id}", typed)

    assert (status, answer["error"]["code"]) == (402, code)
    assert driver.stripe.v1.payment_intents.list().data == []


@pytest.mark.parametrize("card", ["4000002760003184", "4000000000003220", "4000002500003155"])
def test_3d_secure_asks_and_then_pays(driver: Driver, card: str) -> None:
    session = driver.session()

    asked = driver.pay(session.id, card=card)
    waiting = driver.stripe.v1.payment_intents.retrieve(asked["payment_intent"])
    paid = driver.pay(session.id, card=card, three_d_secure="complete")

    assert (asked["status"], waiting.status) == ("requires_action", "requires_action")
    assert (paid["status"], paid["payment_intent"]) == ("complete", waiting.id)


@pytest.mark.parametrize(("card", "verdict"), [("4000002760003184", "fail"), ("4000008400001629", "complete")])
def test_3d_secure_can_end_in_a_decline(driver: Driver, card: str, verdict: str) -> None:
    session = driver.session()

    status, _ = driver.control(f"/pay/{session.id}", {"card": card, "three_d_secure": verdict})

    assert status == 402
    assert driver.stripe.v1.checkout.sessions.retrieve(session.id).payment_status == "unpaid"
    assert driver.stripe.v1.payment_intents.list().data[0].status == "requires_payment_method"


def test_expiry_ends_a_3d_secure_check_that_is_under_way(driver: Driver) -> None:
    session = driver.session()
    driver.pay(session.id, card="4000002760003184")

    driver.stripe.v1.checkout.sessions.expire(session.id)

    assert driver.control(f"/pay/{session.id}", {"three_d_secure": "complete"})[0] == 409
    intent = driver.stripe.v1.payment_intents.list().data[0]
    assert (intent.status, intent.cancellation_reason) == ("canceled", "expired")


@pytest.mark.parametrize("currency", ["usd", "eur", "gbp", "cad", "aud", "jpy"])
def test_a_bank_debit_is_unpaid_until_it_settles(driver: Driver, listener: Listener, currency: str) -> None:
    session = driver.session(driver.price(5000, currency))

    driver.pay(session.id, method="bank_debit")
    before = driver.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    driver.control("/tick", {"seconds": 30})

    assert (before.status, before.payment_status) == ("complete", "unpaid")
    assert before.payment_intent.status == "processing"  # type: ignore[union-attr]
    assert driver.stripe.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    driver.control("/deliver")
    assert listener.types[-1] == "checkout.session.async_payment_succeeded"


def test_a_bank_debit_can_fail(driver: Driver) -> None:
    session = driver.session()
    intent = driver.pay(session.id, method="bank_debit_fails")["payment_intent"]

    driver.control("/tick", {"seconds": 30})

    assert driver.stripe.v1.checkout.sessions.retrieve(session.id).payment_status == "unpaid"
    assert driver.stripe.v1.payment_intents.retrieve(intent).status == "requires_payment_method"
    assert len(driver.stripe.v1.events.list({"type": "checkout.session.async_payment_failed"}).data) == 1


def test_a_person_settles_a_bank_debit_once(driver: Driver) -> None:
    session = driver.session()
    driver.pay(session.id, method="bank_debit_fails")

    assert driver.control(f"/settle/{session.id}", {"outcome": "succeeded"})[0] == 200
    assert driver.control(f"/settle/{session.id}", {"outcome": "failed"})[0] == 400

    assert driver.control("/tick", {"seconds": 60})[1] == {"done": 0}
    assert driver.stripe.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_partial_refunds_add_up_and_stop_at_the_whole(driver: Driver) -> None:
    intent = driver.paid()
    refunds = driver.stripe.v1.refunds

    refunds.create({"payment_intent": intent.id, "amount": 2000})
    with pytest.raises(stripe.InvalidRequestError) as too_much:
        refunds.create({"payment_intent": intent.id, "amount": 7701})
    refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError) as nothing_left:
        refunds.create({"payment_intent": intent.id, "amount": 1})

    assert too_much.value.param == "amount"
    assert nothing_left.value.code == "charge_already_refunded"
    charge = driver.stripe.v1.charges.list({"payment_intent": intent.id}).data[0]
    assert (charge.amount_refunded, charge.refunded) == (9700, True)
    assert [each.amount for each in refunds.list({"payment_intent": intent.id}).data] == [7700, 2000]


def test_a_pending_refund_succeeds_later(driver: Driver) -> None:
    intent = driver.paid(card="4000000000007726")
    refund = driver.stripe.v1.refunds.create({"payment_intent": intent.id})

    driver.control("/tick", {"seconds": 30})

    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    assert driver.stripe.v1.refunds.retrieve(refund.id).status == "succeeded"


def test_a_failed_refund_gives_the_money_back(driver: Driver) -> None:
    intent = driver.paid(card="4000000000005126")
    refund = driver.stripe.v1.refunds.create({"payment_intent": intent.id})

    driver.control("/tick", {"seconds": 30})

    assert (refund.status, driver.stripe.v1.refunds.retrieve(refund.id).status) == ("succeeded", "failed")
    charge = driver.stripe.v1.charges.list({"payment_intent": intent.id}).data[0]
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert len(driver.stripe.v1.events.list({"type": "refund.failed"}).data) == 1
    assert _net(driver) == 9389


def test_a_person_refunds_without_the_shop(driver: Driver, listener: Listener) -> None:
    intent = driver.paid()

    status, refund = driver.control(f"/refund/{intent.id}", {"amount": 500})
    driver.control("/deliver")

    assert (status, refund["amount"]) == (200, 500)
    assert {"refund.created", "charge.refunded"} <= set(listener.types)


@pytest.mark.parametrize(
    ("card", "status", "reason"),
    [
        ("4000000000000259", "needs_response", "fraudulent"),
        ("4000000000002685", "needs_response", "product_not_received"),
        ("4000000000001976", "warning_needs_response", "fraudulent"),
    ],
)
def test_some_cards_are_disputed(driver: Driver, card: str, status: str, reason: str) -> None:
    intent = driver.paid(card=card)

    disputes = driver.stripe.v1.disputes.list({"payment_intent": intent.id}).data

    assert [(each.status, each.reason, each.amount) for each in disputes] == [(status, reason, 9700)]
    taken = [each.amount for each in disputes[0].balance_transactions]
    assert taken == ([] if status.startswith("warning") else [-9700])


@pytest.mark.parametrize(("outcome", "net"), [("won", 9389), ("lost", 9389 - 9700 - 1500)])
def test_a_dispute_moves_the_money_exactly(driver: Driver, outcome: str, net: int) -> None:
    driver.paid(card="4000000000000259")
    dispute = driver.stripe.v1.disputes.list().data[0]

    assert driver.control(f"/disputes/{dispute.id}/close", {"outcome": outcome})[1]["status"] == outcome
    assert driver.control(f"/disputes/{dispute.id}/close", {"outcome": outcome})[0] == 400

    assert _net(driver) == net


def test_an_inquiry_moves_no_money_until_it_escalates(driver: Driver) -> None:
    driver.paid(card="4000000000001976")
    dispute = driver.stripe.v1.disputes.list().data[0]
    before = _net(driver)

    driver.control(f"/disputes/{dispute.id}/escalate")

    assert (before, _net(driver)) == (9389, 9389 - 9700 - 1500)
    assert driver.stripe.v1.disputes.retrieve(dispute.id).status == "needs_response"


def test_evidence_decides_by_stripes_test_words(driver: Driver) -> None:
    driver.paid(card="4000000000000259")
    dispute = driver.stripe.v1.disputes.list().data[0]

    won = driver.stripe.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}})

    assert (won.status, won.evidence_details.submission_count) == ("won", 1)


def test_a_disputed_charge_is_refunded_only_after_winning(driver: Driver) -> None:
    intent = driver.paid()
    driver.control(f"/dispute/{intent.id}", {"reason": "general", "amount": 9700})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        driver.stripe.v1.refunds.create({"payment_intent": intent.id})

    dispute = driver.stripe.v1.disputes.list().data[0]
    driver.control(f"/disputes/{dispute.id}/close", {"outcome": "won"})

    assert refused.value.code == "charge_disputed"
    assert driver.stripe.v1.refunds.create({"payment_intent": intent.id}).amount == 9700


def test_accepting_a_dispute_loses_it(driver: Driver) -> None:
    driver.paid(card="4000000000000259")
    dispute = driver.stripe.v1.disputes.list().data[0]

    assert driver.stripe.v1.disputes.close(dispute.id).status == "lost"


def test_a_part_refunded_charge_is_disputed_for_the_rest(driver: Driver) -> None:
    intent = driver.paid()
    driver.stripe.v1.refunds.create({"payment_intent": intent.id, "amount": 700})

    driver.control(f"/dispute/{intent.id}")

    assert driver.stripe.v1.disputes.list().data[0].amount == 9000
    assert driver.control(f"/dispute/{intent.id}")[0] == 400


def _net(driver: Driver) -> int:
    return sum(each.net for each in driver.stripe.v1.balance_transactions.list({"limit": 100}).auto_paging_iter())
