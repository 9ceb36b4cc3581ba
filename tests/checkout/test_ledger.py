"""What a reading of Stripe is worth in the ledger, and what an order's ledger says of it: exact entries, sums and states."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.checkout.ledger import Entry, Sums, derive_fate, derive_state, list_new_facts, list_payments, sum_entries
from app.checkout.models import LedgerEntry
from app.payments.facts import ChargeFacts, DisputeFacts, PaymentFacts, RefundFacts

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def entry(kind: str, amount: int = 100, *, id: str = "ch_1", of: str | None = "ch_1", minutes: int = 0) -> Entry:  # noqa: A002
    return Entry(
        kind=kind,
        stripe_object_id=id,
        related_stripe_object_id=of,
        amount=amount,
        currency="eur",
        status="",
        occurred_at=at(minutes),
    )


def paid(amount: int = 100, *, id: str = "ch_1", minutes: int = 0) -> Entry:  # noqa: A002
    return entry("payment", amount, id=id, of="pi_1", minutes=minutes)


def refunded(amount: int, *, id: str = "re_1", of: str | None = "ch_1") -> Entry:  # noqa: A002
    return entry("refund", amount, id=id, of=of)


def disputed(*kinds: str, id: str = "dp_1", of: str = "ch_1") -> list[Entry]:  # noqa: A002
    return [entry(f"dispute_{kind}", 0 if kind in {"won", "lost"} else 100, id=id, of=of) for kind in kinds]


REFUND_BACK = entry("refund_failed", 40, id="re_1")
SECOND = paid(id="ch_2", minutes=1)


@pytest.mark.parametrize(
    ("entries", "state"),
    [
        ([], None),
        ([refunded(40)], None),
        ([paid()], "paid"),
        ([paid(0, id="ord_1")], "paid"),
        ([paid(), refunded(1)], "partially_refunded"),
        ([paid(), refunded(99)], "partially_refunded"),
        ([paid(), refunded(100)], "refunded"),
        ([paid(), refunded(60), refunded(40, id="re_2")], "refunded"),
        ([paid(), refunded(40), REFUND_BACK], "paid"),
        ([paid(), refunded(100, of=None)], "refunded"),
        ([paid(), *disputed("opened")], "disputed"),
        ([paid(), *disputed("opened", "withdrawn")], "disputed"),
        ([paid(), refunded(99), *disputed("opened")], "disputed"),
        ([paid(), refunded(100), *disputed("opened")], "refunded"),
        ([paid(), *disputed("opened", "withdrawn", "reinstated", "won")], "paid"),
        ([paid(), *disputed("opened", "withdrawn", "lost")], "lost"),
        ([paid(), *disputed("opened", "lost", "won")], "paid"),
        ([paid(), *disputed("opened", "won"), *disputed("opened", id="dp_2")], "disputed"),
        ([paid(), *disputed("opened", "won"), *disputed("lost", id="dp_2")], "lost"),
        ([paid(), SECOND], "paid"),
        ([paid(), SECOND, refunded(100, of="ch_2")], "partially_refunded"),
        ([paid(), SECOND, refunded(100), refunded(100, id="re_2", of="ch_2")], "refunded"),
        ([paid(), SECOND, refunded(200, of="ch_2")], "refunded"),
        ([paid(), SECOND, *disputed("lost")], "paid"),
        ([paid(), SECOND, *disputed("lost"), *disputed("opened", id="dp_2", of="ch_2")], "disputed"),
        ([paid(), SECOND, *disputed("lost"), refunded(100, of="ch_2")], "lost"),
        ([paid(), SECOND, *disputed("lost", of="gone"), *disputed("lost", id="dp_2", of="ch_2")], "lost"),
    ],
)
def test_state_follows_from_the_ledger_in_whatever_order_it_was_written(
    entries: list[Entry], state: str | None
) -> None:
    assert derive_state(entries) == state
    assert derive_state(entries[::-1]) == state


def test_sums_hold_each_kind_once_and_the_net_is_what_is_left() -> None:
    sums = sum_entries(
        [
            paid(1000),
            paid(1000, id="ch_2"),
            refunded(300),
            refunded(50, id="re_2"),
            REFUND_BACK,
            *disputed("opened", "withdrawn", "withdrawn", "reinstated", "lost"),
        ]
    )

    assert sums == Sums(captured_amount=2000, refunded_amount=310, withdrawn_amount=200, reinstated_amount=100)
    assert sums.net_amount == 1590
    assert sum_entries([]) == Sums(captured_amount=0, refunded_amount=0, withdrawn_amount=0, reinstated_amount=0)


def test_payments_come_in_the_order_of_their_time_and_nothing_is_no_payment() -> None:
    last, first, second = paid(id="ch_a", minutes=2), paid(id="ch_b"), paid(id="ch_c")

    assert list_payments([last, second, paid(0, id="ord_1"), refunded(40), first]) == [first, second, last]


def test_what_names_no_charge_of_the_order_is_the_first_ones() -> None:
    entries = [SECOND, paid(), refunded(100, of="ch_unknown")]

    assert [derive_fate(each, entries) for each in (paid(), SECOND)] == ["refunded", "standing"]


def refund_facts(status: str, **values: Any) -> RefundFacts:
    return RefundFacts(
        **{
            "id": "re_1",
            "charge_id": "ch_1",
            "amount": 40,
            "currency": "eur",
            "status": status,
            "metadata": {},
            "created_at": at(1),
            "booked_at": at(2),
            "undone_at": None,
            **values,
        }
    )


def dispute_facts(status: str, *, withdrawn: int = 0, reinstated: int = 0) -> DisputeFacts:
    return DisputeFacts(
        id="dp_1",
        charge_id="ch_1",
        amount=100,
        currency="eur",
        status=status,
        withdrawn_amount=withdrawn,
        withdrawn_at=at(4),
        reinstated_amount=reinstated,
        reinstated_at=at(5),
        created_at=at(3),
    )


def facts_of(*, charges: Any = (), refunds: Any = (), disputes: Any = (), known: Any = ()) -> list[tuple[Any, ...]]:
    payment = PaymentFacts(
        id="pi_1",
        status="succeeded",
        failure_reason=None,
        metadata={},
        charges=tuple(charges),
        refunds=tuple(refunds),
        disputes=tuple(disputes),
    )
    entries = list_new_facts(payment, known)
    assert {each.currency for each in entries} <= {"eur"}
    return [
        (each.kind, each.stripe_object_id, each.related_stripe_object_id, each.amount, each.status, each.occurred_at)
        for each in entries
    ]


def test_charge_is_a_payment_of_the_moment_its_money_came() -> None:
    charge = ChargeFacts(
        id="ch_1", amount=100, currency="eur", method_label="", created_at=at(0), booked_at=at(9)
    )  # fmt: skip

    assert facts_of(charges=[charge]) == [("payment", "ch_1", "pi_1", 100, "succeeded", at(9))]


OURS = {"refund_request": "rfr_1"}
OUT = ("refund", "re_1", "ch_1", 40)
BACK = ("refund_failed", "re_1", "ch_1", 40)
KNOWN = [LedgerEntry(kind="refund", stripe_object_id="re_1")]


@pytest.mark.parametrize(
    ("refund", "known", "facts"),
    [
        (refund_facts("succeeded"), [], [(*OUT, "succeeded", at(2))]),
        (refund_facts("pending"), [], [(*OUT, "pending", at(2))]),
        (refund_facts("requires_action"), [], []),
        (refund_facts("requires_action", metadata=OURS), KNOWN, []),
        (refund_facts("failed"), [], []),
        (refund_facts("failed"), [LedgerEntry(kind="payment", stripe_object_id="re_1")], []),
        (refund_facts("failed"), [LedgerEntry(kind="refund", stripe_object_id="re_2")], []),
        (refund_facts("failed"), KNOWN, [(*OUT, "failed", at(2)), (*BACK, "failed", at(2))]),
        (refund_facts("canceled", metadata=OURS), [], [(*OUT, "canceled", at(2)), (*BACK, "canceled", at(2))]),
        (refund_facts("failed", undone_at=at(8)), [], [(*OUT, "failed", at(2)), (*BACK, "failed", at(8))]),
    ],
)
def test_refund_is_one_entry_while_its_money_is_out_and_two_once_it_came_back(
    refund: RefundFacts, known: list[LedgerEntry], facts: list[tuple[Any, ...]]
) -> None:
    assert facts_of(refunds=[refund], known=known) == facts


def test_refund_of_ours_names_its_request() -> None:
    payment = PaymentFacts(
        id="pi_1", status="", failure_reason=None, metadata={}, charges=(), disputes=(),
        refunds=(refund_facts("succeeded", metadata=OURS), refund_facts("succeeded")),
    )  # fmt: skip

    assert [each.refund_request for each in list_new_facts(payment, [])] == ["rfr_1", None]


def moved(kind: str, amount: int, status: str, minutes: int) -> tuple[Any, ...]:
    return (f"dispute_{kind}", "dp_1", "ch_1", amount, status, at(minutes))


@pytest.mark.parametrize(
    ("dispute", "facts"),
    [
        (dispute_facts("warning_needs_response"), []),
        (dispute_facts("warning_closed"), []),
        (dispute_facts("some_new_word"), []),
        (dispute_facts("needs_response"), [("opened", 100, 3)]),
        (dispute_facts("under_review", withdrawn=90), [("opened", 100, 3), ("withdrawn", 90, 4)]),
        (dispute_facts("some_new_word", withdrawn=90), [("opened", 100, 3), ("withdrawn", 90, 4)]),
        (dispute_facts("lost", withdrawn=90), [("opened", 100, 3), ("withdrawn", 90, 4), ("lost", 0, 3)]),
        (dispute_facts("lost"), [("opened", 100, 3), ("lost", 0, 3)]),
        (dispute_facts("appeal_under_review"), [("opened", 100, 3), ("lost", 0, 3)]),
        (
            dispute_facts("won", withdrawn=90, reinstated=80),
            [("opened", 100, 3), ("withdrawn", 90, 4), ("reinstated", 80, 5), ("won", 0, 5)],
        ),
        (dispute_facts("prevented"), [("opened", 100, 3), ("won", 0, 5)]),
        (dispute_facts("warning_closed", withdrawn=90), [("opened", 100, 3), ("withdrawn", 90, 4), ("won", 0, 5)]),
    ],
)
def test_dispute_is_what_moved_and_its_verdict(dispute: DisputeFacts, facts: list[tuple[str, int, int]]) -> None:
    expected = [moved(kind, amount, dispute.status, minutes) for kind, amount, minutes in facts]

    assert facts_of(disputes=[dispute]) == expected
