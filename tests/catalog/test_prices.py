"""Prices in several currencies: what can be charged, what retires, and what the course page is told."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import select

from app.catalog.models import Course, Price
from app.catalog.services import get_course_page, replace_price, retire_price
from app.catalog.stock import list_course_stock
from app.db import db
from app.errors import InvalidInput, NotFound
from tests.factories import get_price, make_course
from tests.queries import count_queries
from tests.shop import course_text, load_course


def _rows() -> list[tuple[str, int, str]]:
    db.session.rollback()
    rows = db.session.execute(select(Price.currency, Price.unit_amount, Price.status).order_by(Price.id))
    return [(row.currency, row.unit_amount, row.status) for row in rows]


def _product_id(course: Course) -> int:
    return get_price(course).product_id


@pytest.mark.parametrize(
    ("amount", "currency", "field", "sentence"),
    [
        (49, "usd", "unit_amount", "A price must be 0 or at least $0.50: cards take nothing smaller."),
        (1, "eur", "unit_amount", "A price must be 0 or at least €0.50: cards take nothing smaller."),
        (29, "GBP", "unit_amount", "A price must be 0 or at least £0.30: cards take nothing smaller."),
        (49, "jpy", "unit_amount", "A price must be 0 or at least ¥50: cards take nothing smaller."),
        (5125, "kwd", "unit_amount", "The last decimal of an amount in KWD must be 0."),
        (1350, "isk", "unit_amount", "Amounts in ISK must be whole, without decimals."),
        (-1, "usd", "unit_amount", "Enter an amount of 0 or more."),
        (100_000_000, "usd", "unit_amount", "The amount is larger than a card payment can be."),
        (9700, "xxx", "currency", "There is no such currency. Use a code such as USD or EUR."),
        (9700, "", "currency", "There is no such currency. Use a code such as USD or EUR."),
    ],
)
def test_what_stripe_would_not_charge_is_refused_when_the_price_is_made(
    app: Flask, amount: int, currency: str, field: str, sentence: str
) -> None:
    product_id = _product_id(make_course(unit_amount=9700))

    with pytest.raises(InvalidInput) as refused:
        replace_price(product_id=product_id, unit_amount=amount, currency=currency)

    assert (refused.value.field, refused.value.sentence) == (field, sentence)
    assert _rows() == [("usd", 9700, "active")]


@pytest.mark.parametrize(
    ("amount", "currency"), [(0, "usd"), (50, "USD"), (50, "jpy"), (5120, "kwd"), (99_999_999, "eur")]
)
def test_the_smallest_and_the_largest_prices_are_taken(app: Flask, amount: int, currency: str) -> None:
    product_id = _product_id(make_course(unit_amount=9700))

    price = replace_price(product_id=product_id, unit_amount=amount, currency=currency)

    assert (price.unit_amount, price.currency, price.status) == (amount, currency.lower(), "active")


def test_each_currency_has_a_price_of_its_own(app: Flask) -> None:
    product_id = _product_id(make_course(unit_amount=9700))

    replace_price(product_id=product_id, unit_amount=8900, currency="eur")
    replace_price(product_id=product_id, unit_amount=7900, currency="GBP")
    replace_price(product_id=product_id, unit_amount=8500, currency="eur")

    assert _rows() == [
        ("usd", 9700, "active"), ("eur", 8900, "retired"), ("gbp", 7900, "active"), ("eur", 8500, "active"),
    ]  # fmt: skip


def test_a_price_for_a_product_that_is_not_there_is_not_made(app: Flask) -> None:
    with pytest.raises(NotFound):
        replace_price(product_id=987_654, unit_amount=9700, currency="usd")

    assert _rows() == []


def test_prices_in_three_currencies_at_once_are_three_prices(app: Flask) -> None:
    product_id = _product_id(make_course(unit_amount=9700))
    db.session.rollback()
    wanted = [("eur", 8900), ("gbp", 7900), ("jpy", 9800), ("eur", 8500)]
    gate = Barrier(len(wanted))

    def replace(price: tuple[str, int]) -> None:
        with app.app_context():
            gate.wait()
            replace_price(product_id=product_id, unit_amount=price[1], currency=price[0])

    with ThreadPoolExecutor(len(wanted)) as pool:
        list(pool.map(replace, wanted))

    active = sorted((currency, amount) for currency, amount, status in _rows() if status == "active")
    assert [currency for currency, _amount in active] == ["eur", "gbp", "jpy", "usd"]
    assert active[0][1] in {8900, 8500}
    assert active[1:] == [("gbp", 7900), ("jpy", 9800), ("usd", 9700)]


def test_a_file_replaces_adds_and_retires_prices_by_currency(app: Flask) -> None:
    load_course(course_text(prices="[20.00 USD, 18.00 EUR, 15.00 GBP]"))

    load_course(course_text(prices="[20.00 USD, 19.00 EUR, 2900 JPY]"))

    assert sorted(_rows()) == [
        ("eur", 1800, "retired"), ("eur", 1900, "active"), ("gbp", 1500, "retired"), ("jpy", 2900, "active"),
        ("usd", 2000, "active"),
    ]  # fmt: skip


def test_a_file_without_prices_takes_the_course_off_sale(app: Flask) -> None:
    load_course(course_text(prices="[20.00 USD, 18.00 EUR]"))

    load_course(course_text(prices="[]"))

    assert _rows() == [("eur", 1800, "retired"), ("usd", 2000, "retired")]
    assert get_course_page(slug="small-course").card.offer.state == "not_on_sale"


def test_the_page_is_told_the_prices_in_other_currencies(app: Flask) -> None:
    course = make_course(unit_amount=9700)
    product_id = _product_id(course)
    assert get_course_page(slug=course.slug).other_prices == ()
    pounds = replace_price(product_id=product_id, unit_amount=7900, currency="gbp")
    replace_price(product_id=product_id, unit_amount=9000, currency="eur")
    euros = replace_price(product_id=product_id, unit_amount=8900, currency="eur")
    yen = replace_price(product_id=product_id, unit_amount=9800, currency="jpy")
    retire_price(price_id=yen.id)

    page = get_course_page(slug=course.slug)

    assert page.card.offer.currency == "usd"
    assert [(price.price_id, price.unit_amount, price.currency) for price in page.other_prices] == [
        (euros.public_id, 8900, "eur"), (pounds.public_id, 7900, "gbp"),
    ]  # fmt: skip


def test_a_course_that_is_not_sold_in_the_shops_currency_is_offered_in_the_first_it_has(app: Flask) -> None:
    course = make_course(unit_amount=8900, currency="eur")
    replace_price(product_id=_product_id(course), unit_amount=7900, currency="gbp")

    page = get_course_page(slug=course.slug)

    assert (page.card.offer.unit_amount, page.card.offer.currency) == (8900, "eur")
    assert [price.currency for price in page.other_prices] == ["gbp"]


def test_other_courses_prices_stay_out_and_no_price_is_no_prices(app: Flask) -> None:
    make_course(unit_amount=9700)
    bare = make_course(unit_amount=None)

    assert get_course_page(slug=bare.slug).other_prices == ()


def test_more_currencies_take_no_more_queries(app: Flask) -> None:
    course = make_course(unit_amount=9700)
    product_id = _product_id(course)
    with count_queries() as with_one:
        get_course_page(slug=course.slug)
    for currency in ("eur", "gbp", "jpy", "chf", "cad"):
        replace_price(product_id=product_id, unit_amount=8900, currency=currency)

    with count_queries() as with_six:
        page = get_course_page(slug=course.slug)

    assert len(page.other_prices) == 5
    assert len(with_one) == len(with_six) == 2


def test_the_stock_tells_every_course_in_two_queries(app: Flask) -> None:
    sold = make_course(slug="sold", unit_amount=9700, capacity=10)
    replace_price(product_id=_product_id(sold), unit_amount=8900, currency="eur")
    make_course(slug="draft", unit_amount=None, status="draft")

    with count_queries() as queries:
        rows = list_course_stock()

    assert [(row.slug, row.status, row.prices, row.capacity, row.taken_seats) for row in rows] == [
        ("sold", "published", ((8900, "eur"), (9700, "usd")), 10, 0), ("draft", "draft", (), None, 0),
    ]  # fmt: skip
    assert len(queries) == 2
