"""Invoices that a Checkout Session leaves behind when it is paid: numbered, paid from the start, with a PDF."""

import secrets

from app.sandbox.documents import Document, new_id
from app.sandbox.errors import no_such
from app.sandbox.events import emit
from app.sandbox.listing import DEFAULT_LIMIT, Filter, list_page, page_of
from app.sandbox.parameters import Range, Text, listing
from app.sandbox.resources.tax_settings import is_inclusive, retrieve_tax_settings
from app.sandbox.store import Transaction

LIST = listing(
    {
        "collection_method": Text(choices=("charge_automatically", "send_invoice")),
        "created": Range(),
        "customer": Text(),
        "status": Text(choices=("draft", "open", "paid", "uncollectible", "void")),
    },
    "customer_account due_date subscription",
)
LIST_PAYMENTS = listing(
    {"created": Range(), "invoice": Text(), "status": Text(choices=("canceled", "open", "paid"))}, "payment"
)
LINES = listing()
_FILTERS = (
    Filter("collection_method", "collection_method"),
    Filter("customer", "customer"),
    Filter("status", "status"),
)
_PAYMENT_FILTERS = (Filter("invoice", "invoice"), Filter("status", "status"))


def make_invoice(transaction: Transaction, session: Document, intent: Document) -> Document:
    """The invoice of a session that was just paid. Needs the session's customer; names itself on the session.

    Told as Stripe tells it: created, finalized, paid. Call once for each session.
    """
    customer = transaction.get("customer", session["customer"])
    private = transaction.private(session["id"])
    identifier, token = new_id("in"), secrets.token_urlsafe(24)
    lines = [_line(transaction, identifier, item) for item in private["line_items"]]
    invoice = _document(transaction, session, customer, identifier, lines)
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
    transaction.save(customer | {"next_invoice_sequence": customer["next_invoice_sequence"] + 1})
    at = transaction.now()
    transaction.insert(invoice, {"token": token, "lines": lines, "session": session["id"]})
    emit(transaction, "invoice.created", invoice)
    base_url = private["base_url"]
    invoice |= {
        "status": "open",
        "number": number,
        "hosted_invoice_url": f"{base_url}/i/{token}",
        "invoice_pdf": f"{base_url}/i/{token}/pdf",
        "effective_at": at,
        "status_transitions": invoice["status_transitions"] | {"finalized_at": at},
    }
    emit(transaction, "invoice.finalized", invoice)
    invoice |= {
        "status": "paid",
        "attempted": True,
        "attempt_count": 1,
        "amount_paid": invoice["total"],
        "amount_remaining": 0,
        "status_transitions": invoice["status_transitions"] | {"paid_at": at},
    }
    transaction.save(invoice)
    payment = transaction.insert(_payment(invoice, intent, at))
    emit(transaction, "invoice.paid", invoice)
    emit(transaction, "invoice.payment_succeeded", invoice)
    emit(transaction, "invoice_payment.paid", payment)
    session["invoice"] = identifier
    return invoice


def _document(
    transaction: Transaction, session: Document, customer: Document, identifier: str, lines: list[Document]
) -> Document:
    details, at, total = session["customer_details"], transaction.now(), session["amount_total"]
    data = session["invoice_creation"]["invoice_data"]
    discounts = transaction.private(session["id"]).get("discount_amounts", [])
    taxes = [tax for line in lines for tax in line["taxes"]]
    automatic_tax = session["automatic_tax"]
    return {
        "id": identifier,
        "object": "invoice",
        "account_country": "US",
        "account_name": "Offline sandbox",
        "account_tax_ids": None,
        "amount_due": total,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_remaining": total,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {
            "disabled_reason": None,
            **{name: automatic_tax[name] for name in ("enabled", "liability", "provider", "status")},
        },
        "automatically_finalizes_at": None,
        "billing_reason": "manual",
        "collection_method": "charge_automatically",
        "created": at,
        "currency": session["currency"],
        "custom_fields": data["custom_fields"],
        "customer": customer["id"],
        "customer_address": details["address"],
        "customer_email": details["email"],
        "customer_name": details["name"],
        "customer_phone": details["phone"],
        "customer_shipping": None,
        "customer_tax_exempt": details["tax_exempt"],
        "customer_tax_ids": details["tax_ids"],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": data["description"],
        "discounts": [each["discount"]["id"] for each in discounts],
        "due_date": None,
        "effective_at": None,
        "ending_balance": 0,
        "footer": data["footer"],
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "lines": _first_lines(identifier, lines),
        "livemode": False,
        "metadata": data["metadata"],
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "parent": None,
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": at,
        "period_start": at,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": 0,
        "statement_descriptor": None,
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "subtotal": session["amount_subtotal"],
        "subtotal_excluding_tax": session["amount_subtotal"] - _inside(taxes),
        "test_clock": None,
        "total": total,
        "total_discount_amounts": [
            {"amount": each["amount"], "discount": each["discount"]["id"]} for each in discounts
        ],
        "total_excluding_tax": total - session["total_details"]["amount_tax"],
        "total_pretax_credit_amounts": [],
        "total_taxes": taxes,
        "webhooks_delivered_at": None,
    }


