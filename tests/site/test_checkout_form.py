"""Our checkout page: the sums it shows, the form it takes, and what it says when something is wrong."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.catalog.prices import replace_price
from app.catalog.promotion_codes import create_code
from app.checkout.models import Gift, Order, OrderConsent
from app.db import db
from tests.accounts.people import SAME_ORIGIN, Browser, make_person
from tests.factories import get_price, make_course

UNUSABLE = "This code can’t be used for this purchase. Check its spelling, or leave it out."


def post(browser: Browser, price: str, **fields: str) -> Any:
    return browser.open("/checkout", method="POST", data={"price_id": price, **fields}, headers=SAME_ORIGIN)


def sums(page: str) -> list[tuple[str, str]]:
    """The lines of the sums, as label and amount."""
    section = page[page.index('data-part="sums"') :]
    lines = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", section, re.DOTALL)
    return [(" ".join(label.split()), " ".join(amount.split())) for label, amount in lines]


def orders() -> list[Order]:
    db.session.rollback()
    return list(db.session.scalars(select(Order).order_by(Order.id)))


def test_page_shows_what_will_be_charged_with_seats_and_code(app: Flask) -> None:
    price = get_price(make_course(unit_amount=9700)).public_id
    create_code("LAUNCH20", percent_off=20)

    page = Browser(app).get(f"/checkout/{price}?quantity=3&code=launch20").text

    assert sums(page) == [
        ("Subtotal", "$291.00"),
        ("Discount, code LAUNCH20", "−$58.20"),
        ("Total", "$232.80 USD"),
    ]
    assert "LAUNCH20 takes $58.20 off." in page
    assert 'value="team" checked' in page


def test_link_with_a_code_that_does_not_count_says_so_and_shows_the_full_price(app: Flask) -> None:
    price = get_price(make_course(unit_amount=9700)).public_id

    answer = Browser(app).get(f"/checkout/{price}?code=NOPE")

    assert answer.status_code == 200
    assert UNUSABLE in answer.text
    assert sums(answer.text) == [("Subtotal", "$97.00"), ("Total", "$97.00 USD")]


def test_updating_the_total_orders_nothing_and_keeps_what_was_typed(app: Flask) -> None:
    price = get_price(make_course(unit_amount=9700)).public_id
    create_code("LAUNCH20", amount_off=1000, currency="usd")
    browser = Browser(app)

    answer = post(
        browser, price, step="update", purpose="team", quantity="4", code="LAUNCH20", email="maya@example.org",
        form_key="k",
    )  # fmt: skip

    assert answer.status_code == 200
    assert sums(answer.text)[-1] == ("Total", "$378.00 USD")
    assert 'value="maya@example.org"' in answer.text
    assert 'name="form_key" value="k"' in answer.text
    assert orders() == []


def test_going_back_to_one_seat_forgets_the_number_that_is_still_in_the_form(app: Flask) -> None:
    price = get_price(make_course(unit_amount=9700)).public_id

    answer = post(Browser(app), price, purpose="self", quantity="4", form_key="k")

    assert answer.status_code == 303
    assert [(order.purpose, order.total_amount) for order in orders()] == [("self", 9700)]


@pytest.mark.parametrize(("takes_seat", "expected"), [({"takes_seat": "1"}, True), ({}, False)])
def test_box_says_whether_the_buyer_takes_a_seat(app: Flask, takes_seat: dict[str, str], expected: bool) -> None:
    price = get_price(make_course()).public_id

    post(Browser(app), price, purpose="team", quantity="2", form_key="k", **takes_seat)

    assert [(order.purpose, order.takes_seat) for order in orders()] == [("team", expected)]


def test_gift_is_ordered_for_the_morning_of_its_day_in_the_shops_time_zone(app: Flask, moving_clock: Any) -> None:
    settings = app.config["SETTINGS"]
    app.config["SETTINGS"] = replace(settings, site_timezone="Europe/Berlin")
    price = get_price(make_course()).public_id
    day = f"{moving_clock().year + 1}-01-15"

    answer = post(
        Browser(app), price, purpose="gift", recipient_email="ana@example.org", gift_message="Hi <b>Ana</b>",
        gift_on=day, form_key="k",
    )  # fmt: skip
    app.config["SETTINGS"] = settings

    assert answer.status_code == 303
    db.session.rollback()
    gift = db.session.scalars(select(Gift)).one()
    assert gift.send_at is not None
    # 9 in the morning in Berlin in January is 8 UTC.
    assert gift.send_at.isoformat() == f"{day}T08:00:00+00:00"
    assert gift.message == "Hi <b>Ana</b>"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"purpose": "gift"}, "Enter an email address"),
        ({"purpose": "gift", "recipient_email": "ana@example.org", "gift_on": "tomorrow"}, "for example 2027-05-31"),
        ({"purpose": "gift", "recipient_email": "ana@example.org", "gift_on": "2020-01-01"}, "today or a later day"),
        ({"purpose": "team", "quantity": "0"}, "Choose 1 to 100 seats."),
        ({"purpose": "team", "quantity": "many"}, "Enter a whole number from 1 to 100."),
        ({"purpose": "me"}, "Choose who the course is for."),
        ({"code": "NOPE"}, UNUSABLE),
        ({"email": "no address"}, "email address"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_ordered(
    app: Flask, fields: dict[str, str], sentence: str
) -> None:
    price = get_price(make_course()).public_id

    answer = post(Browser(app), price, form_key="k", **fields)

    assert answer.status_code in {400, 422}
    assert sentence in answer.text
    assert "Fix 1 thing to continue" in answer.text
    assert orders() == []


def test_texts_of_the_form_come_back_inert(app: Flask) -> None:
    price = get_price(make_course()).public_id
    attack = '"><script>alert(1)</script>'

    page = post(Browser(app), price, form_key=attack, purpose="gift", recipient_name=attack, gift_message=attack).text

    assert "<script>alert(1)" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 3


def test_code_that_leaves_nothing_to_pay_enrolls_at_once(app: Flask) -> None:
    make_person("maya@example.org")
    browser = Browser(app)
    browser.sign_in("maya@example.org")
    price = get_price(make_course()).public_id
    create_code("FRIEND", percent_off=100)
    assert "Enroll for free" in browser.get(f"/checkout/{price}?code=FRIEND").text

    answer = post(browser, price, code="FRIEND", form_key="k", purpose="self")

    assert (answer.status_code, [order.state for order in orders()]) == (303, ["paid"])
    assert "You’re in" in browser.get(answer.headers["Location"]).text


def test_other_currencies_are_one_click_away(app: Flask) -> None:
    course = make_course(unit_amount=9700)
    dollars = get_price(course)
    euros = replace_price(product_id=dollars.product_id, unit_amount=8900, currency="eur").public_id

    page = Browser(app).get(f"/checkout/{dollars.public_id}").text
    other = Browser(app).get(f"/checkout/{euros}").text

    assert f'href="/checkout/{euros}">€89.00 EUR</a>' in page
    assert sums(other)[-1] == ("Total", "€89.00 EUR")


@pytest.fixture
def asking_app(app: Flask) -> Iterator[Flask]:
    settings = app.config["SETTINGS"]
    app.config["SETTINGS"] = replace(settings, consents=("terms", "eu_waiver"))
    yield app
    app.config["SETTINGS"] = settings


def test_one_click_leads_to_the_page_where_the_shop_asks_for_consent(asking_app: Flask) -> None:
    browser = Browser(asking_app)
    price = get_price(make_course()).public_id

    answer = post(browser, price)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/checkout/{price}")
    page = browser.get(f"/checkout/{price}").text
    assert "I have read the terms of sale and agree to them." in page
    assert "I lose my right of withdrawal" in page

    refused = post(browser, price, form_key="k", consent_terms="1")
    assert refused.status_code == 422
    assert "Tick the box so that the course may open at once." in refused.text
    assert orders() == []

    assert post(browser, price, form_key="k", consent_terms="1", consent_eu_waiver="1").status_code == 303
    assert len(orders()) == 1
    assert len(db.session.scalars(select(OrderConsent)).all()) == 2


def test_codes_cannot_be_guessed_at_speed(app: Flask) -> None:
    browser = Browser(app)
    price = get_price(make_course()).public_id

    statuses = [browser.get(f"/checkout/{price}?code=GUESS{number}").status_code for number in range(25)]

    assert statuses == [200] * 20 + [429] * 5
    # Without a code the page is not limited.
    assert browser.get(f"/checkout/{price}").status_code == 200


def test_code_of_a_link_to_the_course_leads_to_the_page_with_its_price(app: Flask) -> None:
    course = make_course(unit_amount=9700)
    create_code("LAUNCH20", percent_off=20)
    browser = Browser(app)

    page = browser.get(f"/courses/{course.slug}?code=launch20").text
    plain = browser.get(f"/courses/{course.slug}").text

    address = f"/checkout/{get_price(course).public_id}?code=LAUNCH20"
    assert f'href="{address}"' in page
    assert "Enroll with code LAUNCH20" in page
    assert "Enroll — $97" not in page
    assert "LAUNCH20" not in plain
    assert sums(browser.get(address).text)[-1] == ("Total", "$77.60 USD")


@pytest.mark.parametrize("code", ["<script>", "x" * 500, "a", "☃☃☃"])
def test_course_link_with_what_can_be_no_code_shows_the_plain_page(app: Flask, code: str) -> None:
    course = make_course()

    answer = Browser(app).get(f"/courses/{course.slug}?code={code}")

    assert answer.status_code == 200
    assert "Enroll with code" not in answer.text


def test_one_click_with_a_code_that_does_not_count_says_so_before_any_order(app: Flask) -> None:
    course = make_course()

    answer = post(Browser(app), get_price(course).public_id, code="NOPE-NOT-REAL")

    assert answer.status_code == 422
    assert UNUSABLE in answer.text
    assert orders() == []
