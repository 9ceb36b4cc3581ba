"""Products: what is sold."""

from app.sandbox.documents import Document, new_id
from app.sandbox.errors import InvalidRequest, Refused, no_such, no_such_reference
from app.sandbox.events import changed, emit
from app.sandbox.listing import Filter, list_page
from app.sandbox.parameters import (
    Address,
    Flag,
    Metadata,
    Range,
    Record,
    Several,
    Text,
    listing,
    merge_metadata,
    operation,
)
from app.sandbox.store import Transaction

_FEATURES = Several(Record({"name": Text()}, ("name",)), most=15, can_unset=True)
_IMAGES = Several(Address(), most=8, can_unset=True)

CREATE = operation(
    {
        "id": Text(),
        "name": Text(),
        "active": Flag(),
        "description": Text(40_000),
        "images": Several(Address(), most=8),
        "marketing_features": Several(Record({"name": Text()}, ("name",)), most=15),
        "metadata": Metadata(can_unset=False),
        "shippable": Flag(),
        "statement_descriptor": Text(22),
        "tax_code": Text(),
        "unit_label": Text(12),
        "url": Address(2048),
    },
    ("name",),
    "default_price_data package_dimensions tax_details",
)
UPDATE = operation(
    {
        "name": Text(),
        "active": Flag(),
        "default_price": Text(),
        "description": Text(40_000, can_unset=True),
        "images": _IMAGES,
        "marketing_features": _FEATURES,
        "metadata": Metadata(),
        "shippable": Flag(),
        "statement_descriptor": Text(22),
        "tax_code": Text(can_unset=True),
        "unit_label": Text(12, can_unset=True),
        "url": Text(2048, can_unset=True),
    },
    elsewhere="package_dimensions tax_details",
)
LIST = listing({"active": Flag(), "created": Range(), "ids": Several(Text()), "shippable": Flag(), "url": Text()})
_FILTERS = (Filter("active", "active"), Filter("ids", "id"), Filter("shippable", "shippable"), Filter("url", "url"))


def create_product(transaction: Transaction, params: Document) -> Document:
    """Raises InvalidRequest if the chosen id is taken."""
    chosen = params.get("id") or new_id("prod")
    if transaction.row("SELECT 1 FROM objects WHERE id = ?", chosen):
        raise InvalidRequest("Product already exists.", code="resource_already_exists", param="id")
    return insert_product(transaction, chosen, params)


def insert_product(transaction: Transaction, identifier: str, params: Document) -> Document:
    """The product and its event; also for those that a price or a session brings along."""
    at = transaction.now()
    product = transaction.insert(
        {
            "id": identifier,
            "object": "product",
            "active": params.get("active", True),
            "created": at,
            "default_price": None,
            "description": params.get("description"),
            "images": params.get("images", []),
            "livemode": False,
            "marketing_features": params.get("marketing_features", []),
            "metadata": merge_metadata({}, params.get("metadata", {})),
            "name": params["name"],
            "package_dimensions": None,
            "shippable": params.get("shippable"),
            "statement_descriptor": params.get("statement_descriptor"),
            "tax_code": params.get("tax_code"),
            "unit_label": params.get("unit_label"),
            "updated": at,
            "url": params.get("url"),
        }
    )
    emit(transaction, "product.created", product)
    return product


def retrieve_product(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("product", identifier)
    if found is None:
        raise no_such("product", identifier, param="id")
    return found


def update_product(transaction: Transaction, params: Document, identifier: str) -> Document:
    before = retrieve_product(transaction, params, identifier)
    after = dict(before)
    for name, value in params.items():
        if name == "metadata":
            after["metadata"] = merge_metadata(before["metadata"], value)
        elif name == "default_price":
            price = transaction.find("price", value)
            if price is None or price["product"] != identifier:
                raise no_such_reference("price", value, param="default_price")
            after["default_price"] = value
        elif name != "expand":
            after[name] = None if value == "" else value
    return save_change(transaction, "product", before, after)


def save_change(transaction: Transaction, kind: str, before: Document, after: Document) -> Document:
    """Stores an updated object and emits `<kind>.updated`, or does nothing if nothing changed."""
    previous = changed(before, after)
    if not previous:
        return before
    if "updated" in after:
        previous["updated"] = before["updated"]
        after["updated"] = transaction.now()
    transaction.save(after)
    emit(transaction, f"{kind}.updated", after, previous)
    return after


def list_products(transaction: Transaction, params: Document) -> Document:
    return list_page(transaction, "product", "/v1/products", params, _FILTERS)


def delete_product(transaction: Transaction, params: Document, identifier: str) -> Document:
    """Raises Refused while prices point at it."""
    product = retrieve_product(transaction, params, identifier)
    if transaction.where("price", "product", identifier):
        raise Refused("This product cannot be deleted because it has one or more user-created prices.")
    transaction.delete(identifier)
    emit(transaction, "product.deleted", product)
    return {"id": identifier, "object": "product", "deleted": True}
