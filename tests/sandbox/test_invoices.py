"""Invoices that paid sessions leave behind, and customers made along the way."""

from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import stripe

from tests.sandbox.conftest import Driver

INVOICE: Any = {
    "invoice_creation": {
        "enabled": True,
        "invoice_data": {
            "description": "Course (online)",
            "footer": "Thank you",
            "metadata": {"order": "7"},
            "custom_fields": [{"name": "Order", "value": "7"}],
        },
    }
}


def _invoice(driver: Driver, session_id: str) -> stripe.Invoice:
    session = driver.stripe.v1.checkout.sessions.retrieve(session_id, {"expand": ["invoice"]})
    assert isinstance(session.invoice, stripe.Invoice)
    return session.invoice


def test_a_paid_session_leaves_a_paid_invoice(driver: Driver) -> None:
    session = driver.session(**INVOICE)

    intent = driver.pay(session.id, email="maya@example.org", name="Maya")["payment_intent"]

    invoice = _invoice(driver, session.id)
    assert (invoice.status, invoice.total, invoice.amount_paid, invoice.amount_remaining) == ("paid", 9700, 9700, 0)
    assert (invoice.customer_email, invoice.customer_name) == ("maya@example.org", "Maya")
    assert invoice.description == "Course (online)"
    assert invoice.to_dict()["metadata"] == {"order": "7"}
    assert invoice.status_transitions.paid_at is not None
    lines = driver.stripe.v1.invoices.line_items.list(invoice.id).data
    assert [(line.amount, line.quantity, line.description) for line in lines] == [
        (9700, 1, "AI Lead Engine Accelerator")
    ]
    (payment,) = driver.stripe.v1.invoice_payments.list({"invoice": invoice.id}).data
    assert (payment.amount_paid, payment.payment.payment_intent) == (9700, intent)


def test_its_events_come_before_the_session_is_told_complete(driver: Driver) -> None:
    session = driver.session(**INVOICE)

    driver.pay(session.id)

    types = [event.type for event in driver.stripe.v1.events.list({"limit": 100}).data][::-1]
    told = [each for each in types if each.startswith(("invoice", "checkout"))]
    assert told == [
        "invoice.created",
        "invoice.finalized",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
        "checkout.session.completed",
    ]
    events = driver.stripe.v1.events
    statuses = [events.list({"type": each}).data[0].data.object["status"] for each in told[:3]]
    assert statuses == ["draft", "open", "paid"]
    completed = events.list({"type": "checkout.session.completed"}).data[0]
    assert completed.data.object["invoice"] == _invoice(driver, session.id).id


def test_numbers_count_up_for_each_customer(driver: Driver) -> None:
    customer = driver.stripe.v1.customers.create({"email": "maya@example.org"})
    other = driver.session(**INVOICE)
    own = [driver.session(customer=customer.id, **INVOICE) for _ in range(2)]

    for session in (own[0], other, own[1]):
        driver.pay(session.id)

    numbers = [_invoice(driver, session.id).number for session in own]
    assert numbers == [f"{customer.invoice_prefix}-0001", f"{customer.invoice_prefix}-0002"]
    assert [each.number for each in driver.stripe.v1.invoices.list({"customer": customer.id}).data] == numbers[::-1]


def test_discount_and_tax_stand_on_the_invoice(driver: Driver) -> None:
    coupon = driver.stripe.v1.coupons.create({"percent_off": 10}).id
    session = driver.session(
        driver.price(10_000), discounts=[{"coupon": coupon}], automatic_tax={"enabled": True}, **INVOICE
    )

    driver.pay(session.id, country="DE")

    invoice = _invoice(driver, session.id)
    assert (invoice.subtotal, invoice.total_excluding_tax, invoice.total) == (10_000, 9_000, 10_710)
    assert [each.amount for each in invoice.total_discount_amounts or []] == [1_000]
    assert [(each.amount, each.tax_behavior) for each in invoice.total_taxes or []] == [(1_710, "exclusive")]
    assert invoice.automatic_tax.status == "complete"


def test_inclusive_tax_is_taken_out_of_the_subtotal(driver: Driver) -> None:
    session = driver.session(driver.price(11_900, "eur"), automatic_tax={"enabled": True}, **INVOICE)

    driver.pay(session.id, country="DE")

    invoice = _invoice(driver, session.id)
    assert (invoice.subtotal, invoice.subtotal_excluding_tax, invoice.total) == (11_900, 10_000, 11_900)


