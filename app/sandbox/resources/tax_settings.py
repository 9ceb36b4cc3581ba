"""The account's tax settings: where the seller sits, and whether prices that say nothing include the tax."""

import json

from app.sandbox.documents import Document
from app.sandbox.errors import InvalidRequest
from app.sandbox.events import emit
from app.sandbox.levers import list_levers
from app.sandbox.parameters import Record, Text, operation
from app.sandbox.resources.customers import ADDRESS_FIELDS, address_document
from app.sandbox.store import Transaction

BEHAVIORS = ("exclusive", "inclusive", "inferred_by_currency")
RETRIEVE = operation()
UPDATE = operation(
    {
        "defaults": Record({"tax_behavior": Text(choices=BEHAVIORS), "tax_code": Text()}),
        "head_office": Record({"address": Record({name: Text() for name in ADDRESS_FIELDS})}, ("address",)),
    }
)
_SETTING = "tax_settings"
_MISSING = ["head_office"]
# What Stripe infers: these are sold with tax on top, every other currency with tax inside.
_EXCLUSIVE_CURRENCIES = ("cad", "usd")
_HEAD_OFFICE = {
    "city": "San Francisco",
    "country": "US",
    "line1": "1 Market Street",
    "postal_code": "94105",
    "state": "CA",
}


def retrieve_tax_settings(transaction: Transaction, _params: Document) -> Document:
    """Ready for use from the start; the lever `api_tax_pending` shows an account that is not."""
    stored = json.loads(transaction.setting(_SETTING) or "{}")
    is_pending = bool(list_levers(transaction, "api_tax_pending"))
    return {
        "object": "tax.settings",
        "defaults": {
            "provider": "stripe",
            "tax_behavior": "inferred_by_currency",
            "tax_code": "txcd_10000000",
            **stored.get("defaults", {}),
        },
        "head_office": None if is_pending else {"address": address_document(stored.get("address", _HEAD_OFFICE))},
        "livemode": False,
        "status": "pending" if is_pending else "active",
        "status_details": {"pending": {"missing_fields": _MISSING}} if is_pending else {"active": {}},
    }


def update_tax_settings(transaction: Transaction, params: Document) -> Document:
    """Raises InvalidRequest for a head office without a country."""
    stored = json.loads(transaction.setting(_SETTING) or "{}")
    if "defaults" in params:
        stored["defaults"] = stored.get("defaults", {}) | params["defaults"]
    if "head_office" in params:
        address = params["head_office"]["address"]
        if not address.get("country"):
            raise InvalidRequest("A head office needs a country.", param="head_office[address][country]")
        stored["address"] = address
    before = retrieve_tax_settings(transaction, {})
    transaction.save_setting(_SETTING, json.dumps(stored))
    after = retrieve_tax_settings(transaction, {})
    if after != before:
        emit(transaction, "tax.settings.updated", after)
    return after


def require_active_tax(transaction: Transaction) -> None:
    """Raises InvalidRequest while automatic tax cannot be computed for want of a head office."""
    if retrieve_tax_settings(transaction, {})["status"] != "active":
        raise InvalidRequest(
            "You must have a valid head office address to enable automatic tax calculation in test mode. Visit "
            "https://dashboard.stripe.com/test/settings/tax to update it.",
            param="automatic_tax",
        )


def is_inclusive(price: Document, settings: Document) -> bool:
    """Whether a price has its tax inside, by its own word or else by the account's."""
    behavior = price["tax_behavior"]
    if behavior == "unspecified":
        behavior = settings["defaults"]["tax_behavior"]
    if behavior == "inferred_by_currency":
        return price["currency"] not in _EXCLUSIVE_CURRENCIES
    return bool(behavior == "inclusive")
