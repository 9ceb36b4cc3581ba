"""The confirmation says what is true of the order, for every state it can be in."""

import pytest
from flask import Flask
from sqlalchemy import select

from app.checkout.models import Order
from app.db import transaction
from tests.accounts.people import SAME_ORIGIN, Browser, make_person
from tests.factories import get_price, make_course


@pytest.mark.parametrize(
    ("state", "heading"),
    [
        ("paid", "You’re in"),
        ("partially_refunded", "You’re in"),
        ("pending", "We’re confirming your payment"),
        ("processing", "We’re confirming your payment"),
        ("failed", "The payment didn’t go through"),
        ("expired", "This checkout has ended"),
        ("refunded", "This order was refunded"),
        ("disputed", "Your bank is looking into this payment"),
        ("lost", "Your bank returned this payment"),
    ],
)
def test_the_confirmation_says_what_is_true(
    app: Flask, monkeypatch: pytest.MonkeyPatch, state: str, heading: str
) -> None:
    browser = Browser(app)
    price = get_price(make_course(unit_amount=0)).public_id
    form = {"price_id": price, "email": "maya@example.org"}
    answer = browser.open("/checkout", method="POST", data=form, headers=SAME_ORIGIN)
    assert answer.status_code == 303
    with transaction() as session:
        order = session.scalars(select(Order)).one()
        order.state = state
    monkeypatch.setattr("app.site.checkout.settle_for_return", lambda **_: None)

    page = browser.get(answer.headers["Location"]).text

    assert f">{heading}" in page
    assert ("You’re in" in page) is (state in {"paid", "partially_refunded"})


def test_a_free_course_asks_a_guest_for_an_address_first(app: Flask) -> None:
    browser = Browser(app)
    price = get_price(make_course(unit_amount=0)).public_id

    answer = browser.open("/checkout", method="POST", data={"price_id": price}, headers=SAME_ORIGIN)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/checkout/{price}")
    assert "Enroll for free" in browser.get(f"/checkout/{price}").text

    refused = browser.open("/checkout", method="POST", data={"price_id": price, "email": "x"}, headers=SAME_ORIGIN)
    assert refused.status_code == 400
    assert 'value="x"' in refused.text


def test_a_strangers_confirmation_shows_nothing(app: Flask) -> None:
    owner = Browser(app)
    price = get_price(make_course(unit_amount=0, title="Secret Knitting")).public_id
    form = {"price_id": price, "email": "maya@example.org"}
    place = owner.open("/checkout", method="POST", data=form, headers=SAME_ORIGIN).headers["Location"]

    answer = Browser(app).get(place)

    assert answer.status_code == 404
    assert "Secret Knitting" not in answer.text
    assert "maya" not in answer.text


def test_the_first_enroll_of_a_browser_comes_back_with_a_cookie(app: Flask) -> None:
    browser = Browser(app)
    price = get_price(make_course(unit_amount=0)).public_id
    headers = {**SAME_ORIGIN, "Sec-Fetch-Mode": "navigate"}

    first = browser.open("/checkout", method="POST", data={"price_id": price}, headers=headers)
    assert (first.status_code, first.headers["Location"]) == (307, "/checkout?again=1")
    assert "session=" in first.headers["Set-Cookie"]

    second = browser.open("/checkout", method="POST", data={"price_id": price}, headers=headers)
    assert second.status_code == 303


def test_enroll_from_another_site_is_refused(app: Flask) -> None:
    price = get_price(make_course()).public_id
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    answer = Browser(app).open("/checkout", method="POST", data={"price_id": price}, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("price_id", ["", "x", "prc_" + "1" * 22, "1" * 300, "'; DROP TABLE orders; --", "9" * 40])
def test_prices_that_do_not_exist_are_refused(app: Flask, price_id: str) -> None:
    answer = Browser(app).open("/checkout", method="POST", data={"price_id": price_id}, headers=SAME_ORIGIN)
    assert answer.status_code in {400, 404}


@pytest.mark.parametrize(
    "quantity", ["-1", "0", "101", "1e9", "1.5", "true", "NaN", "[1]", "٣", "1000000000000000000000"]
)
def test_what_is_no_number_of_seats_is_refused(app: Flask, quantity: str) -> None:
    price = get_price(make_course()).public_id
    form = {"price_id": price, "quantity": quantity}
    assert Browser(app).open("/checkout", method="POST", data=form, headers=SAME_ORIGIN).status_code == 400


def test_the_confirmation_stays_open_after_the_guest_made_an_account_of_the_address(app: Flask) -> None:
    guest = Browser(app)
    price = get_price(make_course(unit_amount=0)).public_id
    form = {"price_id": price, "email": "maya@example.org"}
    place = guest.open("/checkout", method="POST", data=form, headers=SAME_ORIGIN).headers["Location"]
    make_person("maya@example.org")
    owner, stranger = Browser(app), Browser(app)
    owner.sign_in("maya@example.org")
    make_person("noah@example.org")
    stranger.sign_in("noah@example.org")

    assert owner.get(place).status_code == 200
    assert stranger.get(place).status_code == 404
