"""The dashboard: everything a person can do there, by forms."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tests.sandbox.conftest import Driver


@pytest.fixture
def browser(driver: Driver) -> Iterator[FlaskClient]:
    with driver.server.flask.test_client() as client:
        yield client


def _do(browser: FlaskClient, action: str, **fields: str) -> str:
    answer = browser.post(f"/_sandbox/do/{action}", data=fields, follow_redirects=True)
    assert answer.status_code == 200
    return answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/_sandbox",
        "/_sandbox/sessions",
        "/_sandbox/events",
        "/_sandbox/levers-page",
        "/_sandbox/balance",
        "/_sandbox/invoices",
    ],
)
def test_every_page_opens_empty_and_full(driver: Driver, browser: FlaskClient, path: str) -> None:
    empty = browser.get(path)
    driver.paid(card="4000000000000259")
    driver.pay(driver.session(invoice_creation={"enabled": True}, automatic_tax={"enabled": True}).id, country="DE")
    driver.session()
    full = browser.get(path)

    assert (empty.status_code, full.status_code) == (200, 200)
    assert "default-src 'self'" in full.headers["Content-Security-Policy"]


def test_a_person_refunds_part_of_a_payment(driver: Driver, browser: FlaskClient) -> None:
    intent = driver.paid()

    page = _do(browser, "refund", id=intent.id, amount="12.50", currency="usd")

    assert "Refunded $12.50" in page
    assert "Part-refunded" in page
    assert driver.stripe.v1.refunds.list().data[0].amount == 1250


@pytest.mark.parametrize("amount", ["12.505", "-1", "much", "1e3", "٣"])
def test_a_mistyped_amount_refunds_nothing(driver: Driver, browser: FlaskClient, amount: str) -> None:
    intent = driver.paid()

    page = _do(browser, "refund", id=intent.id, amount=amount, currency="usd")

    assert 'class="notice bad"' in page
    assert driver.stripe.v1.refunds.list().data == []


def test_a_person_opens_and_closes_a_dispute(driver: Driver, browser: FlaskClient) -> None:
    intent = driver.paid()

    assert "The bank disputes $97.00." in _do(browser, "dispute", id=intent.id, reason="general")
    dispute = driver.stripe.v1.disputes.list().data[0]
    assert "The dispute is closed: won." in _do(browser, "close-dispute", id=dispute.id, outcome="won")

    assert driver.stripe.v1.disputes.retrieve(dispute.id).status == "won"


def test_a_person_escalates_an_inquiry(driver: Driver, browser: FlaskClient) -> None:
    intent = driver.paid()
    _do(browser, "dispute", id=intent.id, reason="inquiry")
    dispute = driver.stripe.v1.disputes.list().data[0]

    _do(browser, "close-dispute", id=dispute.id, outcome="escalated")

    assert driver.stripe.v1.disputes.retrieve(dispute.id).status == "needs_response"


def test_a_person_settles_a_bank_debit(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session()
    intent = driver.pay(session.id, method="bank_debit")["payment_intent"]

    assert "The payment has succeeded." in _do(browser, "settle", id=intent, outcome="succeeded")


def test_a_person_expires_a_session_and_sends_an_event_again(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session()
    _do(browser, "expire", id=session.id, page="sessions")
    event = driver.stripe.v1.events.list({"type": "checkout.session.expired"}).data[0]

    assert "Queued again for 1 endpoint." in _do(browser, "resend", id=event.id, page="events")
    assert "Sent " in _do(browser, "deliver", page="events")

    assert event.id in browser.get(f"/_sandbox/events/{event.id}").text


def test_a_person_pulls_and_removes_a_lever(driver: Driver, browser: FlaskClient) -> None:
    page = _do(
        browser, "pull", kind="webhook_delay", seconds="45", types="charge.*, refund.*", count="2", page="levers"
    )
    pulled = driver.control("/levers", method="GET")[1]["levers"]

    assert "Pulled: send webhooks later." in page
    assert [(each["seconds"], each["types"], each["count"]) for each in pulled] == [(45.0, ["charge.*", "refund.*"], 2)]
    assert "Removed 1 lever." in _do(browser, "remove", id=str(pulled[0]["id"]), page="levers")


def test_a_lever_form_that_does_not_fit_says_so(driver: Driver, browser: FlaskClient) -> None:
    assert "Enter a number for seconds." in _do(browser, "pull", kind="webhook_delay", seconds="soon", page="levers")
    assert driver.control("/levers", method="GET")[1] == {"levers": []}


def test_forgetting_is_said(driver: Driver, browser: FlaskClient) -> None:
    driver.stripe.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "k"})

    assert "Forgot 1 idempotency keys." in _do(browser, "forget-keys", page="levers")
    assert "Everything is forgotten" in _do(browser, "reset", page="levers")


def test_a_person_moves_the_clock(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session()

    page = _do(browser, "advance-clock", amount="2", unit="days", page="levers")

    assert "The clock moved forward, for good; 1 thing fell due." in page
    assert "2 d ahead of this computer" in page
    assert driver.stripe.v1.checkout.sessions.retrieve(session.id).status == "expired"


@pytest.mark.parametrize(("amount", "unit"), [("soon", "days"), ("1", "moons"), ("-1", "days"), ("9999", "days")])
def test_a_mistyped_time_moves_nothing(driver: Driver, browser: FlaskClient, amount: str, unit: str) -> None:
    page = _do(browser, "advance-clock", amount=amount, unit=unit, page="levers")

    assert 'class="notice bad"' in page
    assert driver.control("/clock", method="GET")[1]["ahead_seconds"] == 0


def test_a_person_empties_the_events(driver: Driver, browser: FlaskClient) -> None:
    driver.stripe.v1.customers.create({"email": "a@example.org"})

    assert "The API has forgotten 1 event." in _do(browser, "forget-events", page="levers")

    assert driver.stripe.v1.events.list().data == []


def test_tax_invoice_and_fee_are_shown(driver: Driver, browser: FlaskClient) -> None:
    session = driver.session(driver.price(10_000), automatic_tax={"enabled": True}, invoice_creation={"enabled": True})
    driver.pay(session.id, country="DE", email="maya@example.org")
    invoice = driver.stripe.v1.invoices.list().data[0]

    payments, balance, invoices = (browser.get(path).text for path in ("/", "/_sandbox/balance", "/_sandbox/invoices"))

    assert "$19.00 tax" in payments
    assert "$119.00" in balance
    assert "$3.75" in balance
    assert "$115.25" in balance
    for words in (str(invoice.number), "maya@example.org", "$119.00", "$19.00 tax"):
        assert words in invoices
    assert str(invoice.hosted_invoice_url).removeprefix(driver.server.url) in invoices


def test_a_person_prevents_a_dispute(driver: Driver, browser: FlaskClient) -> None:
    intent = driver.paid()
    _do(browser, "dispute", id=intent.id, reason="inquiry")
    dispute = driver.stripe.v1.disputes.list().data[0]

    assert "The dispute is closed: prevented." in _do(browser, "close-dispute", id=dispute.id, outcome="prevented")


def test_unknown_things_are_404(browser: FlaskClient) -> None:
    assert browser.post("/_sandbox/do/unicorn").status_code == 404
    assert browser.get("/_sandbox/events/evt_none").status_code == 404


def test_older_payments_are_one_click_away(driver: Driver, browser: FlaskClient) -> None:
    price = driver.price()
    for _ in range(51):
        driver.session(price)

    newest = browser.get("/_sandbox/sessions").text
    older = browser.get(
        f"/_sandbox/sessions?after={driver.stripe.v1.checkout.sessions.list({'limit': 50}).data[-1].id}"
    )

    assert newest.count("cs_test_") >= 50
    assert "Show older" in newest
    assert "Show older" not in older.text
