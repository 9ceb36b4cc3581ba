"""flask orders: find them, look into one, give money back."""

import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.catalog.promotion_codes import create_code
from app.checkout.choices import GiftWish
from app.checkout.models import RefundRequest
from app.checkout.services import StartedCheckout
from app.db import db
from tests.checkout.conftest import Shop
from tests.checkout.money import refunds, seat_statuses
from tests.cli.runner import dump, run, run_json
from tests.factories import make_course, make_user


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.001)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.002)


def buy_seats(shop: Shop, **values: Any) -> StartedCheckout:
    course = make_course(title="Draw the path", unit_amount=3333, capacity=9)
    started = shop.begin(course, user=make_user(email="maya@example.org"), quantity=3, **values)
    shop.pay(started)
    shop.deliver_all()
    return started


def test_list_finds_orders_by_state_address_time_and_number(shop: Shop, app: Flask) -> None:
    paid = buy_seats(shop)
    pending = shop.begin(make_course(), browser="b2")

    everything = run_json(app, "orders", "list")["orders"]

    assert [each["order"] for each in everything] == [pending.order_public_id, paid.order_public_id]
    assert everything[1] | {"created_at": "", "paid_at": ""} == {
        "order": paid.order_public_id, "number": "NSL-1001", "state": "paid", "email": "maya@example.org",
        "titles": ["Draw the path"], "quantity": 3, "currency": "usd", "charged_amount": 9999, "refunded_amount": 0,
        "created_at": "", "paid_at": "",
    }  # fmt: skip
    for options, found in (
        (("--state", "paid"), [paid]),
        (("--state", "lost"), []),
        (("--email", " MAYA@example.org "), [paid]),
        (("--since", "2020-01-01"), [pending, paid]),
        (("--since", "2999-01-01T10:00:00Z"), []),
        (("--limit", "1"), [pending]),
    ):
        listed = run_json(app, "orders", "list", *options)["orders"]
        assert [each["order"] for each in listed] == [each.order_public_id for each in found], options
    code, output, _ = run(app, "orders", "list")
    assert code == 0
    assert "$99.99" in output
    assert output.endswith("2 orders.\n")


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "2026-01-01T99:00", "0001-01-01"])
def test_a_date_that_is_none_is_refused(app: Flask, since: str) -> None:
    code, _, error = run(app, "orders", "list", "--since", since)

    assert (code == 0) is (since == "0001-01-01")
    assert ("is no date" in error) is (since != "0001-01-01")


def test_show_tells_everything_by_number_or_id(shop: Shop, app: Flask) -> None:
    create_code("TENOFF", amount_off=999, currency="usd")
    started = buy_seats(shop, code="TENOFF")
    run(app, "orders", "refund", "NSL-1001", "--seat", "2", "--reason", "Left", "--yes")

    shown = run_json(app, "orders", "show", started.order_public_id)

    assert run_json(app, "orders", "show", "NSL-1001") == shown
    assert run_json(app, "orders", "show", "1001") == shown
    assert (shown["captured_amount"], shown["refunded_amount"], shown["net_amount"]) == (9000, 3000, 6000)
    assert [(each["line"], each["quantity"], each["held_quantity"]) for each in shown["items"]] == [(1, 3, 2)]
    assert [(each["seat"], each["status"], each["holder"]) for each in shown["seats"]] == [
        (1, "active", "maya@example.org"), (2, "revoked", ""), (3, "active", ""),
    ]  # fmt: skip
    assert [(each["kind"], each["amount"]) for each in shown["ledger"]] == [("payment", 9000), ("refund", 3000)]
    assert [(each["seat"], each["amount"], each["reason"]) for each in shown["refunds"]] == [(2, 3000, "Left")]
    assert shown["redemption"] == {"code": "TENOFF", "amount": 999, "status": "redeemed"}
    assert {each["template"] for each in shown["mails"]} >= {"receipt", "order_refunded"}
    assert "checkout.session.completed" in {each["type"] for each in shown["events"]}
    assert [each["stripe_checkout_session"] for each in shown["attempts"]] == [started.stripe_checkout_session_id]
    assert [each["kind"] for each in shown["notes"]] == ["paid", "refund_wanted", "partially_refunded"]
    assert (shown["gift"], shown["consents"], shown["findings"]) == (None, [], [])
    code, text, _ = run(app, "orders", "show", "NSL-1001")
    assert code == 0
    for part in ("NSL-1001: partially_refunded", "Line 1: Draw the path x 3", "2: revoked, free", "refunded $30.00"):
        assert part in text


def test_show_names_whom_a_gift_is_for(shop: Shop, app: Flask) -> None:
    gift = GiftWish(recipient_email="ana@example.org", recipient_name="Ana", giver_name="Maya", message="Enjoy")
    started = shop.begin(make_course(), user=make_user(), purpose="gift", gift=gift)
    shop.pay(started)
    shop.deliver_all()

    shown = run_json(app, "orders", "show", started.order_public_id)

    assert shown["gift"] == {
        "recipient_email": "ana@example.org", "recipient_name": "Ana", "giver_name": "Maya", "message": "Enjoy",
        "send_at": None,
    }  # fmt: skip
    assert "gift_seat" in {each["template"] for each in shown["mails"]}


@pytest.mark.parametrize(
    "name", ["NSL-9999", "9999", "ord_unknown", "XX-1001", "", "99999999999999999999", "NSL-1001-2"]
)
def test_unknown_orders_end_with_one_sentence(shop: Shop, app: Flask, name: str) -> None:
    buy_seats(shop)

    for command in (("show",), ("refund", "--reason", "Why", "--yes")):
        code, output, error = run(app, "orders", command[0], name, *command[1:])
        assert (code, output) == (1, "")
        assert error == f"Error: There is no order “{name}”.\n"


