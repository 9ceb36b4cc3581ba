"""Payment methods: what a buyer pays with, as the method itself and as a charge tells of it."""

from app.sandbox.cards import TestCard
from app.sandbox.documents import Document, new_id
from app.sandbox.errors import no_such
from app.sandbox.store import Transaction


def retrieve_method(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("payment_method", identifier)
    if found is None:
        raise no_such("PaymentMethod", identifier, param="payment_method")
    return found


def billing_details(details: Document) -> Document:
    """Who pays, from the customer details that the hosted page collected."""
    address = details.get("address") or dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {
        "address": address,
        "email": details.get("email"),
        "name": details.get("name"),
        "phone": details.get("phone"),
        "tax_id": None,
    }


def make_method(transaction: Transaction, details: Document, method: Document) -> Document:
    """A payment method from {"type", "<type>": {…}} and the customer details, unattached."""
    return transaction.insert(
        {
            "id": new_id("pm"),
            "object": "payment_method",
            "allow_redisplay": "limited",
            "billing_details": billing_details(details),
            "created": transaction.now(),
            "customer": None,
            "livemode": False,
            "metadata": {},
            **method,
        }
    )


def card_method(card: TestCard, month: int, year: int) -> Document:
    """The part of a payment method that describes a card."""
    return {
        "type": "card",
        "card": {
            "brand": card.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
            "country": "US",
            "display_brand": card.brand,
            "exp_month": month,
            "exp_year": year,
            "fingerprint": f"Sandbox{card.number[-9:]}",
            "funding": "credit",
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
    }


def card_details(method: Document, *, authenticated: bool) -> Document:
    """The part of a charge that describes how its card was used."""
    card = method["card"]
    secure = {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": new_id("x")[2:],
        "version": "2.2.0",
    }
    return {
        "type": "card",
        "card": {
            "amount_authorized": None,
            "authorization_code": None,
            "brand": card["brand"],
            "checks": card["checks"],
            "country": card["country"],
            "exp_month": card["exp_month"],
            "exp_year": card["exp_year"],
            "extended_authorization": {"status": "disabled"},
            "fingerprint": card["fingerprint"],
            "funding": card["funding"],
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "last4": card["last4"],
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": card["brand"],
            "network_token": {"used": False},
            "network_transaction_id": None,
            "overcapture": {"maximum_amount_capturable": 0, "status": "unavailable"},
            "regulated_status": "unregulated",
            "three_d_secure": secure if authenticated else None,
            "wallet": None,
        },
    }


def debit_method(kind: str) -> Document:
    """The part of a payment method that describes a bank account."""
    if kind == "us_bank_account":
        account = {
            "account_holder_type": "individual",
            "account_type": "checking",
            "bank_name": "STRIPE TEST BANK",
            "fingerprint": "SandboxBankAccount",
            "last4": "6789",
            "networks": {"preferred": "ach", "supported": ["ach"]},
            "routing_number": "110000000",
            "status_details": {},
        }
    else:
        account = {"fingerprint": "SandboxBankAccount", "last4": "3201"}
    return {"type": kind, kind: account}


def debit_details(method: Document) -> Document:
    """The part of a charge that describes its bank account."""
    kind = method["type"]
    account = method[kind]
    kept = {name: value for name, value in account.items() if name not in ("networks", "status_details")}
    return {"type": kind, kind: kept}
