"""What each of Stripe's objects is read as, field by field: everything there, as little as there can be, and odd."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.payments.facts import (
    ChargeFacts,
    CheckoutFacts,
    DisputeFacts,
    FeeFacts,
    PaymentFacts,
    RefundFacts,
    list_fees,
    object_id,
    read_dispute,
    read_payment,
    read_refund,
    read_session,
)

NOON = 1_767_268_800


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(NOON + seconds, UTC)


SESSION = {
    "id": "cs_1",
    "url": "https://checkout.example.org/cs_1",
    "status": "complete",
    "payment_status": "paid",
    "mode": "payment",
    "livemode": True,
    "currency": "EUR",
    "amount_subtotal": 9700,
    "amount_total": 10_500,
    "total_details": {"amount_discount": 700, "amount_tax": 1500},
    "customer_details": {"email": "paid@example.org", "name": "Ada Example", "address": {"country": "de"}},
    "customer_email": "typed@example.org",
    "customer": "cus_1",
    "payment_intent": {"id": "pi_1", "object": "payment_intent"},
    "invoice": "in_1",
    "client_reference_id": "ord_1",
    "metadata": {"app_id": "shop", "order": "ord_1"},
    "created": NOON,
    "expires_at": NOON + 3600,
}
BARE_SESSION = CheckoutFacts(
    id="cs_1",
    url=None,
    status="",
    payment_status="",
    mode="",
    livemode=False,
    currency="",
    amount_subtotal=0,
    amount_discount=0,
    amount_tax=0,
    amount_total=0,
    email=None,
    customer_name="",
    country=None,
    stripe_customer_id=None,
    stripe_payment_intent_id=None,
    stripe_invoice_id=None,
    client_reference_id=None,
    metadata={},
    expires_at=at(0),
    created_at=at(0),
)
REFUND = {"id": "re_1", "amount": 500, "currency": "EUR", "created": NOON}
DISPUTE = {"id": "dp_1", "amount": 9700, "currency": "EUR", "created": NOON}
CHARGE = {"id": "ch_1", "amount": 9700, "currency": "EUR", "created": NOON, "status": "succeeded", "paid": True}


def test_session_is_read_with_every_field_in_its_place() -> None:
    assert read_session(SESSION) == CheckoutFacts(
        id="cs_1",
        url="https://checkout.example.org/cs_1",
        status="complete",
        payment_status="paid",
        mode="payment",
        livemode=True,
        currency="eur",
        amount_subtotal=9700,
        amount_discount=700,
        amount_tax=1500,
        amount_total=10_500,
        email="paid@example.org",
        customer_name="Ada Example",
        country="DE",
        stripe_customer_id="cus_1",
        stripe_payment_intent_id="pi_1",
        stripe_invoice_id="in_1",
        client_reference_id="ord_1",
        metadata={"app_id": "shop", "order": "ord_1"},
        expires_at=at(3600),
        created_at=at(0),
    )


@pytest.mark.parametrize("absent", [{}, dict.fromkeys(SESSION, None)])
def test_session_without_the_rest_is_read_as_empty(absent: dict[str, Any]) -> None:
    assert read_session({**absent, "id": "cs_1", "created": NOON}) == BARE_SESSION


def test_address_typed_before_paying_counts_until_stripe_knows_another() -> None:
    assert read_session({**SESSION, "customer_details": {"name": "Ada"}}).email == "typed@example.org"
    assert read_session({**SESSION, "livemode": "true"}).livemode is False


@pytest.mark.parametrize("country", [None, "", "D", "DEU", "D1", "ÄÖ", 7])
def test_country_is_a_code_of_two_letters_or_unknown(country: Any) -> None:
    assert read_session({**SESSION, "customer_details": {"address": {"country": country}}}).country is None


def test_fees_are_what_the_balance_kept_of_each_movement() -> None:
    def move(name: str, fee: Any, **values: Any) -> dict[str, Any]:
        return {"id": name, "fee": fee, "currency": "USD", "created": NOON + 60, **values}

    fees = list_fees(
        [
            {**CHARGE, "object": "charge", "balance_transaction": move("txn_1", 311)},
            {**CHARGE, "object": "charge", "id": "ch_2", "balance_transaction": move("txn_2", 0)},
            {**CHARGE, "object": "charge", "id": "ch_3", "paid": False, "balance_transaction": move("txn_3", 0)},
            {**CHARGE, "object": "charge", "id": "ch_4", "balance_transaction": "txn_4"},
            {**REFUND, "balance_transaction": move("txn_5", 0), "failure_balance_transaction": move("txn_6", -20)},
            {**DISPUTE, "balance_transactions": [move("txn_7", 1500, currency=None), move("txn_8", None)]},
            {**DISPUTE, "balance_transactions": None},
        ]
    )

    assert [
        (each.stripe_balance_transaction_id, each.stripe_object_id, each.amount, each.currency) for each in fees
    ] == [
        ("txn_1", "ch_1", 311, "usd"),
        ("txn_2", "ch_2", 0, "usd"),
        ("txn_6", "re_1", -20, "usd"),
        ("txn_7", "dp_1", 1500, "eur"),
    ]
    assert {each.occurred_at for each in fees} == {at(60)}


@pytest.mark.parametrize(
    ("reference", "found"),
    [("pi_1", "pi_1"), ({"id": "pi_1"}, "pi_1"), ("", None), ({}, None), ({"id": 7}, None), (7, None), (None, None)],
)
def test_reference_is_an_id_an_object_or_nothing(reference: object, found: str | None) -> None:
    assert object_id(reference) == found


def test_refund_is_read_with_the_times_its_money_moved() -> None:
    facts = read_refund(
        {
            **REFUND,
            "charge": {"id": "ch_1"},
            "status": "failed",
            "metadata": {"refund_request": "rfr_1"},
            "balance_transaction": {"id": "txn_1", "created": NOON + 60},
            "failure_balance_transaction": {"id": "txn_2", "created": NOON + 120},
        }
    )

    assert facts == RefundFacts(
        id="re_1",
        charge_id="ch_1",
        amount=500,
        currency="eur",
        status="failed",
        metadata={"refund_request": "rfr_1"},
        created_at=at(0),
        booked_at=at(60),
        undone_at=at(120),
    )


@pytest.mark.parametrize("absent", [{}, {"balance_transaction": "txn_1", "charge": None, "status": None}])
def test_refund_without_balance_transactions_moved_when_it_was_made(absent: dict[str, Any]) -> None:
    assert read_refund({**REFUND, **absent}) == RefundFacts(
        id="re_1",
        charge_id=None,
        amount=500,
        currency="eur",
        status="",
        metadata={},
        created_at=at(0),
        booked_at=at(0),
        undone_at=None,
    )


def test_dispute_is_read_with_what_moved_out_and_back_and_when_first() -> None:
    moves = [
        {"amount": 9700, "currency": "eur", "created": NOON + 300},
        {"amount": -9000, "currency": "eur", "created": NOON + 120},
        {"amount": -700, "currency": "eur", "created": NOON + 60},
        {"amount": 0, "currency": "eur", "created": NOON + 1},
        {"amount": 1, "currency": "eur"},
    ]

    facts = read_dispute({**DISPUTE, "charge": "ch_1", "status": "won", "balance_transactions": moves})

    assert facts == DisputeFacts(
        id="dp_1",
        charge_id="ch_1",
        amount=9700,
        currency="eur",
        status="won",
        withdrawn_amount=9700,
        withdrawn_at=at(60),
        reinstated_amount=9701,
        reinstated_at=at(300),
        created_at=at(0),
    )


def test_dispute_paid_out_in_another_currency_moved_its_own_amount() -> None:
    moves = [
        {"amount": -10_412, "currency": "usd", "created": NOON + 60},
        {"amount": 10_398, "currency": "usd", "created": NOON + 90},
    ]

    facts = read_dispute({**DISPUTE, "balance_transactions": moves})

    assert (facts.withdrawn_amount, facts.reinstated_amount) == (9700, 9700)


@pytest.mark.parametrize("absent", [{}, {"balance_transactions": None, "status": None}])
def test_dispute_that_moved_nothing_has_the_time_it_was_made(absent: dict[str, Any]) -> None:
    assert read_dispute({**DISPUTE, **absent}) == DisputeFacts(
        id="dp_1",
        charge_id=None,
        amount=9700,
        currency="eur",
        status="",
        withdrawn_amount=0,
        withdrawn_at=at(0),
        reinstated_amount=0,
        reinstated_at=at(0),
        created_at=at(0),
    )


def test_payment_keeps_the_charges_that_took_money() -> None:
    charges = [
        {**CHARGE, "id": "ch_failed", "status": "failed"},
        {**CHARGE, "id": "ch_unpaid", "paid": False},
        {**CHARGE, "id": "ch_held", "captured": False},
        {**CHARGE, "captured": True, "amount_captured": 9000, "balance_transaction": {"created": NOON + 60}},
        {**CHARGE, "id": "ch_2", "captured": None},
    ]
    refund, dispute = read_refund(REFUND), read_dispute(DISPUTE)
    fee = FeeFacts(
        stripe_balance_transaction_id="txn_1", stripe_object_id="ch_1", amount=311, currency="usd", occurred_at=at(60)
    )

    facts = read_payment(
        {
            "id": "pi_1",
            "status": "succeeded",
            "metadata": {"order": "ord_1"},
            "last_payment_error": {"message": "x" * 301},
        },
        charges=charges,
        refunds=[refund],
        disputes=[dispute],
        fees=[fee],
    )

    assert facts == PaymentFacts(
        id="pi_1",
        status="succeeded",
        failure_reason="x" * 300,
        metadata={"order": "ord_1"},
        charges=(
            ChargeFacts(
                id="ch_1", amount=9000, currency="eur", method_label="", created_at=at(0), booked_at=at(60)
            ),
            ChargeFacts(
                id="ch_2", amount=9700, currency="eur", method_label="", created_at=at(0), booked_at=at(0)
            ),
        ),
        refunds=(refund,),
        disputes=(dispute,),
        fees=(fee,),
    )  # fmt: skip


@pytest.mark.parametrize("absent", [{}, {"status": None, "last_payment_error": None, "metadata": None}])
def test_payment_that_only_began_is_read_as_empty(absent: dict[str, Any]) -> None:
    assert read_payment({"id": "pi_1", **absent}, charges=[], refunds=[], disputes=[]) == PaymentFacts(
        id="pi_1", status="", failure_reason=None, metadata={}, charges=(), refunds=(), disputes=()
    )


@pytest.mark.parametrize(
    ("details", "label"),
    [
        ({"type": "card", "card": {"brand": "visa", "last4": "4242"}}, "Visa ending 4242"),
        ({"type": "card", "card": {"last4": "4242"}}, "Card ending 4242"),
        ({"type": "card", "card": {"brand": "visa"}}, "Card"),
        ({"type": "us_bank_account"}, "Us bank account"),
        ({"type": "x" * 81}, "X" + "x" * 79),
        (None, ""),
    ],
)
def test_payment_method_is_named_as_people_know_it(details: Any, label: str) -> None:
    payment = read_payment(
        {"id": "pi_1"}, charges=[{**CHARGE, "payment_method_details": details}], refunds=[], disputes=[]
    )

    assert [charge.method_label for charge in payment.charges] == [label]