def test_dry_run_says_what_would_happen_and_changes_no_row(shop: Shop, app: Flask) -> None:
    buy_seats(shop)
    before = dump()

    plan = run_json(app, "orders", "refund", "NSL-1001", "--seat", "1", "--reason", "Why", "--dry-run")
    code, text, _ = run(app, "orders", "refund", "NSL-1001", "--reason", "Why", "--dry-run")

    assert (plan["dry_run"], plan["amount"], plan["left_amount"], plan["state_after"]) == (
        True, 3333, 9999, "partially_refunded",
    )  # fmt: skip
    assert [(each["number"], each["holder"]) for each in plan["closing"]] == [(1, "maya@example.org")]
    assert code == 0
    assert text.splitlines() == [
        "Order NSL-1001: $99.99 goes back.",
        "  Seat 1 closes: Draw the path, maya@example.org.",
        "  Seat 2 closes: Draw the path, nobody yet.",
        "  Seat 3 closes: Draw the path, nobody yet.",
        "  Seats that stay open: 0. The order becomes refunded.",
        "  Places that become free: 3.",
        "  $0.00 can still be refunded afterwards.",
        "Nothing was done.",
    ]
    assert dump() == before
    assert refunds(shop) == []


def test_refund_asks_first_and_takes_no_for_an_answer(shop: Shop, app: Flask) -> None:
    buy_seats(shop)

    code, _, error = run(app, "orders", "refund", "NSL-1001", "--reason", "Why", stdin="n\n")

    assert code == 1
    assert "Order NSL-1001: $99.99 goes back." in error
    assert refunds(shop) == []
    code, output, _ = run(app, "orders", "refund", "NSL-1001", "--reason", "Why", stdin="y\n")
    assert code == 0
    assert "The order is refunded." in output
    assert refunds(shop) == [9999]


@pytest.mark.parametrize(
    ("options", "amounts", "statuses"),
    [
        (("--seat", "1", "--seat", "3"), [3333, 3333], ["revoked", "active", "revoked"]),
        (("--line", "1"), [9999], ["revoked"] * 3),
        (("--amount", "10.00"), [1000], ["active"] * 3),
        ((), [9999], ["revoked"] * 3),
    ],
)
def test_refund_gives_back_what_was_named(
    shop: Shop, app: Flask, options: tuple[str, ...], amounts: list[int], statuses: list[str]
) -> None:
    buy_seats(shop)

    outcome = run_json(app, "orders", "refund", "NSL-1001", *options, "--reason", "Why", "--yes")

    assert [each["amount"] for each in outcome["refunds"]] == amounts
    assert {each["status"] for each in outcome["refunds"]} == {"done"}
    assert refunds(shop) == amounts
    assert seat_statuses() == statuses


def test_refund_with_a_key_of_its_own_can_be_repeated(shop: Shop, app: Flask) -> None:
    buy_seats(shop)
    command = ("orders", "refund", "NSL-1001", "--reason", "Why", "--yes", "--key", "ticket-7")

    first = run_json(app, *command)
    again = run_json(app, *command)

    assert again == first
    assert refunds(shop) == [9999]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--amount", "100.00"), "Choose an amount up to what is left of the payment."),
        (("--amount", "ten"), "Enter an amount such as 97 or 97.00."),
        (("--amount", "1.001"), "USD has 2 decimal places."),
        (("--seat", "7"), "There is no seat 7: the order has 3."),
        (("--line", "2"), "There is no line 2: the order has 1."),
        (("--line", "1", "--seat", "1"), "Choose an amount, a line or seats: only one of them."),
        (("--reason", " "), "Say why the money goes back: it is kept with the order."),
    ],
)
def test_refused_refunds_end_with_one_sentence_and_leave_nothing(
    shop: Shop, app: Flask, options: tuple[str, ...], sentence: str
) -> None:
    buy_seats(shop)

    code, output, error = run(app, "orders", "refund", "NSL-1001", "--reason", "Why", *options, "--yes")

    assert (code, output, error) == (1, "", f"Error: {sentence}\n")
    assert refunds(shop) == []
    db.session.rollback()
    assert db.session.scalars(select(RefundRequest)).all() == []


@pytest.mark.parametrize(
    ("lever", "status", "sentence"),
    [
        ({"kind": "api_close", "when": "before", "count": 2}, "waiting", "the worker goes on trying"),
        ({"kind": "api_error", "status": 400, "when": "before", "count": 1}, "refused", "Stripe refused"),
    ],
)
def test_refund_that_was_not_made_exits_with_one(
    shop: Shop, app: Flask, lever: dict[str, Any], status: str, sentence: str
) -> None:
    buy_seats(shop)
    shop.control("/levers", {"path": "/v1/refunds", "method": "POST", **lever})
    command = ("orders", "refund", "NSL-1001", "--reason", "Why", "--yes")

    code, output, error = run(app, *command)
    json_code, json_output, _ = run(app, *command, "--amount", "0.01", "--json") if status == "refused" else (1, "", "")

    assert code == 1
    assert status in output
    assert sentence in error
    assert refunds(shop) == ([1] if status == "refused" else [])
    if json_output:
        assert (json_code, json.loads(json_output)["amount"]) == (0, 1)


@pytest.mark.parametrize("verb", ["list", "show", "refund"])
def test_help_has_an_example(app: Flask, verb: str) -> None:
    code, output, _ = run(app, "orders", verb, "--help")

    assert code == 0
    assert f"flask orders {verb}" in output
    assert "Example:" in output
