"""`expand`: ids in an answer replaced by their objects, at most four levels deep, only where asked."""

from collections.abc import Callable
from typing import Any

from app.sandbox.documents import Document
from app.sandbox.errors import InvalidRequest
from app.sandbox.listing import DEFAULT_LIMIT
from app.sandbox.resources.balance import as_of_now
from app.sandbox.store import Transaction

DEEPEST = 4
_HIDDEN = ("_discounts", "_taxes", "_about")

# Where an id stands, and what kind of object it names.
_REFERENCES: dict[tuple[str, str], str] = {
    ("checkout.session", "payment_intent"): "payment_intent",
    ("checkout.session", "customer"): "customer",
    ("payment_intent", "latest_charge"): "charge",
    ("payment_intent", "customer"): "customer",
    ("payment_intent", "payment_method"): "payment_method",
    ("charge", "payment_intent"): "payment_intent",
    ("charge", "customer"): "customer",
    ("charge", "balance_transaction"): "balance_transaction",
    ("charge", "failure_balance_transaction"): "balance_transaction",
    ("refund", "charge"): "charge",
    ("refund", "payment_intent"): "payment_intent",
    ("refund", "balance_transaction"): "balance_transaction",
    ("refund", "failure_balance_transaction"): "balance_transaction",
    ("dispute", "charge"): "charge",
    ("dispute", "payment_intent"): "payment_intent",
    ("price", "product"): "product",
    ("product", "default_price"): "price",
    ("payment_method", "customer"): "customer",
    ("checkout.session", "invoice"): "invoice",
    ("invoice", "customer"): "customer",
    ("invoice_payment", "invoice"): "invoice",
    ("promotion_code", "customer"): "customer",
    ("radar.early_fraud_warning", "charge"): "charge",
    ("radar.early_fraud_warning", "payment_intent"): "payment_intent",
}
# Objects without an `object` field of their own that hold an id: told by the field's name.
_NESTED_REFERENCES = {"coupon": "coupon", "promotion_code": "promotion_code", "tax_rate": "tax_rate"}


def render(transaction: Transaction, document: Document, expand: list[str]) -> Document:
    """The answer with what `expand` names in full. Raises InvalidRequest for a name that cannot be expanded."""
    for dotted in expand:
        steps = dotted.split(".")
        if len(steps) > DEEPEST:
            raise InvalidRequest(
                f"You cannot expand more than {DEEPEST} levels of a property. Property: {dotted}", param="expand"
            )
        document = _expand(transaction, document, steps, dotted)
    shown: Document = _without_hidden(document) if _may_hold_items(document) else document
    return shown


def _may_hold_items(document: Document) -> bool:
    """Whether it is worth looking for what is not to be shown: most answers have none."""
    kind = document.get("object")
    if kind == "list":
        return bool(document["data"]) and document["data"][0].get("object") in ("item", "checkout.session")
    return kind == "checkout.session"


def _without_hidden(value: Any) -> Any:
    """Line items carry fields of our own, for the hosted page and for `expand`."""
    if isinstance(value, list):
        return [_without_hidden(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_item = value.get("object") == "item"
    return {key: _without_hidden(item) for key, item in value.items() if not (is_item and key in _HIDDEN)}


def _expand(transaction: Transaction, document: Document, steps: list[str], dotted: str) -> Document:
    step, rest = steps[0], steps[1:]
    kind = str(document.get("object", ""))
    value: Any
    if kind == "list" and step == "data":
        if not rest:
            return document
        return {**document, "data": [_expand(transaction, item, rest, dotted) for item in document["data"]]}
    if kind == "balance_transaction" and step == "source":
        value = _follow(transaction, str(document.get("source")))
    elif (kind, step) == ("checkout.session", "total_details") and rest:
        value = _total_details(transaction, document)
    else:
        value = _value(transaction, document, kind, step, dotted)
    if rest and isinstance(value, dict):
        value = _expand(transaction, value, rest, dotted)
    elif rest and isinstance(value, list):
        value = [_expand(transaction, item, rest, dotted) for item in value]
    if value is None and step not in document:
        return document  # a field that is left out where it has no value stays out
    return {**document, step: value}


def _value(transaction: Transaction, document: Document, kind: str, step: str, dotted: str) -> Any:
    extra = _INCLUDED.get((kind, step))
    if extra is not None:
        present = document.get(step)
        return present if present is not None else extra(transaction, document)
    target = _REFERENCES.get((kind, step)) or (_NESTED_REFERENCES.get(step) if not kind else None)
    value = document.get(step)
    if target is not None:
        if not isinstance(value, str):
            return value
        found = transaction.find(target, value) or {"id": value, "object": target, "deleted": True}
        return as_of_now(transaction, found) if target == "balance_transaction" else found
    if isinstance(value, dict | list) and step != "metadata":
        return value
    if (kind, step) in _NEVER_FILLED:
        return value
    raise InvalidRequest(f"This property cannot be expanded ({dotted}).", param="expand")


def _follow(transaction: Transaction, identifier: str) -> Document | None:
    for kind in ("charge", "refund", "dispute"):
        found = transaction.find(kind, identifier)
        if found is not None:
            return found
    return None


def _line_items(transaction: Transaction, session: Document) -> Document:
    items = transaction.private(session["id"])["line_items"]
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    return {"object": "list", "url": url, "has_more": len(items) > DEFAULT_LIMIT, "data": items[:DEFAULT_LIMIT]}


def _refunds(transaction: Transaction, charge: Document) -> Document:
    refunds = list(reversed(transaction.where("refund", "charge", charge["id"])))
    url = f"/v1/charges/{charge['id']}/refunds"
    return {"object": "list", "url": url, "has_more": len(refunds) > DEFAULT_LIMIT, "data": refunds[:DEFAULT_LIMIT]}


def _total_details(transaction: Transaction, session: Document) -> Document | None:
    """The breakdown is only there when `total_details.breakdown` asks for it."""
    details = session.get("total_details")
    if details is None:
        return None
    private = transaction.private(session["id"])
    discounts = private.get("discount_amounts", [])
    return {**details, "breakdown": {"discounts": discounts, "taxes": private.get("tax_amounts", [])}}


def _item_discounts(_transaction: Transaction, item: Document) -> list[Document]:
    discounts: list[Document] = item.get("_discounts", [])
    return discounts


def _item_taxes(_transaction: Transaction, item: Document) -> list[Document]:
    taxes: list[Document] = item.get("_taxes", [])
    return taxes


def _invoice_payments(transaction: Transaction, invoice: Document) -> Document:
    return {
        "object": "list",
        "url": "/v1/invoice_payments",
        "has_more": False,
        "data": transaction.where("invoice_payment", "invoice", invoice["id"]),
    }


_INCLUDED: dict[tuple[str, str], Callable[[Transaction, Document], Any]] = {
    ("checkout.session", "line_items"): _line_items,
    ("charge", "refunds"): _refunds,
    ("item", "discounts"): _item_discounts,
    ("item", "taxes"): _item_taxes,
    ("invoice", "payments"): _invoice_payments,
}
# Expandable in Stripe's contract, always empty in here.
_NEVER_FILLED = {
    ("checkout.session", "subscription"),
    ("checkout.session", "setup_intent"),
    ("checkout.session", "payment_link"),
    ("charge", "application"),
    ("charge", "review"),
    ("payment_intent", "application"),
    ("payment_intent", "review"),
    ("refund", "transfer_reversal"),
}
