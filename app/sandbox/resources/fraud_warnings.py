"""Early fraud warnings: the bank suspects a payment; a refund made in time spares the shop the dispute."""

from app.sandbox.documents import Document, new_id
from app.sandbox.errors import no_such
from app.sandbox.events import emit
from app.sandbox.listing import Filter, list_page
from app.sandbox.parameters import Range, Text, listing
from app.sandbox.store import Transaction

LIST = listing({"charge": Text(), "created": Range(), "payment_intent": Text()})
_FILTERS = (Filter("charge", "charge"), Filter("payment_intent", "payment_intent"))


def warn_of_fraud(transaction: Transaction, charge: Document) -> Document:
    warning = transaction.insert(
        {
            "id": new_id("issfr"),
            "object": "radar.early_fraud_warning",
            "actionable": True,
            "charge": charge["id"],
            "created": transaction.now(),
            "fraud_type": "fraudulent_use_of_card",
            "livemode": False,
            "payment_intent": charge["payment_intent"],
        }
    )
    emit(transaction, "radar.early_fraud_warning.created", warning)
    return warning


def end_warnings(transaction: Transaction, charge_id: str) -> None:
    """Once the charge is refunded in full or disputed, there is nothing left to do about it."""
    for warning in transaction.where("radar.early_fraud_warning", "charge", charge_id):
        if warning["actionable"]:
            warning["actionable"] = False
            transaction.save(warning)
            emit(transaction, "radar.early_fraud_warning.updated", warning, {"actionable": True})


def retrieve_warning(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("radar.early_fraud_warning", identifier)
    if found is None:
        raise no_such("early fraud warning", identifier, param="early_fraud_warning")
    return found


def list_warnings(transaction: Transaction, params: Document) -> Document:
    url = "/v1/radar/early_fraud_warnings"
    return list_page(transaction, "radar.early_fraud_warning", url, params, _FILTERS)
