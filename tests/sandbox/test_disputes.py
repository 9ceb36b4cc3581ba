"""Disputes by their deadlines, inquiries, prevention, and early warnings."""

from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import Driver

DAY = 86_400


def _disputed(driver: Driver, card: str = "4000000000000259") -> stripe.Dispute:
    return driver.stripe.v1.disputes.list({"payment_intent": driver.paid(card=card).id}).data[0]


def _gross(driver: Driver) -> int:
    return sum(each.amount for each in driver.stripe.v1.balance_transactions.list({"limit": 100}).data)


def _told(driver: Driver, dispute: stripe.Dispute) -> list[str]:
    events = driver.stripe.v1.events.list({"types": ["charge.dispute.*"], "limit": 100}).data
    return [each.type for each in events if each.data.object["id"] == dispute.id][::-1]


def test_a_dispute_that_nobody_answers_is_lost_at_its_deadline(driver: Driver) -> None:
    dispute = _disputed(driver)

    driver.control("/clock", {"advance_seconds": 9 * DAY - 60})
    before = driver.stripe.v1.disputes.retrieve(dispute.id).status
    driver.control("/clock", {"advance_seconds": 60})

    after = driver.stripe.v1.disputes.retrieve(dispute.id)
    assert (before, after.status, after.evidence_details.past_due) == ("needs_response", "lost", True)
    assert _gross(driver) == 0
    assert _told(driver, dispute)[-1] == "charge.dispute.closed"


def test_a_dispute_under_review_waits_for_the_verdict(driver: Driver) -> None:
    dispute = _disputed(driver)
    driver.stripe.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "Sold"}})

    driver.control("/clock", {"advance_seconds": 60 * DAY})
    waiting = driver.stripe.v1.disputes.retrieve(dispute.id).status
    driver.control(f"/disputes/{dispute.id}/close", {"outcome": "won"})

    assert (waiting, driver.stripe.v1.disputes.retrieve(dispute.id).status) == ("under_review", "won")
    assert _gross(driver) == 9700


def test_an_inquiry_that_the_bank_drops_is_closed_without_money(driver: Driver) -> None:
    dispute = _disputed(driver, "4000000000001976")

    driver.control("/clock", {"advance_seconds": 119 * DAY})
    before = driver.stripe.v1.disputes.retrieve(dispute.id).status
    driver.control("/clock", {"advance_seconds": DAY})

    after = driver.stripe.v1.disputes.retrieve(dispute.id)
    assert (before, after.status, after.balance_transactions) == ("warning_needs_response", "warning_closed", [])
    assert _gross(driver) == 9700


def test_an_escalated_inquiry_has_a_new_deadline(driver: Driver) -> None:
    dispute = _disputed(driver, "4000000000001976")
    driver.control("/clock", {"advance_seconds": 20 * DAY})

    driver.control(f"/disputes/{dispute.id}/escalate")

    escalated = driver.stripe.v1.disputes.retrieve(dispute.id)
    assert 0 <= int(escalated.evidence_details.due_by or 0) - dispute.created - 29 * DAY < 60
    assert escalated.payment_method_details is not None
    assert escalated.payment_method_details.card is not None
    assert escalated.payment_method_details.card.case_type == "chargeback"
    driver.control("/clock", {"advance_seconds": 9 * DAY})
    assert driver.stripe.v1.disputes.retrieve(dispute.id).status == "lost"
    assert _told(driver, dispute) == [
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
    ]


@pytest.mark.parametrize(
    ("card", "told"),
    [
        (
            "4000000000000259",
            ["created", "funds_withdrawn", "funds_reinstated", "closed"],
        ),
        ("4000000000001976", ["created", "closed"]),
    ],
)
def test_a_prevented_dispute_leaves_the_money_with_the_shop(driver: Driver, card: str, told: list[str]) -> None:
    dispute = _disputed(driver, card)

    status, closed = driver.control(f"/disputes/{dispute.id}/close", {"outcome": "prevented"})

    assert (status, closed["status"]) == (200, "prevented")
    assert _gross(driver) == 9700
    assert _told(driver, dispute) == [f"charge.dispute.{each}" for each in told]


@pytest.mark.parametrize(("card", "outcome"), [("4000000000000259", "warning_closed"), ("4000000000001976", "won")])
def test_a_dispute_ends_only_as_its_kind_can(driver: Driver, card: str, outcome: str) -> None:
    dispute = _disputed(driver, card)

    assert driver.control(f"/disputes/{dispute.id}/close", {"outcome": outcome})[0] == 400

    assert driver.stripe.v1.disputes.retrieve(dispute.id).status == dispute.status


def test_money_is_withdrawn_and_reinstated_once_each(driver: Driver) -> None:
    dispute = _disputed(driver)
    driver.control(f"/disputes/{dispute.id}/close", {"outcome": "won"})
    driver.control("/clock", {"advance_seconds": 30 * DAY})

    won = driver.stripe.v1.disputes.retrieve(dispute.id)
    intent = str(won.payment_intent)
    driver.stripe.v1.refunds.create({"payment_intent": intent, "amount": 200})

    assert [each.amount for each in won.balance_transactions] == [-9700, 9700]
    assert _gross(driver) == 9500


def test_a_charge_won_back_can_be_disputed_for_the_rest_again(driver: Driver) -> None:
    dispute = _disputed(driver)
    driver.control(f"/disputes/{dispute.id}/close", {"outcome": "won"})
    driver.stripe.v1.refunds.create({"payment_intent": str(dispute.payment_intent), "amount": 700})

    _, second = driver.control(f"/dispute/{dispute.payment_intent}", {"reason": "duplicate"})

    assert second["amount"] == 9000
    assert _gross(driver) == 0


def test_an_early_warning_ends_with_the_refund(driver: Driver) -> None:
    intent = driver.paid(card="4000000000005423")
    warnings = driver.stripe.v1.radar.early_fraud_warnings
    before = warnings.list({"payment_intent": intent.id, "expand": ["data.charge"]}).data

    driver.stripe.v1.refunds.create({"payment_intent": intent.id})

    assert [(each.actionable, each.charge.amount) for each in before] == [(True, 9700)]  # type: ignore[union-attr]
    assert warnings.retrieve(before[0].id).actionable is False
    types = [each.type for each in driver.stripe.v1.events.list({"types": ["radar.*"]}).data]
    assert types == ["radar.early_fraud_warning.updated", "radar.early_fraud_warning.created"]


def test_an_early_warning_survives_a_partial_refund_but_not_a_dispute(driver: Driver) -> None:
    intent = driver.paid(card="4000000000005423")
    driver.stripe.v1.refunds.create({"payment_intent": intent.id, "amount": 100})
    warnings = driver.stripe.v1.radar.early_fraud_warnings
    between = warnings.list().data[0].actionable

    driver.control(f"/dispute/{intent.id}")

    assert (between, warnings.list().data[0].actionable) == (True, False)


def test_unknown_warnings_are_404(driver: Driver) -> None:
    retrieved: list[Any] = [driver.api("GET", f"/v1/{path}/none")[0] for path in ("radar/early_fraud_warnings",)]
    retrieved += [driver.api("GET", f"/v1/{path}/none")[0] for path in ("invoices", "tax_rates", "promotion_codes")]
    retrieved.append(driver.api("GET", "/v1/invoice_payments/none")[0])

    assert retrieved == [404] * 5
