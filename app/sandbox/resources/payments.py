"""Payment intents and charges: their documents, and the steps a payment can take.

Which step follows which is decided by app.sandbox.checkout; here each step changes the objects and tells the events.
"""

from app.sandbox.cards import Decline
from app.sandbox.documents import Document, new_id
from app.sandbox.errors import no_such
from app.sandbox.events import changed, emit
from app.sandbox.listing import Filter, list_page
from app.sandbox.parameters import Email, Metadata, Range, Text, listing, merge_metadata, operation
from app.sandbox.resources.balance import charge_fee, move_money
from app.sandbox.store import Transaction

UPDATE_INTENT = operation(
    {"metadata": Metadata(), "description": Text(1000), "receipt_email": Email()},
    elsewhere="allowed_payment_method_types amount amount_details application_fee_amount capture_method currency "
    "customer customer_account excluded_payment_method_types hooks payment_details payment_method "
    "payment_method_configuration payment_method_data payment_method_options setup_future_usage shipping "
    "statement_descriptor statement_descriptor_suffix transfer_data transfer_group",
)
LIST_INTENTS = listing({"created": Range(), "customer": Text()}, "customer_account")
UPDATE_CHARGE = operation(
    {"metadata": Metadata(), "description": Text(40_000), "receipt_email": Email()},
    elsewhere="customer fraud_details shipping transfer_group",
)
LIST_CHARGES = listing(
    {"created": Range(), "customer": Text(), "payment_intent": Text(), "transfer_group": Text()},
)
_CHARGE_FILTERS = (
    Filter("customer", "customer"),
    Filter("payment_intent", "payment_intent"),
    Filter("transfer_group", "transfer_group"),
)


