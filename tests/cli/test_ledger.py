"""flask ledger export: every cent, safe for a spreadsheet, and equal to Stripe's balance."""

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from flask import Flask
from sqlalchemy import event, select, update

from app.checkout.models import Order, OrderItem
from app.checkout.settle import settle
from app.db import db, transaction
from app.reports import ledger_export
from app.reports.ledger_export import quote_formula
from tests.checkout.conftest import Shop
from tests.checkout.money import give_back, payment_intent
from tests.cli.runner import run
from tests.factories import make_course, make_user

COLUMNS = [
    "order",
    "email",
    "items",
    "currency",
    "captured",
    "refunded",
    "withdrawn",
    "reinstated",
    "net",
    "state",
    "invoice",
]
DAY = 86_400
PRICES = {"usd": 9700, "jpy": 5000, "kwd": 5120}


@pytest.fixture
def shop_in_time(shop: Shop) -> Iterator[Shop]:
    """A shop whose Stripe may be moved through time; put back afterwards."""
    yield shop
    shop.control("/reset")
    with urlopen(Request(f"{shop.sandbox.url}/_sandbox/clock", method="DELETE"), timeout=10):
        pass


def export(app: Flask, *options: str) -> list[dict[str, Any]]:
    """The rows of an export in JSON lines."""
    code, output, error = run(app, "ledger", "export", "--format", "jsonl", *options)
    assert code == 0, error
    return [json.loads(line) for line in output.splitlines()]


