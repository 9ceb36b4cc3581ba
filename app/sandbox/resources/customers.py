"""Customers: buyers who are known by an id."""

from app.sandbox.documents import Document, new_id
from app.sandbox.errors import no_such
from app.sandbox.events import emit
from app.sandbox.listing import Filter, list_page
from app.sandbox.parameters import (
    Email,
    Kind,
    Metadata,
    Range,
    Record,
    Several,
    Text,
    listing,
    merge_metadata,
    operation,
)
from app.sandbox.resources.products import save_change
from app.sandbox.store import Transaction

ADDRESS_FIELDS = ("city", "country", "line1", "line2", "postal_code", "state")
_ADDRESS = Record({name: Text() for name in ADDRESS_FIELDS}, can_unset=True)
_FIELDS: dict[str, Kind] = {
    "address": _ADDRESS,
    "description": Text(),
    "email": Email(),
    "metadata": Metadata(),
    "name": Text(256),
    "phone": Text(20),
    "preferred_locales": Several(Text()),
    "tax_exempt": Text(choices=("exempt", "none", "reverse"), can_unset=True),
}
CREATE = operation(
    _FIELDS,
    elsewhere="balance business_name cash_balance individual_name invoice_prefix invoice_settings "
    "next_invoice_sequence payment_method shipping source tax tax_id_data test_clock",
)
UPDATE = operation(
    _FIELDS,
    elsewhere="balance bank_account business_name card cash_balance default_source individual_name invoice_prefix "
    "invoice_settings next_invoice_sequence shipping source tax",
)
LIST = listing({"created": Range(), "email": Text(512)}, "test_clock")


def create_customer(transaction: Transaction, params: Document) -> Document:
    address = params.get("address") or None
    customer = transaction.insert(
        {
            "id": new_id("cus"),
            "object": "customer",
            "address": address_document(address),
            "balance": 0,
            "created": transaction.now(),
            "currency": None,
            "default_source": None,
            "delinquent": False,
            "description": params.get("description"),
            "discount": None,
            "email": params.get("email"),
            "invoice_prefix": new_id("x")[2:10].upper(),
            "invoice_settings": {
                "custom_fields": None,
                "default_payment_method": None,
                "footer": None,
                "rendering_options": None,
            },
            "livemode": False,
            "metadata": merge_metadata({}, params.get("metadata", {})),
            "name": params.get("name"),
            "next_invoice_sequence": 1,
            "phone": params.get("phone"),
            "preferred_locales": params.get("preferred_locales", []),
            "shipping": None,
            "tax_exempt": params.get("tax_exempt") or "none",
            "test_clock": None,
        }
    )
    emit(transaction, "customer.created", customer)
    return customer


def address_document(given: Document | None) -> Document | None:
    """All fields of an address, those not given as null."""
    return None if not given else {name: given.get(name) or None for name in ADDRESS_FIELDS}


def retrieve_customer(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("customer", identifier)
    if found is None:
        raise no_such("customer", identifier, param="id")
    return found


def update_customer(transaction: Transaction, params: Document, identifier: str) -> Document:
    before = retrieve_customer(transaction, params, identifier)
    after = dict(before)
    for name, value in params.items():
        if name == "metadata":
            after["metadata"] = merge_metadata(before["metadata"], value)
        elif name == "address":
            after["address"] = address_document(value or None)
        elif name == "tax_exempt":
            after["tax_exempt"] = value or "none"
        elif name != "expand":
            after[name] = value
    return save_change(transaction, "customer", before, after)


def list_customers(transaction: Transaction, params: Document) -> Document:
    return list_page(transaction, "customer", "/v1/customers", params, (Filter("email", "email"),))


def delete_customer(transaction: Transaction, params: Document, identifier: str) -> Document:
    customer = retrieve_customer(transaction, params, identifier)
    transaction.delete(identifier)
    emit(transaction, "customer.deleted", customer)
    return {"id": identifier, "object": "customer", "deleted": True}
