"""By course, code, campaign, country, post and cohort: exact rows."""

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask

from app.blog.models import PostReads
from app.catalog.promotion_codes import create_code
from app.db import transaction
from app.reports.breakdowns import Line, list_campaigns, list_codes, list_countries, list_products
from app.reports.cohorts import Cell, list_cohorts
from app.reports.periods import make_period
from app.reports.post_sales import list_post_sales, list_posts_without_sale, list_read_posts
from app.reports.sales import Sums
from tests.conftest import MovableClock
from tests.factories import make_course
from tests.reports.ledgers import move, sell
from tests.shop import load_post, post_text

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _noon(moving_clock: MovableClock) -> None:
    moving_clock.freeze(NOON)


def make_post(slug: str) -> int:
    return load_post(post_text(title=slug.capitalize(), slug=slug, published="2026-01-02"))


def test_courses_count_seats_of_paid_orders_and_lose_what_went_back(app: Flask) -> None:
    first, second = make_course(title="First"), make_course(title="Second")
    sell(first, at=NOON, amount=9700)
    team = sell(second, at=NOON, amount=30000, quantity=3)
    move(team, "refund", 10000, at=NOON)
    earlier = sell(first, at=NOON - timedelta(days=40), amount=5000)
    move(earlier, "refund", 5000, at=NOON)

    assert list_products(make_period("30d"), "usd") == [
        Line(name="Second", sums=Sums(sales=30000, refunded=10000, orders=1), extra=(3,)),
        Line(name="First", sums=Sums(sales=9700, refunded=5000, orders=1), extra=(1,)),
    ]


def test_codes_say_what_they_took_off_and_orders_without_one_have_a_row(app: Flask) -> None:
    course = make_course()
    code = create_code("SPRING", amount_off=500, currency="usd")
    sell(course, at=NOON, amount=9200, code_id=code.id)
    sell(course, at=NOON, amount=9700)

    assert list_codes(make_period("7d"), "usd") == [
        Line(name="", sums=Sums(sales=9700, orders=1), extra=(0,)),
        Line(name="SPRING", sums=Sums(sales=9200, orders=1), extra=(500,)),
    ]


def test_campaigns_are_told_by_source_medium_and_name(app: Flask) -> None:
    course = make_course()
    sell(course, at=NOON, amount=100, utm={"utm_source": "mail", "utm_campaign": "may"})
    sell(course, at=NOON, amount=200, utm={"utm_source": "mail", "utm_campaign": "may"})
    sell(course, at=NOON, amount=400, utm={"utm_source": "mail", "utm_medium": "email", "utm_campaign": "may"})
    sell(course, at=NOON, amount=800, path=[(make_post("plain"), "side")])

    assert [(line.name, line.sums.net, line.sums.orders) for line in list_campaigns(make_period("7d"), "usd")] == [
        ("", 800, 1), ("mail / email / may", 400, 1), ("mail /  / may", 300, 2),
    ]  # fmt: skip


def test_tax_goes_by_country_and_part_refunds_carry_their_share(app: Flask) -> None:
    course = make_course()
    on_top = sell(course, at=NOON - timedelta(days=20), amount=1000, tax=190, country="DE")
    for amount, age in ((397, 10), (397, 5), (396, 1)):
        move(on_top, "refund", amount, at=NOON - timedelta(days=age))
    sell(course, at=NOON, amount=1190, tax=190, is_tax_included=True, country="DE")
    sell(course, at=NOON, amount=500)
    failed = sell(course, at=NOON, amount=1000, tax=250, country="SE")
    move(failed, "refund", 1250, at=NOON)
    move(failed, "refund_failed", 1250, at=NOON)

    def rows(key: str) -> dict[str, tuple[int, ...]]:
        return {line.name: (line.sums.sales, *line.extra) for line in list_countries(make_period(key), "usd")}

    assert rows("30d") == {"DE": (2380, 380, 190), "SE": (1250, 250, 0), "": (500, 0, 0)}
    # 63.38 and 126.77 of tax before and after: the shares of all refunds are 190 altogether.
    assert rows("7d")["DE"] == (1190, 190, 190 - 63)


