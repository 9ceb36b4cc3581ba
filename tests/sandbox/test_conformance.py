"""Every kind of object, event and list, held to Stripe's published contract at once."""

import json
from types import ModuleType
from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import CONTRACT_FILE, Driver, MakeDriver

# Each operation and event type that the run below must have shown; a shorter list would prove less than it says.
EVENTS = {
    "charge.dispute.closed", "charge.dispute.created", "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn", "charge.dispute.updated", "charge.failed", "charge.pending",
    "charge.refund.updated", "charge.refunded", "charge.succeeded", "charge.updated",
    "checkout.session.async_payment_failed", "checkout.session.async_payment_succeeded", "checkout.session.completed",
    "checkout.session.expired", "coupon.created", "coupon.updated", "customer.created", "customer.updated", "payment_intent.canceled",
    "payment_intent.created", "payment_intent.payment_failed", "payment_intent.processing",
    "payment_intent.requires_action", "payment_intent.succeeded", "price.created", "price.updated", "product.created",
    "product.updated", "promotion_code.created", "promotion_code.updated", "invoice.created", "invoice.finalized",
    "invoice.paid", "invoice.payment_succeeded", "invoice_payment.paid", "radar.early_fraud_warning.created",
    "radar.early_fraud_warning.updated", "tax.settings.updated", "refund.created", "refund.failed", "refund.updated",
}  # fmt: skip


def test_everything_said_fits_stripes_contract(
    make_driver: MakeDriver, conformance: ModuleType | None, contract: Any
) -> None:
    if conformance is None:
        pytest.skip(
            f"STRIPE'S CONTRACT IS NOT HERE ({CONTRACT_FILE.name}): no answer of the sandbox was checked against it"
        )
    driver = make_driver()

    price, intent = _sell_with_everything(driver)
    _give_money_back(driver, price, intent)
    _list_everything(driver)

    traffic = driver.server.config.traffic
    assert traffic is not None
    lines = [json.loads(line) for line in traffic.read_text(encoding="utf-8").splitlines()]
    violations = [found for line in lines for found in contract.check_exchange(line)[0]]
    assert violations == []
    assert {line["event"]["type"] for line in lines if "event" in line} >= EVENTS


def _sell_with_everything(driver: Driver) -> tuple[str, str]:
    """Gives the price and the payment intent of a session that uses every parameter."""
    api = driver.stripe.v1
    price = driver.price(9700, lookup_key="course")
    api.prices.update(price, {"nickname": "Launch", "metadata": {"a": "b"}})
    product = str(api.prices.retrieve(price).product)
    api.products.update(product, {"description": "Learn", "images": ["https://example.org/a.png"]})
    customer = api.customers.create({"email": "maya@example.org", "name": "Maya", "address": {"country": "DE"}})
    api.customers.update(customer.id, {"phone": "+491234567"})
    api.tax.settings.update(
        {"defaults": {"tax_behavior": "exclusive"}, "head_office": {"address": {"country": "FR", "city": "Paris"}}}
    )
    coupon = api.coupons.create({"percent_off": 12.5, "name": "Spring", "applies_to": {"products": [product]}})
    session = driver.session(
        price,
        customer=customer.id,
        discounts=[{"coupon": coupon.id}],
        automatic_tax={"enabled": True},
        tax_id_collection={"enabled": True, "required": "if_supported"},
        billing_address_collection="auto",
        invoice_creation={"enabled": True, "invoice_data": {"description": "Course", "metadata": {"order": "1"}}},
        customer_update={"address": "auto", "name": "auto"},
        consent_collection={"terms_of_service": "required", "promotions": "auto"},
        custom_text={"submit": {"message": "Thank you"}},
        phone_number_collection={"enabled": True},
        name_collection={"business": {"enabled": True}},
        locale="hi-IN",
        submit_type="pay",
        adaptive_pricing={"enabled": False},
        metadata={"order": "1"},
        payment_intent_data={"metadata": {"order": "1"}, "description": "Order 1"},
        expand=["line_items", "customer", "total_details.breakdown", "discounts.coupon"],
    )
    api.checkout.sessions.update(session.id, {"metadata": {"order": "2"}})
    driver.control(f"/pay/{session.id}", {"card": "4000000000000002"})
    intent = driver.pay(session.id, promotions=True, tax_id="DE123456789", country="DE")["payment_intent"]
    api.payment_intents.update(intent, {"metadata": {"x": "y"}})
    _sell_by_promotion(driver, price, coupon.id)
    _read_invoice(driver, session.id)
    return price, intent


