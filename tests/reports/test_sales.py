"""What the shop's figures are: exact values, by day of the shop's zone, by currency, and equal to the ledger's export."""

from collections.abc import Callable
from dataclasses import astuple
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask

from app.db import make_public_id, transaction
from app.newsletter.models import Subscriber
from app.reports.breakdowns import Line, list_campaigns, list_codes, list_countries, list_products
from app.reports.ledger_export import Totals, add_totals, iterate_orders
from app.reports.periods import Period, make_period
from app.reports.post_sales import list_post_sales
from app.reports.sales import Sums, count_refunded_orders, count_subscribers, read_sales
from tests.conftest import MovableClock
from tests.factories import make_course
from tests.reports.ledgers import move, sell, shop_zone

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
CURRENCIES = ("usd", "jpy", "kwd")


@pytest.fixture(autouse=True)
def _noon(moving_clock: MovableClock) -> None:
    moving_clock.freeze(NOON)


def days(period: Period, currency: str = "usd") -> dict[str, tuple[int, ...]]:
    """What moved on each day on which something did: (sales, refunded, withdrawn, reinstated, orders)."""
    sums = read_sales(period).list_buckets(currency)
    return {
        bucket.first_day.isoformat(): astuple(each)
        for bucket, each in zip(period.buckets, sums, strict=True)
        if each != Sums()
    }


def test_an_empty_shop_has_no_figures_and_no_errors(app: Flask) -> None:
    period = make_period("30d")

    sales = read_sales(period)

    assert (sales.currencies, sales.total("usd"), sales.list_buckets("usd")) == ([], Sums(), [Sums()] * 30)
    assert (count_refunded_orders(period), count_subscribers(period)) == (0, 0)
    assert (list_products(period, "usd"), list_post_sales(period, "usd")) == ([], [])


def test_everything_that_moves_money_counts_on_its_day(app: Flask) -> None:
    course = make_course()
    order = sell(course, at=NOON - timedelta(days=5), amount=9700, tax=1940)
    move(order, "refund", 2000, at=NOON - timedelta(days=4))
    move(order, "refund_failed", 2000, at=NOON - timedelta(days=3))
    move(order, "refund", 500, at=NOON - timedelta(days=3))
    disputed = sell(course, at=NOON - timedelta(days=2), amount=4900)
    move(disputed, "dispute_withdrawn", 4900, at=NOON - timedelta(days=1))
    move(disputed, "dispute_reinstated", 4900, at=NOON)
    move(disputed, "dispute_won", 0, at=NOON)

    assert days(make_period("7d")) == {
        "2026-11-22": (11640, 0, 0, 0, 1),
        "2026-11-23": (0, 2000, 0, 0, 0),
        "2026-11-24": (0, -1500, 0, 0, 0),
        "2026-11-25": (4900, 0, 0, 0, 1),
        "2026-11-26": (0, 0, 4900, 0, 0),
        "2026-11-27": (0, 0, 0, 4900, 0),
    }
    total = read_sales(make_period("7d")).total("usd")
    assert (total.sales, total.refunded, total.disputed, total.net, total.orders) == (16540, 500, 0, 16040, 2)
    assert count_refunded_orders(make_period("7d")) == 1


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("UTC", datetime(2026, 11, 10, 23, 30, tzinfo=UTC), "2026-11-10"),
        ("Europe/Helsinki", datetime(2026, 11, 10, 23, 30, tzinfo=UTC), "2026-11-11"),
        ("Europe/Helsinki", datetime(2026, 11, 10, 21, 59, 59, tzinfo=UTC), "2026-11-10"),
        ("America/Los_Angeles", datetime(2026, 11, 11, 7, 59, 59, 999999, tzinfo=UTC), "2026-11-10"),
        ("America/Los_Angeles", datetime(2026, 11, 11, 8, tzinfo=UTC), "2026-11-11"),
        ("Asia/Kathmandu", datetime(2026, 11, 10, 18, 15, tzinfo=UTC), "2026-11-11"),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), "2026-10-25"),
        ("Europe/Berlin", datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC), "2026-10-25"),
        ("Europe/Berlin", datetime(2026, 10, 25, 23, tzinfo=UTC), "2026-10-26"),
    ],
)
def test_a_day_is_the_shops_also_where_the_clocks_change(app: Flask, zone: str, moment: datetime, day: str) -> None:
    sell(make_course(), at=moment)

    with shop_zone(zone):
        assert days(make_period("90d")) == {day: (9700, 0, 0, 0, 1)}


def test_an_order_late_in_the_evening_is_in_the_next_days_period(app: Flask) -> None:
    sell(make_course(), at=datetime(2026, 11, 20, 23, 30, tzinfo=UTC))

    with shop_zone("Europe/Helsinki"):
        period = make_period("7d")
        assert (period.first_day, period.since) == (date(2026, 11, 21), datetime(2026, 11, 20, 22, tzinfo=UTC))
        assert read_sales(period).total("usd").sales == 9700
    assert read_sales(make_period("7d")).total("usd").sales == 0


