"""Automatic tax: rates by place, on top or inside, business numbers, and the page that shows the total first."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import stripe
from flask.testing import FlaskClient

from app.sandbox.countries import Rate
from app.sandbox.taxes import tax_amount
from tests.sandbox.conftest import Driver

TAX: Any = {"automatic_tax": {"enabled": True}, "tax_id_collection": {"enabled": True}}
FORM = {
    "email": "maya@example.org",
    "method": "card",
    "number": "4242 4242 4242 4242",
    "expiry": "12 / 40",
    "cvc": "123",
    "name": "Maya",
}


@pytest.fixture
def browser(driver: Driver) -> Iterator[FlaskClient]:
    with driver.server.flask.test_client() as client:
        yield client


def _bought(driver: Driver, price: str, where: dict[str, str], **more: Any) -> stripe.checkout.Session:
    session = driver.session(price, **(TAX | more))
    driver.pay(session.id, **where)
    expand = ["payment_intent", "line_items.data.taxes", "total_details.breakdown"]
    return driver.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": expand})


def _sums(session: stripe.checkout.Session) -> tuple[int | None, int, int]:
    assert session.total_details is not None
    intent: Any = session.payment_intent
    return session.amount_total, session.total_details.amount_tax, intent.amount_received


@pytest.mark.parametrize(
    ("where", "tax"),
    [
        ({"country": "DE"}, 1900),
        ({"country": "FR"}, 2000),
        ({"country": "GB"}, 2000),
        ({"country": "FI"}, 2550),
        ({"country": "US", "postal_code": "94105"}, 0),
        ({"country": "US", "postal_code": "10001"}, 888),
        ({"country": "US", "postal_code": "78701"}, 625),
        ({"country": "US"}, 0),
        ({"country": "BR"}, 0),
    ],
)
def test_exclusive_tax_comes_on_top(driver: Driver, where: dict[str, str], tax: int) -> None:
    price = driver.price(10_000, tax_behavior="exclusive")

    session = _bought(driver, price, where)

    assert _sums(session) == (10_000 + tax, tax, 10_000 + tax)
    assert session.line_items is not None
    assert [(line.amount_tax, line.amount_total) for line in session.line_items.data] == [(tax, 10_000 + tax)]
    assert session.automatic_tax.status == "complete"


@pytest.mark.parametrize(("country", "tax"), [("DE", 1597), ("FR", 1667), ("HU", 2126), ("BR", 0)])
def test_inclusive_tax_is_inside(driver: Driver, country: str, tax: int) -> None:
    price = driver.price(10_000, "eur", tax_behavior="inclusive")

    session = _bought(driver, price, {"country": country})

    assert _sums(session) == (10_000, tax, 10_000)
    assert session.line_items is not None
    assert [(line.amount_tax, line.amount_total) for line in session.line_items.data] == [(tax, 10_000)]


@pytest.mark.parametrize(
    ("behavior", "currency", "total"),
    [
        (None, "usd", 11_900),
        (None, "eur", 10_000),
        ("exclusive", "eur", 11_900),
        ("inclusive", "usd", 10_000),
    ],
)
def test_a_price_that_says_nothing_follows_the_account(
    driver: Driver, behavior: Any, currency: str, total: int
) -> None:
    if behavior:
        driver.stripe.v1.tax.settings.update({"defaults": {"tax_behavior": behavior}})

    session = _bought(driver, driver.price(10_000, currency), {"country": "DE"})

    assert session.amount_total == total


def test_tax_is_taken_of_the_discounted_amount_and_rounded_line_by_line(driver: Driver) -> None:
    coupon = driver.stripe.v1.coupons.create({"amount_off": 100, "currency": "usd"}).id
    lines = [{"price": driver.price(amount), "quantity": 1} for amount in (999, 1001)]

    session = _bought(driver, "", {"country": "DE"}, line_items=lines, discounts=[{"coupon": coupon}])

    assert session.line_items is not None
    assert [(each.amount_discount, each.amount_tax) for each in session.line_items.data] == [(50, 180), (50, 181)]
    assert _sums(session) == (2261, 361, 2261)


def test_the_breakdown_names_the_rate(driver: Driver) -> None:
    session = _bought(driver, driver.price(10_000), {"country": "DE"})

    assert session.total_details is not None
    assert session.total_details.breakdown is not None
    (tax,) = session.total_details.breakdown.taxes
    assert (tax.amount, tax.taxable_amount, tax.taxability_reason) == (1900, 10_000, "standard_rated")
    rate = driver.stripe.v1.tax_rates.retrieve(tax.rate.id)
    assert (rate.percentage, rate.country, rate.tax_type, rate.inclusive) == (19.0, "DE", "vat", False)
    assert [each.id for each in driver.stripe.v1.tax_rates.list().data] == [rate.id]


@pytest.mark.parametrize(
    ("country", "tax_id", "kind", "tax"),
    [
        ("DE", "DE123456789", "eu_vat", 0),
        ("FR", "FR 12.345.678.901", "eu_vat", 0),
        ("GR", "EL123456789", "eu_vat", 0),
        ("DE", "FR12345678901", "eu_vat", 1900),
        ("GB", "GB123456789", "gb_vat", 2000),
        ("US", "12-3456789", "us_ein", 0),
    ],
)
def test_a_vat_number_of_the_buyers_country_reverses_the_charge(
    driver: Driver, country: str, tax_id: str, kind: str, tax: int
) -> None:
    session = _bought(driver, driver.price(10_000), {"country": country, "tax_id": tax_id})

    assert _sums(session)[1] == tax
    assert session.customer_details is not None
    assert session.customer_details.tax_ids is not None
    shown = [(each.type, each.value) for each in session.customer_details.tax_ids]
    assert shown == [(kind, tax_id.replace(" ", "").replace(".", ""))]


def test_a_seller_in_the_buyers_country_takes_the_tax_all_the_same(driver: Driver) -> None:
    driver.stripe.v1.tax.settings.update({"head_office": {"address": {"country": "DE", "city": "Berlin"}}})

    session = _bought(driver, driver.price(10_000), {"country": "DE", "tax_id": "DE123456789"})

    assert _sums(session)[1] == 1900


def test_what_an_inclusive_price_costs_never_changes(driver: Driver) -> None:
    price = driver.price(10_000, "eur", tax_behavior="inclusive")

    session = _bought(driver, price, {"country": "FR", "tax_id": "FR12345678901"})

    assert _sums(session) == (10_000, 0, 10_000)
    assert session.line_items is not None
    assert [each.taxability_reason for each in session.line_items.data[0].taxes or []] == ["reverse_charge"]


def test_without_automatic_tax_nothing_changes(driver: Driver) -> None:
    session = driver.session()

    driver.pay(session.id, country="DE", postal_code="10115", tax_id="DE123456789")

    done = driver.stripe.v1.checkout.sessions.retrieve(session.id)
    assert done.total_details is not None
    assert done.customer_details is not None
    assert (done.amount_total, done.total_details.amount_tax, done.customer_details.tax_ids) == (9700, 0, [])
    assert done.automatic_tax.status is None


def test_a_customers_address_stands_in_for_one_that_was_not_typed(driver: Driver) -> None:
    customer = driver.stripe.v1.customers.create({"email": "maya@example.org", "address": {"country": "FR"}})

    session = _bought(driver, driver.price(10_000), {}, customer=customer.id)

    assert _sums(session)[1] == 2000


def test_a_second_try_from_another_country_pays_that_countrys_tax(driver: Driver) -> None:
    session = driver.session(driver.price(10_000), **TAX)

    status, _ = driver.control(f"/pay/{session.id}", {"card": "4000000000000002", "country": "DE"})
    between = driver.stripe.v1.checkout.sessions.retrieve(session.id).amount_total
    intent = driver.stripe.v1.payment_intents.retrieve(driver.pay(session.id, country="FR")["payment_intent"])

    assert (status, between, intent.amount, intent.amount_received) == (402, 11_900, 12_000, 12_000)


def test_3d_secure_keeps_the_tax(driver: Driver) -> None:
    session = driver.session(driver.price(10_000), **TAX)

    paid = driver.pay(session.id, card="4000002760003184", three_d_secure="complete", country="DE")

    assert driver.stripe.v1.payment_intents.retrieve(paid["payment_intent"]).amount_received == 11_900


def test_a_free_order_has_no_tax(driver: Driver) -> None:
    coupon = driver.stripe.v1.coupons.create({"percent_off": 100}).id
    session = driver.session(discounts=[{"coupon": coupon}], **TAX)

    driver.pay(session.id, country="DE")

    done = driver.stripe.v1.checkout.sessions.retrieve(session.id)
    assert (done.payment_status, done.amount_total) == ("no_payment_required", 0)


@pytest.mark.parametrize(
    "place", [{"country": "Germany"}, {"country": "de"}, {"country": 49}, {"address": {"country": "de"}}]
)
def test_a_country_is_a_code(driver: Driver, place: dict[str, Any]) -> None:
    session = driver.session(**TAX)

    assert driver.control(f"/pay/{session.id}", place)[0] == 400

    assert driver.stripe.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_tax_settings_are_shown_and_changed(driver: Driver) -> None:
    before = driver.stripe.v1.tax.settings.retrieve()

    changed = driver.stripe.v1.tax.settings.update({"defaults": {"tax_behavior": "inclusive"}})

    assert (before.status, before.defaults.tax_behavior) == ("active", "inferred_by_currency")
    assert (changed.status, changed.defaults.tax_behavior) == ("active", "inclusive")
    assert driver.stripe.v1.tax.settings.retrieve().defaults.tax_behavior == "inclusive"
    assert len(driver.stripe.v1.events.list({"type": "tax.settings.updated"}).data) == 1
    driver.control("/reset")
    assert driver.stripe.v1.tax.settings.retrieve().defaults.tax_behavior == "inferred_by_currency"


def test_an_account_without_a_head_office_computes_no_tax(driver: Driver) -> None:
    price = driver.price()
    driver.control("/levers", {"kind": "api_tax_pending"})

    settings = driver.stripe.v1.tax.settings.retrieve()
    with pytest.raises(stripe.InvalidRequestError) as refused:
        driver.session(price, **TAX)

    assert (settings.status, settings.head_office) == ("pending", None)
    assert settings.status_details.pending is not None
    assert settings.status_details.pending.missing_fields == ["head_office"]
    assert refused.value.param == "automatic_tax"
    assert driver.session(price).status == "open"


def test_halves_round_up_and_more_never_gives_less() -> None:
    rate = Rate(19_000, "vat", "DE")

    assert [tax_amount(amount, rate, inclusive=False) for amount in (0, 50, 2, 3)] == [0, 10, 0, 1]
    assert [tax_amount(amount, rate, inclusive=True) for amount in (0, 119, 118)] == [0, 19, 19]
    for inclusive in (False, True):
        taxes = [tax_amount(amount, rate, inclusive=inclusive) for amount in range(2_000)]
        assert taxes == sorted(taxes)


def test_the_page_shows_the_total_with_tax_before_it_charges(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session(driver.price(10_000), **TAX)
    path = f"/c/pay/{session.id}"

    first = browser.get(path)
    quoted = re.search(r'name="quoted" value="(\d+)"', first.text)
    assert quoted is not None
    asked = browser.post(path, data=FORM | {"country": "DE", "quoted": quoted.group(1)})
    unpaid = driver.stripe.v1.payment_intents.list().data
    paid = browser.post(path, data=FORM | {"country": "DE", "quoted": "11900"})

    assert "Depends on your country" in first.text
    assert (asked.status_code, "The total is $119.00 now." in asked.text, "$19.00" in asked.text) == (200, True, True)
    assert unpaid == []
    assert (paid.status_code, driver.stripe.v1.payment_intents.list().data[0].amount_received) == (303, 11_900)


def test_the_total_can_be_asked_for_without_paying(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session(driver.price(10_000, "eur"), **TAX)
    path = f"/c/pay/{session.id}"

    nowhere = browser.post(path, data={"fill": "total"})
    shown = browser.post(path, data={"fill": "total", "country": "DE", "email": "maya@example.org"})
    reversed_charge = browser.post(path, data={"fill": "total", "country": "FR", "tax_id": "FR12345678901"})

    assert (nowhere.status_code, "Choose your country" in nowhere.text) == (422, True)
    assert "€15.97 included" in shown.text
    assert 'value="maya@example.org"' in shown.text
    assert "€0.00" in reversed_charge.text
    assert driver.stripe.v1.payment_intents.list().data == []


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"country": ""}, "Choose your country"),
        ({"country": "XX"}, "Choose your country"),
        ({"country": "US"}, "Enter the postal code"),
        ({"country": "DE", "tax_id": "DE1"}, "Enter the tax ID"),
        ({"country": "DE", "tax_id": "none!"}, "Enter the tax ID"),
    ],
)
def test_what_tax_needs_is_asked_for(driver: Driver, browser: FlaskClient, typed: dict[str, str], words: str) -> None:
    session = driver.session(**TAX)

    page = browser.post(f"/c/pay/{session.id}", data=FORM | typed)

    assert (page.status_code, words in page.text) == (422, True)
    assert driver.stripe.v1.payment_intents.list().data == []


def test_a_required_tax_id_is_asked_for(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session(tax_id_collection={"enabled": True, "required": "if_supported"})

    page = browser.post(f"/c/pay/{session.id}", data=FORM)

    assert (page.status_code, "Enter the tax ID" in page.text) == (422, True)


def test_a_closed_session_shows_no_new_total(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session(**TAX)
    driver.stripe.v1.checkout.sessions.expire(session.id)

    page = browser.post(f"/c/pay/{session.id}", data={"fill": "total", "country": "DE"})

    assert page.status_code == 410
    assert driver.stripe.v1.checkout.sessions.retrieve(session.id).amount_total == 9700