def test_posts_share_an_order_as_first_last_and_assisting_ones(app: Flask) -> None:
    course = make_course()
    a, b, c = make_post("a"), make_post("b"), make_post("c")
    order = sell(course, at=NOON, amount=10000, path=[(a, ""), (b, ""), (a, ""), (c, "side")])
    move(order, "refund", 2500, at=NOON)
    sell(course, at=NOON, amount=400, path=[(a, "end")])
    sell(course, at=NOON, amount=70)

    found = {each.slug: each for each in list_post_sales(make_period("7d"), "usd")}

    assert [each.slug for each in list_post_sales(make_period("7d"), "usd")] == ["c", "a", "", "b"]
    assert [
        (each.first_orders, each.first_net, each.last_orders, each.last_net, each.assisted_orders, each.assisted_net)
        for each in (found["a"], found["b"], found["c"], found[""])
    ] == [(2, 7900, 1, 400, 1, 7500), (0, 0, 0, 0, 1, 7500), (0, 0, 1, 7500, 0, 0), (0, 0, 1, 70, 0, 0)]
    assert (found["a"].by_place, found["c"].by_place, found[""].by_place) == ({"end": 400}, {"side": 7500}, {})


def test_posts_with_readers_and_no_sale_stand_by_themselves(app: Flask) -> None:
    read, sold, quiet = make_post("read"), make_post("sold"), make_post("quiet")
    sell(make_course(), at=NOON, path=[(sold, "side")])
    with transaction() as session:
        for post_id, day, reads in (
            (read, date(2026, 11, 27), 3), (read, date(2026, 11, 21), 4), (read, date(2026, 11, 20), 90),
            (sold, date(2026, 11, 25), 5), (quiet, date(2026, 10, 1), 8),
        ):  # fmt: skip
            session.add(PostReads(post_id=post_id, day=day, reads=reads))

    posts = list_post_sales(make_period("7d"), "usd")

    assert [(each.slug, each.reads) for each in posts] == [("sold", 5), ("read", 7)]
    assert [each.slug for each in list_posts_without_sale(posts)] == ["read"]
    assert [(each.slug, each.reads) for each in list_read_posts(make_period("7d"))] == [("read", 7), ("sold", 5)]


def test_cohorts_follow_an_address_from_its_first_purchase(app: Flask) -> None:
    course = make_course()

    def buy(email: str, month: int, amount: int) -> None:
        sell(course, at=datetime(2026, month, 15, tzinfo=UTC), amount=amount, email=email)

    buy("maya@example.org", 9, 100)
    buy("Maya@example.org", 11, 200)
    buy("tom@example.org", 9, 400)
    buy("ana@example.org", 10, 800)
    buy("ana@example.org", 10, 1600)
    late = sell(course, at=datetime(2026, 11, 1, tzinfo=UTC), amount=3200, email="noor@example.org")
    move(late, "refund", 3000, at=NOON)
    buy("old@example.org", 1, 6400)
    buy("old@example.org", 11, 12800)

    cohorts = list_cohorts(make_period("", first_day=date(2026, 9, 1), last_day=date(2026, 11, 27)), "usd")

    assert [(c.month.isoformat(), c.buyers, c.repeat_buyers, c.net) for c in cohorts] == [
        ("2026-09-01", 2, 1, 700), ("2026-10-01", 1, 1, 2400), ("2026-11-01", 1, 0, 200),
    ]  # fmt: skip
    assert cohorts[0].cells == [Cell(buyers=2, net=500), Cell(), Cell(buyers=1, net=200)]
    assert cohorts[1].cells == [Cell(buyers=1, net=2400), Cell()]