def _sell_by_promotion(driver: Driver, price: str, coupon: str) -> None:
    api = driver.stripe.v1
    api.coupons.update(coupon, {"name": "Spring sale"})
    promotion = api.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon}, "code": "SPRING"})
    promoted = driver.session(
        price,
        discounts=[{"promotion_code": promotion.id}],
        automatic_tax={"enabled": True},
        invoice_creation={"enabled": True},
        expand=["discounts.promotion_code", "line_items.data.taxes", "total_details.breakdown"],
    )
    driver.pay(promoted.id, country="US", postal_code="10001")
    api.promotion_codes.update(promotion.id, {"active": False})


def _read_invoice(driver: Driver, session: str) -> None:
    api = driver.stripe.v1
    paid = api.checkout.sessions.retrieve(
        session, {"expand": ["invoice", "line_items.data.taxes", "total_details.breakdown", "customer"]}
    )
    assert isinstance(paid.invoice, stripe.Invoice)
    api.invoices.retrieve(
        paid.invoice.id, {"expand": ["customer", "payments", "total_taxes.tax_rate_details.tax_rate"]}
    )
    api.invoices.line_items.list(paid.invoice.id)


def _give_money_back(driver: Driver, price: str, intent: str) -> None:
    api = driver.stripe.v1
    api.refunds.create({"payment_intent": driver.paid(card="4000000000005423").id})
    deep = ["latest_charge.balance_transaction", "payment_method", "customer", "latest_charge.refunds"]
    charge = api.payment_intents.retrieve(intent, {"expand": deep}).latest_charge
    api.charges.update(charge.id, {"description": "seen"})  # type: ignore[union-attr]
    refund = api.refunds.create(
        {"payment_intent": intent, "amount": 100, "reason": "requested_by_customer", "expand": ["charge"]}
    )
    api.refunds.update(refund.id, {"metadata": {"why": "kind"}})
    for card in ("4000000000007726", "4000000000005126"):
        api.refunds.create({"payment_intent": driver.paid(card=card).id})
    for card, outcome in (
        ("4000000000000259", "won"),
        ("4000000000002685", "lost"),
        ("4000000000001976", "warning_closed"),
    ):
        dispute = api.disputes.list({"payment_intent": driver.paid(card=card).id}).data[0]
        api.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "Sold"}, "metadata": {"a": "b"}})
        driver.control(f"/disputes/{dispute.id}/close", {"outcome": outcome})
    for method in ("bank_debit", "bank_debit_fails"):
        for currency in ("usd", "eur", "gbp", "cad", "aud", "kwd"):
            driver.pay(driver.session(driver.price(5000, currency)).id, method=method)
    challenged = driver.session(price)
    driver.pay(challenged.id, card="4000002760003184")
    api.checkout.sessions.expire(challenged.id)
    secured = driver.session(price, customer_creation="always")
    driver.pay(secured.id, card="4000002760003184", three_d_secure="complete")
    driver.control("/tick", {"seconds": 30})


def _list_everything(driver: Driver) -> None:
    api = driver.stripe.v1
    endpoint = api.webhook_endpoints.create({"url": "https://example.org/hook", "enabled_events": ["charge.failed"]})
    api.webhook_endpoints.update(endpoint.id, {"description": "other"})
    api.webhook_endpoints.delete(endpoint.id)
    driver.api("GET", "/v1/account")
    api.balance.retrieve()
    api.tax.settings.retrieve()
    for listed in (
        api.products, api.prices, api.customers, api.coupons, api.payment_intents, api.charges, api.refunds,
        api.disputes, api.balance_transactions, api.events, api.webhook_endpoints, api.checkout.sessions, api.invoices,
        api.invoice_payments, api.promotion_codes, api.tax_rates, api.radar.early_fraud_warnings,
    ):  # fmt: skip
        found = listed.list({"limit": 100}).data  # type: ignore[attr-defined]
        listed.retrieve(found[0].id)  # type: ignore[attr-defined]
    api.balance_transactions.list({"expand": ["data.source"]})
    api.charges.list({"expand": ["data.payment_intent", "data.refunds"]})


def test_a_broken_answer_would_be_found(conformance: ModuleType | None, contract: Any) -> None:
    if conformance is None:
        pytest.skip("Stripe's contract is not here")

    found = contract.check_response("GET", "/v1/prices/price_1", 200, {"id": "price_1", "object": "price"})

    assert found != []