def export_file(app: Flask, path: Path, *options: str) -> str:
    """The text of an exported file, its line ends as they are."""
    code, output, error = run(app, "ledger", "export", "--to", str(path), *options)
    assert (code, output) == (0, ""), error
    return path.read_bytes().decode("utf-8")


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_a_row_says_what_moved_for_an_order(shop: Shop, app: Flask, tmp_path: Path) -> None:
    course = make_course(title="Draw the path", unit_amount=9700)
    started = shop.begin(course, user=make_user(email="maya@example.org"), quantity=2)
    shop.pay(started)
    shop.deliver_all()
    give_back(started, amount=500)
    shop.begin(make_course(), browser="b2")

    [row] = export(app)
    code, output, error = run(app, "ledger", "export")

    assert row | {"paid_at": ""} == {
        "order": started.order_public_id, "email": "maya@example.org", "items": "Draw the path x 2", "currency": "usd",
        "captured": 19400, "refunded": 500, "withdrawn": 0, "reinstated": 0, "net": 18900,
        "state": "partially_refunded", "invoice": "NSL-1001", "stripe_invoice": "", "paid_at": "",
        "captured_decimal": "194.00", "refunded_decimal": "5.00", "withdrawn_decimal": "0.00",
        "reinstated_decimal": "0.00", "net_decimal": "189.00",
    }  # fmt: skip
    datetime.strptime(row["paid_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert code == 0
    assert output.startswith(",".join(COLUMNS))
    assert export_file(app, tmp_path / "ledger.csv").count("\r\n") == 2
    assert read_csv(output) == [{name: str(value) for name, value in row.items()}]
    assert error.splitlines() == [
        "Wrote 1 rows.",
        "USD: captured 194.00, refunded 5.00, withdrawn 0.00, reinstated 0.00, net 189.00.",
    ]


# The proof: our ledger and Stripe's balance, movement by movement


def move_money(shop: Shop) -> list[int]:
    """Purchases in three currencies, then days with refunds, failed refunds and disputes; the moments between them."""
    paid = {}
    for currency, amount in PRICES.items():
        course = make_course(unit_amount=amount, currency=currency)
        for kind in ("seat", "failing", "won", "lost", "plain"):
            started = shop.begin(course, user=make_user(), quantity=2)
            shop.pay(started, card="4000000000005126" if kind == "failing" else "4242424242424242")
            paid[currency, kind] = started
    moments = []

    def let_a_day_pass() -> None:
        for order_id in db.session.scalars(select(Order.id)).all():
            settle(order_id=order_id)
        moments.append(shop.control("/clock", {"advance_seconds": DAY})[1]["now"])

    let_a_day_pass()
    disputes = {}
    for currency in PRICES:
        give_back(paid[currency, "seat"], key=f"{currency}-seat", seats=(2,))
        shop.control(f"/refund/{payment_intent(shop, paid[currency, 'failing'])}", {"amount": 1000})
        for kind in ("won", "lost"):
            disputes[currency, kind] = shop.control(f"/dispute/{payment_intent(shop, paid[currency, kind])}")[1]["id"]
    let_a_day_pass()
    for currency in PRICES:
        shop.control(f"/disputes/{disputes[currency, 'won']}/close", {"outcome": "won"})
        shop.control(f"/disputes/{disputes[currency, 'lost']}/close", {"outcome": "lost"})
        give_back(paid[currency, "seat"], key=f"{currency}-rest")
    let_a_day_pass()
    return moments


def list_movements(shop: Shop) -> list[dict[str, Any]]:
    """Stripe's balance transactions, all pages."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = shop.stripe(f"/v1/balance_transactions?limit=100{after}")
        found += page["data"]
        if not page["has_more"]:
            return found
        after = f"&starting_after={found[-1]['id']}"


def test_each_day_s_sums_equal_stripe_s_balance_transactions(shop_in_time: Shop, app: Flask) -> None:
    shop = shop_in_time
    moments = move_money(shop)
    movements = list_movements(shop)
    bounds = [0, *moments]
    assert {each["type"] for each in movements} == {"charge", "refund", "refund_failure", "adjustment"}
    assert len(movements) == 3 * (5 + 1 + 2 + 2 + 1 + 1)

    for start, end in [*pairwise(bounds), (0, bounds[-1])]:
        span = ("--since", datetime.fromtimestamp(start, UTC).isoformat(), "--until",
                datetime.fromtimestamp(end, UTC).isoformat())  # fmt: skip
        stripe: Counter[tuple[str, str, int]] = Counter()
        stripe_sums: Counter[str] = Counter()
        for each in movements:
            if start <= each["created"] < end:
                stripe[each["currency"], each["source"], each["amount"]] += 1
                stripe_sums[each["currency"]] += each["amount"]

        entries = export(app, "--entries", *span)
        orders = export(app, *span)
        totals = export(app, "--totals", *span)

        assert Counter((e["currency"], e["stripe_object"], e["amount"]) for e in entries if e["amount"]) == stripe
        assert sum_by_currency(entries, "amount") == stripe_sums
        assert sum_by_currency(orders, "net") == stripe_sums
        assert {each["currency"]: each["net"] for each in totals} == stripe_sums
        assert sum(each["rows"] for each in totals) == len(orders)


def sum_by_currency(rows: list[dict[str, Any]], column: str) -> Counter[str]:
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["currency"]] += row[column]
    return sums


def test_the_proof_would_see_a_missing_movement(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    shop.control(f"/refund/{payment_intent(shop, started)}", {"amount": 1})

    stripe = sum(each["amount"] for each in list_movements(shop))
    [before] = export(app)
    shop.deliver_all()
    [after] = export(app)

    assert (stripe, before["net"], after["net"]) == (9699, 9700, 9699)


def test_a_refund_that_fails_in_a_later_span_is_negative_there(shop_in_time: Shop, app: Flask) -> None:
    shop = shop_in_time
    started = shop.buy(make_course(unit_amount=9700), user=make_user(), card="4000000000005126")
    shop.control(f"/refund/{payment_intent(shop, started)}", {"amount": 9700})
    moment = shop.control("/clock", {"advance_seconds": 0})[1]["now"]
    shop.control("/clock", {"advance_seconds": DAY})
    shop.deliver_all()
    since = datetime.fromtimestamp(moment + 1, UTC).isoformat()

    [row] = export(app, "--since", since)
    code, output, _ = run(app, "ledger", "export", "--since", since)

    assert (row["captured"], row["refunded"], row["net"], row["refunded_decimal"]) == (0, -9700, 9700, "-97.00")
    assert code == 0
    assert read_csv(output)[0]["refunded_decimal"] == "-97.00"


@pytest.mark.parametrize(("currency", "decimals"), [("usd", "97.00"), ("jpy", "9700"), ("kwd", "9.700")])
def test_decimals_are_the_currency_s(shop: Shop, app: Flask, currency: str, decimals: str) -> None:
    shop.buy(make_course(unit_amount=9700, currency=currency), user=make_user())

    assert [(row["captured"], row["captured_decimal"]) for row in export(app)] == [(9700, decimals)]
    assert [(row["amount"], row["amount_decimal"], row["kind"]) for row in export(app, "--entries")] == [
        (9700, decimals, "payment")
    ]


# Hostile text (A60)

FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1")


@pytest.mark.parametrize("title", FORMULAS)
def test_text_that_a_spreadsheet_would_run_is_quoted_and_stays_one_row(
    shop: Shop, app: Flask, tmp_path: Path, title: str
) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    hostile = f'{title}", "x"\r\n=2'
    with transaction() as session:
        session.execute(update(OrderItem).values(title=hostile[:160]))
        session.execute(update(Order).values(email=title))

    orders = export_file(app, tmp_path / "orders.csv")
    entries = export_file(app, tmp_path / "entries.csv", "--entries")

    [row] = read_csv(orders)
    assert (row["items"], row["email"]) == (f"'{hostile}", f"'{title}")
    assert row["order"] == started.order_public_id
    assert [each["email"] for each in read_csv(entries)] == [f"'{title}"]
    assert export(app)[0]["items"] == hostile


@pytest.mark.parametrize("text", ["", "Draw the path", "maya@example.org", "a=b", "1-2", "'=1", " =1"])
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert quote_formula(text) == text


# Files, spans, size


def test_a_file_is_written_whole_in_utf_8(shop: Shop, app: Flask, tmp_path: Path) -> None:
    shop.buy(make_course(unit_amount=9700, title="Größe – 尺寸"), user=make_user())
    path = tmp_path / "ledger.csv"
    path.write_text("old")

    code, output, error = run(app, "ledger", "export", "--to", str(path))

    assert (code, output) == (0, "")
    assert f"Wrote 1 rows to {path}." in error
    assert path.read_bytes().startswith(b"order,email,items,")
    assert [row["items"] for row in read_csv(path.read_bytes().decode("utf-8"))] == ["Größe – 尺寸"]
    assert [each.name for each in tmp_path.iterdir()] == ["ledger.csv"]


def test_a_failed_export_leaves_the_old_file(
    shop: Shop, app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.buy(make_course(), user=make_user())
    path = tmp_path / "ledger.csv"
    path.write_text("old")
    # The package's own attribute of that name is the command group.
    monkeypatch.setattr(sys.modules["app.cli.ledger"], "add_totals", fail_on_disk)

    code, _, error = run(app, "ledger", "export", "--to", str(path))

    assert (code, error) == (1, "Error: The file can’t be written: No space left on device.\n")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["ledger.csv"]


def fail_on_disk(*_arguments: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_folder_that_is_not_there_is_told(app: Flask, tmp_path: Path) -> None:
    code, _, error = run(app, "ledger", "export", "--to", str(tmp_path / "none" / "ledger.csv"))

    assert (code, error) == (1, "Error: The file can’t be written: No such file or directory.\n")


def test_totals_are_one_row_for_each_currency(shop: Shop, app: Flask) -> None:
    for currency in ("usd", "usd", "jpy"):
        shop.buy(make_course(unit_amount=5000, currency=currency), user=make_user())

    code, output, _ = run(app, "ledger", "export", "--totals")

    assert code == 0
    assert [(row["currency"], row["rows"], row["captured"], row["net_decimal"]) for row in read_csv(output)] == [
        ("jpy", "1", "5000", "5000"),
        ("usd", "2", "10000", "100.00"),
    ]
    assert export(app, "--totals", "--entries") == export(app, "--totals")


def test_an_empty_ledger_is_a_head_without_rows(app: Flask) -> None:
    code, output, error = run(app, "ledger", "export")

    assert (code, error) == (0, "Wrote 0 rows.\n")
    assert len(output.splitlines()) == 1
    assert export(app, "--entries") == []


@pytest.mark.parametrize("options", [(), ("--entries",)])
def test_many_rows_come_in_batches_each_once(
    shop: Shop, app: Flask, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    started = [shop.buy(make_course(unit_amount=1000), user=make_user()) for _ in range(5)]
    monkeypatch.setattr(ledger_export, "BATCH_SIZE", 2)
    fetched: list[int] = []

    def count(_connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        fetched.append(statement.count("LIMIT"))

    event.listen(db.engine, "after_cursor_execute", count)
    try:
        rows = export(app, *options)
    finally:
        event.remove(db.engine, "after_cursor_execute", count)

    assert [row["order"] for row in rows] == [each.order_public_id for each in started]
    # Two full batches, one of a single row, and the empty one that ends it.
    assert sum(fetched) == 4
    assert db.session.scalars(select(Order)).all() != []


def test_help_has_an_example(app: Flask) -> None:
    code, output, _ = run(app, "ledger", "export", "--help")

    assert code == 0
    assert "flask ledger export --since" in output