def _inside(taxes: list[Document]) -> int:
    """The taxes that the prices contain."""
    return sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "inclusive")


def _first_lines(identifier: str, lines: list[Document]) -> Document:
    url = f"/v1/invoices/{identifier}/lines"
    return {"object": "list", "url": url, "has_more": len(lines) > DEFAULT_LIMIT, "data": lines[:DEFAULT_LIMIT]}


def _line(transaction: Transaction, invoice_id: str, item: Document) -> Document:
    price, at = item["price"], transaction.now()
    behavior = "inclusive" if is_inclusive(price, retrieve_tax_settings(transaction, {})) else "exclusive"
    return {
        "id": new_id("il"),
        "object": "line_item",
        "amount": item["amount_subtotal"],
        "currency": item["currency"],
        "description": item["description"],
        "discount_amounts": [
            {"amount": each["amount"], "discount": each["discount"]["id"]} for each in item["_discounts"]
        ],
        "discountable": True,
        "discounts": [],
        "invoice": invoice_id,
        "livemode": False,
        "metadata": item.get("metadata", {}),
        "parent": {
            "type": "invoice_item_details",
            "invoice_item_details": {
                "invoice_item": new_id("ii"),
                "proration": False,
                "proration_details": None,
                "subscription": None,
            },
            "subscription_item_details": None,
        },
        "period": {"start": at, "end": at},
        "pretax_credit_amounts": [],
        "pricing": {
            "type": "price_details",
            "price_details": {"price": price["id"], "product": price["product"]},
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": item["quantity"],
        "quantity_decimal": str(item["quantity"]),
        "subscription": None,
        "subtotal": item["amount_subtotal"],
        "taxes": [
            {
                "amount": tax["amount"],
                "tax_behavior": behavior,
                "tax_rate_details": {"tax_rate": tax["rate"]["id"]},
                "taxability_reason": tax["taxability_reason"],
                "taxable_amount": tax["taxable_amount"],
                "type": "tax_rate_details",
            }
            for tax in item.get("_taxes", [])
        ],
    }


def _payment(invoice: Document, intent: Document, at: int) -> Document:
    return {
        "id": new_id("inpay"),
        "object": "invoice_payment",
        "amount_paid": invoice["total"],
        "amount_requested": invoice["total"],
        "created": at,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": at},
    }


def retrieve_invoice(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("invoice", identifier)
    if found is None:
        raise no_such("invoice", identifier, param="invoice")
    return found


def list_invoices(transaction: Transaction, params: Document) -> Document:
    return list_page(transaction, "invoice", "/v1/invoices", params, _FILTERS)


def list_lines(transaction: Transaction, params: Document, identifier: str) -> Document:
    retrieve_invoice(transaction, params, identifier)
    lines = transaction.private(identifier)["lines"]
    return page_of(lines, f"/v1/invoices/{identifier}/lines", params)


def retrieve_invoice_payment(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("invoice_payment", identifier)
    if found is None:
        raise no_such("invoice payment", identifier, param="invoice_payment")
    return found


def list_invoice_payments(transaction: Transaction, params: Document) -> Document:
    return list_page(transaction, "invoice_payment", "/v1/invoice_payments", params, _PAYMENT_FILTERS)


def find_by_token(transaction: Transaction, token: str) -> Document | None:
    """The invoice that a public address names."""
    row = transaction.row(
        "SELECT id FROM objects WHERE object = 'invoice' AND json_extract(private, '$.token') = ?", token
    )
    return None if row is None else transaction.get("invoice", row["id"])
