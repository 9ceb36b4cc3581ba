"""The hosted page, as a browser without JavaScript meets it."""

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tests.sandbox.conftest import Driver, Listener

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


def test_the_page_shows_what_is_bought(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session()

    page = browser.get(f"/c/pay/{session.id}")

    assert page.status_code == 200
    for words in (
        "AI Lead Engine Accelerator",
        "$97.00",
        "Pay $97.00",
        "Test mode",
        "NextSkill Lab",
        "4242 4242 4242 4242",
    ):
        assert words in page.text
    assert 'href="http://shop.example/cancelled"' in page.text


def test_the_policy_is_strict_and_nothing_is_inline(driver: Driver, browser: FlaskClient) -> None:
    page = browser.get(f"/c/pay/{driver.session().id}")

    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "form-action 'self' http://shop.example" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", page.text)
    assert page.headers["Cache-Control"] == "no-store"


def test_paying_tells_the_shop_and_goes_back_to_it(driver: Driver, browser: FlaskClient, listener: Listener) -> None:
    session = driver.session()

    answer = browser.post(f"/c/pay/{session.id}", data=FORM)

    assert (answer.status_code, answer.location) == (
        303,
        f"http://shop.example/success?session_id={session.id}",
    )
    assert listener.types == ["checkout.session.completed"]
    details = driver.stripe.v1.checkout.sessions.retrieve(session.id).customer_details
    assert details is not None
    assert (details.email, details.name) == ("maya@example.org", "Maya")


def test_a_decline_keeps_everything_typed_but_the_number(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session()

    page = browser.post(f"/c/pay/{session.id}", data=FORM | {"number": "4000000000009995"})

    assert page.status_code == 402
    assert "Your card has insufficient funds." in page.text
    assert "You haven&#39;t been charged" in page.text or "You haven't been charged" in page.text
    for kept in ("maya@example.org", "12 / 40", "Maya"):
        assert f'value="{kept}"' in page.text
    assert "4000000000009995" not in page.text.split('<aside class="cards"')[0]


def test_missing_fields_are_named_and_linked(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session()

    page = browser.post(f"/c/pay/{session.id}", data={"method": "card", "email": "nobody"})

    assert page.status_code == 422
    assert "Fix 5 things to pay" in page.text
    for name in ("email", "number", "expiry", "cvc", "name"):
        assert f'href="#{name}"' in page.text
    assert driver.stripe.v1.payment_intents.list().data == []


def test_a_clicked_test_card_fills_the_form_and_charges_nothing(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session()

    page = browser.post(f"/c/pay/{session.id}", data={"email": "maya@example.org", "fill": "4000002760003184"})

    assert page.status_code == 200
    assert 'value="4000 0027 6000 3184"' in page.text
    assert 'value="maya@example.org"' in page.text
    assert driver.stripe.v1.payment_intents.list().data == []


def test_3d_secure_goes_by_the_banks_page(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session()

    asked = browser.post(f"/c/pay/{session.id}", data=FORM | {"number": "4000002760003184"})
    bank = browser.get(asked.location)
    failed = browser.post(asked.location, data={"verdict": "fail"})
    browser.post(f"/c/pay/{session.id}", data=FORM | {"number": "4000002760003184"})
    paid = browser.post(asked.location, data={"verdict": "complete"})

    assert asked.location == f"/c/pay/{session.id}/authenticate"
    assert "$97.00" in bank.text
    assert (failed.status_code, 'value="Maya"' in failed.text) == (402, True)
    assert (paid.status_code, paid.location.startswith("http://shop.example/success")) == (303, True)
    assert browser.get(asked.location).status_code == 200  # already paid


def test_a_known_email_cannot_be_changed(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session(customer_email="maya@example.org")

    page = browser.get(f"/c/pay/{session.id}")
    browser.post(f"/c/pay/{session.id}", data=FORM | {"email": "other@example.org"})

    assert re.search(r'id="email"[^>]*readonly', page.text)
    details = driver.stripe.v1.checkout.sessions.retrieve(session.id).customer_details
    assert details is not None
    assert details.email == "maya@example.org"


def test_a_paid_page_says_so_and_leads_back(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session()
    driver.pay(session.id)

    for page in (browser.get(f"/c/pay/{session.id}"), browser.post(f"/c/pay/{session.id}", data=FORM)):
        assert "You've paid already" in page.text
        assert f'href="http://shop.example/success?session_id={session.id}"' in page.text
    assert len(driver.stripe.v1.charges.list().data) == 1


def test_an_expired_page_says_so(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session()
    driver.stripe.v1.checkout.sessions.expire(session.id)

    for page in (browser.get(f"/c/pay/{session.id}"), browser.post(f"/c/pay/{session.id}", data=FORM)):
        assert page.status_code == 410
        assert "This checkout page has expired" in page.text
    assert driver.stripe.v1.charges.list().data == []


def test_an_unknown_page_is_a_404(browser: FlaskClient) -> None:
    assert browser.get("/c/pay/cs_test_none").status_code == 404


def test_terms_and_address_are_asked_for_and_kept(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session(
        billing_address_collection="required",
        consent_collection={"terms_of_service": "required", "promotions": "auto"},
        tax_id_collection={"enabled": True},
        automatic_tax={"enabled": True},
    )

    refused = browser.post(f"/c/pay/{session.id}", data=FORM)
    more = {"terms": "yes", "promotions": "yes", "country": "DE", "postal_code": "10115", "tax_id": "DE123456789"}
    browser.post(f"/c/pay/{session.id}", data=FORM | more)

    assert "Fix 3 things to pay" in refused.text
    done = driver.stripe.v1.checkout.sessions.retrieve(session.id)
    assert done.consent is not None
    assert (done.consent.terms_of_service, done.consent.promotions) == ("accepted", "opt_in")
    assert done.customer_details is not None
    assert done.customer_details.tax_ids is not None
    assert done.customer_details.tax_ids[0].value == "DE123456789"


def test_a_bank_debit_needs_no_card(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session()

    answer = browser.post(f"/c/pay/{session.id}", data={"email": "m@example.org", "method": "bank_debit", "name": "M"})

    assert answer.status_code == 303
    assert "Your bank debit is on its way" in browser.get(f"/c/pay/{session.id}").text


def test_an_excluded_method_is_not_offered(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session(excluded_payment_method_types=["us_bank_account"])

    page = browser.get(f"/c/pay/{session.id}")
    refused = browser.post(f"/c/pay/{session.id}", data=FORM | {"method": "bank_debit"})

    assert "Bank debit" not in page.text
    assert refused.status_code == 422


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
def test_another_site_cannot_post_here(driver: Driver, browser: FlaskClient, headers: dict[str, str]) -> None:
    session = driver.session()

    for path in (f"/c/pay/{session.id}", "/_sandbox/do/reset", "/_sandbox/reset"):
        assert browser.post(path, data=FORM, headers=headers).status_code == 403

    assert driver.stripe.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_names_are_shown_as_text(driver: Driver, browser: FlaskClient) -> None:
    data = {"currency": "usd", "unit_amount": 900, "product_data": {"name": "<script>alert(1)</script>"}}
    session = driver.session("none", line_items=[{"price_data": data, "quantity": 1}])

    assert "<script>" not in browser.get(f"/c/pay/{session.id}").text
    assert "<script>" not in browser.get("/_sandbox/sessions").text