def test_its_pages_are_there_for_who_has_the_address(driver: Driver) -> None:
    session = driver.session(**INVOICE)
    driver.pay(session.id, name="Zoë (Łódź)")
    invoice = _invoice(driver, session.id)

    with urlopen(str(invoice.hosted_invoice_url)) as page:
        html = page.read().decode()
    with urlopen(str(invoice.invoice_pdf)) as answer:
        kind, pdf = answer.headers["Content-Type"], answer.read()

    assert str(invoice.number) in html
    assert "$97.00" in html
    assert (kind, pdf[:8], pdf[-6:]) == ("application/pdf", b"%PDF-1.4", b"%%EOF\n")
    assert str(invoice.number).encode() in pdf
    assert "Zoë \\(?ód?\\)".encode("cp1252") in pdf
    start = int(pdf.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    assert pdf[start : start + 4] == b"xref"
    for number, entry in enumerate(pdf[start:].split(b"\n")[3:9], start=1):
        offset = int(entry[:10])
        assert pdf[offset:].startswith(b"%d 0 obj" % number)


@pytest.mark.parametrize("path", ["/i/none", "/i/none/pdf"])
def test_nobody_guesses_an_invoice(driver: Driver, path: str) -> None:
    with pytest.raises(HTTPError) as missing:
        urlopen(driver.server.url + path)

    with missing.value:
        assert missing.value.code == 404


def test_a_bank_debit_is_invoiced_when_the_money_comes(driver: Driver) -> None:
    paid, failed = driver.session(**INVOICE), driver.session(**INVOICE)
    driver.pay(paid.id, method="bank_debit")
    driver.pay(failed.id, method="bank_debit_fails")
    before = driver.stripe.v1.invoices.list().data

    driver.control("/tick", {"seconds": 30})

    assert before == []
    assert [each.id for each in driver.stripe.v1.invoices.list().data] == [_invoice(driver, paid.id).id]
    assert driver.stripe.v1.checkout.sessions.retrieve(failed.id).invoice is None


def test_without_the_wish_or_the_money_there_is_no_invoice(driver: Driver) -> None:
    coupon = driver.stripe.v1.coupons.create({"percent_off": 100}).id
    free = driver.session(discounts=[{"coupon": coupon}], **INVOICE)
    plain = driver.session()

    for session in (free, plain):
        driver.pay(session.id)

    assert driver.stripe.v1.invoices.list().data == []


def test_an_invoice_makes_a_customer_of_a_guest(driver: Driver) -> None:
    session = driver.session(**INVOICE)

    intent = driver.pay(session.id, email="maya@example.org", country="DE")["payment_intent"]

    done = driver.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": ["customer"]})
    assert isinstance(done.customer, stripe.Customer)
    assert (done.customer.email, done.customer_creation) == ("maya@example.org", "if_required")
    paid = driver.stripe.v1.payment_intents.retrieve(intent, {"expand": ["latest_charge"]})
    assert paid.customer == done.customer.id == paid.latest_charge.customer  # type: ignore[union-attr]


def test_a_known_customer_is_updated_only_if_asked(driver: Driver) -> None:
    make = driver.stripe.v1.customers.create
    asked, left = make({"email": "a@example.org", "name": "A"}), make({"email": "b@example.org", "name": "B"})
    price = driver.price()
    update = {"address": "auto", "name": "never"}

    for customer, more in ((asked, {"customer_update": update}), (left, {})):
        session = driver.session(price, customer=customer.id, **more)
        driver.pay(session.id, name="Somebody Else", country="FR", postal_code="75001")

    after = [driver.stripe.v1.customers.retrieve(each.id) for each in (asked, left)]
    assert [each.name for each in after] == ["A", "B"]
    assert after[0].address is not None
    assert (after[0].address.country, after[1].address) == ("FR", None)
    assert len(driver.stripe.v1.customers.list({"email": "a@example.org"}).data) == 1


def test_the_buyers_email_is_the_customers(driver: Driver) -> None:
    customer = driver.stripe.v1.customers.create({"email": "maya@example.org"})
    session = driver.session(customer=customer.id)

    driver.pay(session.id, email="other@example.org")

    done = driver.stripe.v1.checkout.sessions.retrieve(session.id)
    assert done.customer_details is not None
    assert (done.customer, done.customer_details.email) == (customer.id, "maya@example.org")