def test_the_period_before_is_as_long_and_ends_where_this_one_begins(app: Flask) -> None:
    course = make_course()
    for age, amount in ((0, 100), (29, 200), (30, 400), (59, 800), (60, 1600)):
        sell(course, at=NOON - timedelta(days=age), amount=amount)

    sales = read_sales(make_period("30d"))

    assert (sales.total("usd").sales, sales.total_before("usd").sales) == (300, 1200)
    assert [each.sales for each in sales.list_buckets_before("usd")] == [800, *[0] * 28, 400]


def test_twelve_months_are_bars_of_months_beside_the_same_ones_a_year_earlier(app: Flask) -> None:
    course = make_course()
    for moment, amount in (
        (datetime(2025, 12, 1, tzinfo=UTC), 100), (datetime(2026, 11, 1, tzinfo=UTC), 200),
        (datetime(2025, 11, 27, 12, tzinfo=UTC), 400), (datetime(2025, 11, 28, tzinfo=UTC), 800),
        (datetime(2024, 12, 1, tzinfo=UTC), 1600), (datetime(2024, 11, 30, 23, tzinfo=UTC), 3200),
    ):  # fmt: skip
        sell(course, at=moment, amount=amount)

    sales = read_sales(make_period("12m"))

    assert [each.sales for each in sales.list_buckets("usd")] == [100, *[0] * 10, 200]
    # Up to the same day as this year: half a month is not held against a whole one.
    assert [each.sales for each in sales.list_buckets_before("usd")] == [1600, *[0] * 10, 400]


def test_currencies_are_never_added_up(app: Flask) -> None:
    for currency, amount in (("usd", 9700), ("jpy", 5000), ("kwd", 5120)):
        sell(make_course(currency=currency), at=NOON, amount=amount, currency=currency)

    sales = read_sales(make_period("7d"))

    assert {each: sales.total(each).sales for each in sales.currencies} == {"usd": 9700, "jpy": 5000, "kwd": 5120}


def test_orders_for_nothing_are_no_paid_orders(app: Flask) -> None:
    sell(make_course(), at=NOON, amount=0)

    assert days(make_period("7d")) == {}


def test_new_subscribers_are_those_who_confirmed_in_the_period_though_they_left(app: Flask) -> None:
    with transaction() as session:
        for place, confirmed_at in enumerate((None, NOON, NOON - timedelta(days=6), NOON - timedelta(days=8))):
            session.add(
                Subscriber(
                    public_id=make_public_id("sub"), email=f"s{place}@example.org", confirmed_at=confirmed_at,
                    requested_at=NOON, status="unsubscribed" if place == 1 else "confirmed",
                )
            )  # fmt: skip

    assert (count_subscribers(make_period("7d")), count_subscribers(make_period("7d").previous)) == (2, 1)


# The same money everywhere


def spread_money() -> None:
    """Orders and movements around the borders of November in three currencies, some across a border."""
    for number, currency in enumerate(CURRENCIES):
        course = make_course(currency=currency)
        for day in range(1, 60, 3):
            moment = datetime(2026, 10, 1, 22, 30, tzinfo=UTC) + timedelta(days=day)
            order = sell(
                course, at=moment, amount=1000 * (number + 1) + 10 * day, currency=currency, tax=10 * day,
                country=("DE", "US", None)[day % 3], utm={"utm_source": "mail"} if day % 2 else None,
            )  # fmt: skip
            if day % 4 == 0:
                move(order, "refund", 130, at=moment + timedelta(days=9))
            if day % 5 == 0:
                move(order, "refund", 70, at=moment + timedelta(days=1))
                move(order, "refund_failed", 70, at=moment + timedelta(days=12))
            if day % 7 == 0:
                move(order, "dispute_withdrawn", 500, at=moment + timedelta(days=2))
                move(order, "dispute_reinstated", 500, at=moment + timedelta(days=20))


def total_of_export(period: Period) -> dict[str, Totals]:
    totals: dict[str, Totals] = {}
    for row in iterate_orders(period.span):
        add_totals(totals, row)
    return totals


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland"])
@pytest.mark.parametrize(
    ("first_day", "last_day"),
    [(date(2026, 11, 1), date(2026, 11, 30)), (date(2026, 10, 10), date(2026, 10, 10)), (date(2026, 7, 1), date(2026, 12, 31))],
)  # fmt: skip
def test_sums_of_reports_are_those_of_the_ledgers_export(
    app: Flask, zone: str, first_day: date, last_day: date
) -> None:
    spread_money()
    breakdowns: tuple[Callable[[Period, str], list[Line]], ...] = (
        list_products, list_codes, list_campaigns, list_countries,
    )  # fmt: skip

    with shop_zone(zone):
        period = make_period("", first_day=first_day, last_day=last_day)
        exported = total_of_export(period)
        sales = read_sales(period)

        assert set(exported) <= set(CURRENCIES)
        for currency in CURRENCIES:
            row = exported.get(currency, Totals(currency=currency))
            wanted = (row.captured, row.refunded, row.withdrawn, row.reinstated)
            total = sales.total(currency)
            assert (total.sales, total.refunded, total.withdrawn, total.reinstated) == wanted
            for breakdown in breakdowns:
                sums = sum((line.sums for line in breakdown(period, currency)), Sums())
                assert (sums.sales, sums.refunded, sums.withdrawn, sums.reinstated) == wanted, breakdown
            assert sum(post.last_net for post in list_post_sales(period, currency)) == total.net
    assert any(row.refunded for row in exported.values()) or first_day == last_day