def retrieve_intent(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("payment_intent", identifier)
    if found is None:
        raise no_such("payment_intent", identifier, param="intent")
    return found


def list_intents(transaction: Transaction, params: Document) -> Document:
    filters = (Filter("customer", "customer"),)
    return list_page(transaction, "payment_intent", "/v1/payment_intents", params, filters)


def update_intent(transaction: Transaction, params: Document, identifier: str) -> Document:
    return _update(transaction, retrieve_intent(transaction, params, identifier), params)


def retrieve_charge(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("charge", identifier)
    if found is None:
        raise no_such("charge", identifier, param="charge")
    return found


def list_charges(transaction: Transaction, params: Document) -> Document:
    return list_page(transaction, "charge", "/v1/charges", params, _CHARGE_FILTERS)


def update_charge(transaction: Transaction, params: Document, identifier: str) -> Document:
    before = retrieve_charge(transaction, params, identifier)
    after = _update(transaction, dict(before), params)
    if changed(before, after):
        emit(transaction, "charge.updated", after, changed(before, after))
    return after


def _update(transaction: Transaction, document: Document, params: Document) -> Document:
    if "metadata" in params:
        document["metadata"] = merge_metadata(document["metadata"], params["metadata"])
    document |= {name: params[name] for name in ("description", "receipt_email") if name in params}
    return transaction.save(document)


def open_intent(transaction: Transaction, session: Document) -> Document:
    """The session's payment intent, made at the first try to pay, as Stripe does since 2022-08-01."""
    if session["payment_intent"]:
        intent = transaction.get("payment_intent", session["payment_intent"])
        if intent["amount"] != session["amount_total"]:  # another address, another tax
            intent["amount"] = session["amount_total"]
            transaction.save(intent)
        return intent
    data = transaction.private(session["id"])["payment_intent_data"]
    identifier = new_id("pi")
    intent = transaction.insert(
        {
            "id": identifier,
            "object": "payment_intent",
            "amount": session["amount_total"],
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": 0,
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": None,
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": data.get("capture_method", "automatic_async"),
            "client_secret": f"{identifier}_{new_id('secret')}",
            "confirmation_method": "automatic",
            "created": transaction.now(),
            "currency": session["currency"],
            "customer": session["customer"],
            "description": data.get("description"),
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": False,
            "metadata": data.get("metadata", {}),
            "next_action": None,
            "on_behalf_of": None,
            "payment_method": None,
            "payment_method_configuration_details": None,
            "payment_method_options": {},
            "payment_method_types": session["payment_method_types"],
            "processing": None,
            "receipt_email": data.get("receipt_email"),
            "review": None,
            "setup_future_usage": data.get("setup_future_usage"),
            "shipping": None,
            "statement_descriptor": data.get("statement_descriptor"),
            "statement_descriptor_suffix": data.get("statement_descriptor_suffix"),
            "status": "requires_payment_method",
            "transfer_data": None,
            "transfer_group": data.get("transfer_group"),
        },
        {"session": session["id"]},
    )
    transaction.save(session | {"payment_intent": identifier})
    session["payment_intent"] = identifier
    emit(transaction, "payment_intent.created", intent)
    return intent


def ask_for_authentication(transaction: Transaction, intent: Document, method: Document, url: str) -> None:
    intent |= {
        "status": "requires_action",
        "payment_method": method["id"],
        "last_payment_error": None,
        "next_action": {"type": "redirect_to_url", "redirect_to_url": {"return_url": None, "url": url}},
    }
    transaction.save(intent)
    emit(transaction, "payment_intent.requires_action", intent)


def make_charge(
    transaction: Transaction, intent: Document, method: Document, details: Document, status: str
) -> Document:
    """One try to take money: `succeeded`, `pending` or `failed`. Emits nothing yet."""
    charge = {
        "id": new_id("ch" if method["type"] == "card" else "py"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if status == "succeeded" else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "NEXTSKILL LAB",
        "captured": status == "succeeded",
        "created": transaction.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": _outcome(None),
        "paid": status == "succeeded",
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": details,
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": status,
        "transfer_data": None,
        "transfer_group": intent["transfer_group"],
    }
    transaction.insert(charge)
    intent["latest_charge"] = charge["id"]
    return charge


def _outcome(decline: Decline | None) -> Document:
    if decline is None:
        return {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "risk_score": 20,
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    return {
        "advice_code": "do_not_try_again" if decline.decline_code in ("lost_card", "stolen_card") else None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network",
        "reason": decline.decline_code or decline.code,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }


def book_success(transaction: Transaction, intent: Document, charge: Document) -> None:
    """The money has come: charge and intent succeed, the balance grows by amount less fee."""
    fee = charge_fee(charge["amount"], charge["currency"])
    kind = "charge" if charge["id"].startswith("ch_") else "payment"
    movement = move_money(
        transaction, charge, kind, "charge", amount=charge["amount"], fee=fee, description=charge["description"]
    )
    charge |= {
        "status": "succeeded",
        "paid": True,
        "captured": True,
        "amount_captured": charge["amount"],
        "balance_transaction": movement["id"],
    }
    transaction.save(charge)
    intent |= {
        "status": "succeeded",
        "amount_received": charge["amount"],
        "payment_method": charge["payment_method"],
        "last_payment_error": None,
        "next_action": None,
    }
    transaction.save(intent)
    emit(transaction, "charge.succeeded", charge)
    emit(transaction, "payment_intent.succeeded", intent)


def book_pending(transaction: Transaction, intent: Document, charge: Document) -> None:
    """A delayed method has accepted the order; the money comes or fails later."""
    intent |= {
        "status": "processing",
        "payment_method": charge["payment_method"],
        "last_payment_error": None,
        "next_action": None,
    }
    transaction.save(intent)
    emit(transaction, "charge.pending", charge)
    emit(transaction, "payment_intent.processing", intent)


def book_failure(transaction: Transaction, intent: Document, charge: Document | None, decline: Decline) -> None:
    """The try failed; the intent waits for another payment method. No charge: it failed before the bank was asked."""
    if charge is not None:
        charge |= {
            "status": "failed",
            "paid": False,
            "captured": False,
            "failure_code": decline.code,
            "failure_message": decline.message,
            "outcome": _outcome(decline),
        }
        transaction.save(charge)
        emit(transaction, "charge.failed", charge)
    error: Document = {
        "code": decline.code,
        "doc_url": f"https://stripe.com/docs/error-codes/{decline.code.replace('_', '-')}",
        "message": decline.message,
        "type": "card_error",
    }
    if charge is not None:
        error["charge"] = charge["id"]
        error["payment_method"] = transaction.get("payment_method", charge["payment_method"])
    if decline.decline_code:
        error["decline_code"] = decline.decline_code
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "last_payment_error": error,
        "next_action": None,
    }
    transaction.save(intent)
    emit(transaction, "payment_intent.payment_failed", intent)


def cancel_open_payment(transaction: Transaction, session: Document) -> None:
    """What was begun on a session that expired can no longer be paid."""
    if not session["payment_intent"]:
        return
    intent = transaction.get("payment_intent", session["payment_intent"])
    if intent["status"] in ("requires_payment_method", "requires_action", "requires_confirmation"):
        intent |= {
            "status": "canceled",
            "canceled_at": transaction.now(),
            "cancellation_reason": "expired",
            "next_action": None,
        }
        transaction.save(intent)
        emit(transaction, "payment_intent.canceled", intent)
