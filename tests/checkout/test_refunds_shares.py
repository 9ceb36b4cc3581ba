"""Shares of what was captured, and the seats that a ledger closes: pure functions, whatever the numbers and the order."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.checkout.ledger import derive_state, list_refunded_seat_ids, sum_refunds_by_request
from app.checkout.models import LedgerEntry, OrderItem, RefundRequest
from app.checkout.shares import share_lines, share_seats, split_amount

START = datetime(2026, 1, 1, tzinfo=UTC)
amounts = st.integers(0, 99_999_999)


def make_item(item_id: int, *, total_amount: int, quantity: int = 1, currency: str = "usd") -> OrderItem:
    return OrderItem(id=item_id, total_amount=total_amount, quantity=quantity, currency=currency)


@given(
    amount=amounts, weights=st.lists(st.integers(0, 10**8), min_size=1, max_size=20), step=st.sampled_from([1, 10, 100])
)
def test_parts_are_never_negative_and_add_up_to_the_amount(amount: int, weights: list[int], step: int) -> None:
    parts = split_amount(amount, weights, step=step)

    assert sum(parts) == amount
    assert len(parts) == len(weights)
    assert min(parts) >= 0
    assert all(part % step == 0 for part in parts) or amount % step


@given(amount=amounts, count=st.integers(1, 100))
def test_equal_seats_differ_by_one_minor_unit_at_most(amount: int, count: int) -> None:
    parts = split_amount(amount, [1] * count)

    assert max(parts) - min(parts) <= 1


@pytest.mark.parametrize(
    ("currency", "captured", "quantity", "parts"),
    [
        ("usd", 10000, 3, [3333, 3333, 3334]),
        ("usd", 10825, 4, [2706, 2706, 2706, 2707]),  # 100.00 and 8.25 tax
        ("jpy", 1000, 3, [333, 333, 334]),
        ("kwd", 1000, 3, [330, 330, 340]),
        ("usd", 2, 3, [0, 1, 1]),
    ],
)
def test_seats_share_what_their_line_was_paid(currency: str, captured: int, quantity: int, parts: list[int]) -> None:
    item = make_item(1, total_amount=9_000, quantity=quantity, currency=currency)

    assert share_seats(item, line_amount=captured) == parts


def test_lines_share_by_their_totals_and_those_for_nothing_equally() -> None:
    items = [make_item(1, total_amount=3000), make_item(2, total_amount=6000), make_item(3, total_amount=0)]
    free = [make_item(1, total_amount=0), make_item(2, total_amount=0)]

    assert share_lines(items, captured_amount=9742) == {1: 3247, 2: 6495, 3: 0}
    assert share_lines(free, captured_amount=5) == {1: 2, 2: 3}


def make_entry(
    kind: str, amount: int, object_id: str, *, charge: str = "ch_1", request: int | None = None
) -> LedgerEntry:
    return LedgerEntry(
        kind=kind, amount=amount, currency="usd", stripe_object_id=object_id, related_stripe_object_id=charge,
        refund_request_id=request, occurred_at=START + timedelta(seconds=len(object_id)),
    )  # fmt: skip


REQUESTS = [
    RefundRequest(id=1, order_item_id=10, seat_id=101, amount=40),
    RefundRequest(id=2, order_item_id=10, seat_id=102, amount=40),
    RefundRequest(id=3, order_item_id=20, seat_id=None, amount=60),
    RefundRequest(id=4, order_item_id=None, seat_id=None, amount=5),
    RefundRequest(id=5, order_item_id=10, seat_id=101, amount=40),
]
SEATS = {101: 10, 102: 10, 103: 10, 201: 20, 202: 20}
LEDGER = [
    make_entry("payment", 200, "ch_1", charge="pi_1"),
    make_entry("refund", 40, "re_1", request=1),
    make_entry("refund_failed", 40, "re_1", request=1),
    make_entry("refund", 40, "re_2", request=2),
    make_entry("refund", 60, "re_3", request=3),
    make_entry("refund", 5, "re_4", request=4),
    make_entry("refund", 7, "re_dashboard"),
    make_entry("refund", 40, "re_5", request=5),
    make_entry("refund_failed", 40, "re_5", request=5),
]


@given(st.permutations(LEDGER), st.permutations(REQUESTS))
def test_closed_seats_do_not_depend_on_the_order_of_anything(
    entries: list[LedgerEntry], requests: list[RefundRequest]
) -> None:
    assert list_refunded_seat_ids(entries, requests, item_ids=SEATS) == {102, 201, 202}
    assert sum_refunds_by_request(entries) == {1: 0, 2: 40, 3: 60, 4: 5, 5: 0}


@given(st.lists(st.sampled_from(LEDGER), unique=True))
def test_a_seat_is_closed_exactly_while_a_refund_of_it_is_out(entries: list[LedgerEntry]) -> None:
    closed = list_refunded_seat_ids(entries, REQUESTS, item_ids=SEATS)
    out = {request for request, amount in sum_refunds_by_request(entries).items() if amount > 0}

    assert (101 in closed) is bool(out & {1, 5})
    assert (102 in closed) is (2 in out)
    assert (201 in closed) is (202 in closed) is (3 in out)
    assert 103 not in closed


def test_a_seat_whose_second_refund_went_out_is_closed_though_the_first_failed() -> None:
    entries = [*LEDGER[:3], LEDGER[7]]

    assert list_refunded_seat_ids(entries, REQUESTS, item_ids=SEATS) == {101}


SECOND = make_entry("payment", 100, "ch_second", charge="pi_2")
FIRST = make_entry("payment", 100, "ch_1", charge="pi_1")


@pytest.mark.parametrize(
    ("entries", "state"),
    [
        # Of two payments one that stands is enough.
        ([("dispute_opened", 100, "du_2", "ch_second"), ("dispute_lost", 0, "du_2", "ch_second")], "paid"),
        ([("dispute_opened", 100, "du_1", "ch_1")], "paid"),
        ([("dispute_opened", 100, "du_1", "ch_1"), ("refund", 100, "re_2", "ch_second")], "disputed"),
        (
            [("dispute_opened", 100, "du_1", "ch_1"), ("dispute_lost", 0, "du_1", "ch_1"),
             ("refund", 100, "re_2", "ch_second")],
            "lost",
        ),
        (
            [("dispute_opened", 100, "du_1", "ch_1"), ("dispute_won", 0, "du_1", "ch_1"),
             ("refund", 100, "re_2", "ch_second")],
            "partially_refunded",
        ),
        ([("refund", 100, "re_1", "ch_1"), ("refund", 100, "re_2", "ch_second")], "refunded"),
        ([("refund", 100, "re_1", "ch_1"), ("refund", 40, "re_2", "ch_second")], "partially_refunded"),
        ([("refund", 200, "re_1", "ch_unknown")], "refunded"),
    ],
)  # fmt: skip
@given(data=st.data())
def test_each_payment_has_its_own_fate(
    entries: list[tuple[str, int, str, str]], state: str, data: st.DataObject
) -> None:
    rows = [FIRST, SECOND, *(make_entry(kind, amount, name, charge=charge) for kind, amount, name, charge in entries)]

    assert derive_state(data.draw(st.permutations(rows))) == state
