"""The reports' pages and exports: the same rows in both, inert in a spreadsheet, in three kinds of currencies."""

import csv
import io
from datetime import UTC, datetime

import pytest
from flask import Flask

from tests.admin.staff import Staff
from tests.conftest import MovableClock
from tests.factories import make_course
from tests.reports.ledgers import move, sell
from tests.shop import load_post, post_text

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
NAMES = ("sales", "courses", "posts", "campaigns", "codes", "countries", "cohorts")


@pytest.fixture
def reader(app: Flask, moving_clock: MovableClock) -> Staff:
    reader = Staff(app, "reader")
    moving_clock.freeze(NOON)
    return reader


def export(reader: Staff, name: str, query: str = "period=7d") -> list[list[str]]:
    answer = reader.get(f"/admin/reports/{name}.csv?{query}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.reader(io.StringIO(answer.text, newline=""), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_every_report_of_an_empty_shop_says_what_to_do(reader: Staff, name: str) -> None:
    page = reader.get("/admin/reports" if name == "sales" else f"/admin/reports/{name}")

    assert page.status_code == 200
    assert name == "sales" or "Nothing moved in USD in this period. Choose a longer one." in page.text
    assert len(export(reader, name)) >= 1


def test_unknown_reports_are_not_there(reader: Staff) -> None:
    assert reader.get("/admin/reports/nothing").status_code == 404
    assert reader.get("/admin/reports/nothing.csv").status_code == 404


@pytest.mark.parametrize(
    ("currency", "amount", "refund", "cells"),
    [
        ("usd", 9700, 1234, ["97.00", "12.34", "0.00", "84.66"]),
        ("jpy", 5000, 1234, ["5000", "1234", "0", "3766"]),
        ("kwd", 5120, 1230, ["5.120", "1.230", "0.000", "3.890"]),
    ],
)
def test_an_export_has_the_pages_rows_in_units_of_the_currency(
    reader: Staff, currency: str, amount: int, refund: int, cells: list[str]
) -> None:
    order = sell(make_course(currency=currency, title="First"), at=NOON, amount=amount, currency=currency)
    move(order, "refund", refund, at=NOON)

    assert export(reader, "courses", f"period=7d&currency={currency}") == [
        ["Course", "Orders", "Seats", "Sales", "Refunded", "Disputed", "Net", "Currency"],
        ["First", "1", "1", *cells, currency.upper()],
        ["All", "1", "1", *cells, currency.upper()],
    ]
    days = export(reader, "sales", f"period=7d&currency={currency}")
    assert (len(days), days[-2], days[-1]) == (
        9, ["Nov 27", "1", *cells, currency.upper()], ["All", "1", *cells, currency.upper()],
    )  # fmt: skip


def test_names_that_would_be_formulas_are_inert(reader: Staff) -> None:
    course = make_course(title="=HYPERLINK(1)")
    post = load_post(post_text(title="'+1 trick'", slug="trick", published="2026-01-02"))
    order = sell(course, at=NOON, amount=100, path=[(post, "side")], utm={"utm_source": "@SUM(A1)"})
    move(order, "refund", 300, at=NOON)

    assert export(reader, "courses")[1][0] == "'=HYPERLINK(1)"
    assert export(reader, "posts")[1][0] == "'+1 trick"
    assert export(reader, "campaigns")[1][0] == "'@SUM(A1) /  / "
    # A number stays one, though it begins with a sign.
    assert export(reader, "courses")[1][6] == "-2.00"


def test_period_and_currency_live_in_the_address_and_in_its_links(reader: Staff) -> None:
    sell(make_course(currency="jpy"), at=NOON, amount=5000, currency="jpy")

    page = reader.get("/admin/reports/courses?since=2026-11-01&until=2026-11-27&currency=jpy").text

    assert "Sales by course, JPY" in page
    assert "Nov 1, 2026 to Nov 27, 2026" in page
    query = "since=2026-11-01&amp;until=2026-11-27&amp;currency=jpy"
    assert f'href="/admin/reports/courses.csv?{query}"' in page
    assert f'href="/admin/reports/posts?{query}"' in page
    assert 'href="/admin/reports/courses?period=7d&amp;currency=jpy"' in page
    assert 'href="/admin/reports/courses?since=2026-11-01&amp;until=2026-11-27&amp;currency=usd"' in page
    assert "¥5,000" in page


def test_tax_by_country_names_countries_and_what_is_left(reader: Staff) -> None:
    course = make_course()
    order = sell(course, at=NOON, amount=10_000, tax=1900, country="DE")
    move(order, "refund", 5950, at=NOON)
    sell(course, at=NOON, amount=700)

    assert [row[:7] for row in export(reader, "countries")[1:]] == [
        ["Germany", "1", "119.00", "19.00", "59.50", "9.50", "9.50"],
        ["Not known", "1", "7.00", "0.00", "0.00", "0.00", "0.00"],
        ["All", "2", "126.00", "19.00", "59.50", "9.50", "9.50"],
    ]


def test_which_post_sells_has_its_places_and_the_idle_posts(reader: Staff) -> None:
    post = load_post(post_text(title="Seller", slug="seller", published="2026-01-02"))
    sell(make_course(), at=NOON, amount=100, path=[(post, "text")])

    page = " ".join(reader.get("/admin/reports/posts").text.split())

    assert (
        '<th scope="row">Seller</th><td class="end">$0.00</td><td class="end">$0.00</td><td class="end">$1.00</td>'
        in page
    )


def test_who_comes_back_looks_at_twelve_months_unless_told_otherwise(reader: Staff) -> None:
    course = make_course()
    sell(course, at=datetime(2026, 9, 3, tzinfo=UTC), amount=100, email="maya@example.org")
    sell(course, at=datetime(2026, 11, 3, tzinfo=UTC), amount=200, email="maya@example.org")

    header, row = export(reader, "cohorts", "")

    assert header == [
        "First purchase", "Buyers", "Came back", "Net", "First month", "1 month later", "2 months later", "Currency",
    ]  # fmt: skip
    assert row == ["Sep 2026", "1", "1", "3.00", "1.00", "0.00", "2.00", "USD"]
    assert len(export(reader, "cohorts", "period=30d")) == 1
