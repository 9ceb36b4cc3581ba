"""Prices: immutable amounts of a product; only the label, the lookup key and whether it is on sale change."""

from app.sandbox.documents import Document, new_id
from app.sandbox.errors import InvalidRequest, missing_parameter, no_such, no_such_reference
from app.sandbox.events import emit
from app.sandbox.listing import Filter, list_page
from app.sandbox.money import THREE_DECIMAL
from app.sandbox.parameters import (
    Currency,
    Flag,
    Metadata,
    Range,
    Record,
    Several,
    Text,
    Whole,
    listing,
    merge_metadata,
    operation,
)
from app.sandbox.resources.products import insert_product, save_change
from app.sandbox.store import Transaction

LARGEST_UNIT_AMOUNT = 999_999_999_999
_TAX_BEHAVIOR = Text(choices=("exclusive", "inclusive", "unspecified"))
RECURRING = Record(
    {"interval": Text(choices=("day", "month", "week", "year")), "interval_count": Whole(1, 1095)},
    ("interval",),
    frozenset({"meter", "usage_type"}),
)

CREATE = operation(
    {
        "active": Flag(),
        "billing_scheme": Text(choices=("per_unit",)),
        "currency": Currency(),
        "lookup_key": Text(200),
        "metadata": Metadata(can_unset=False),
        "nickname": Text(),
        "product": Text(),
        "product_data": Record(
            {
                "id": Text(),
                "name": Text(),
                "active": Flag(),
                "metadata": Metadata(can_unset=False),
                "statement_descriptor": Text(22),
                "tax_code": Text(),
                "unit_label": Text(12),
            },
            ("name",),
            frozenset({"tax_details"}),
        ),
        "recurring": RECURRING,
        "tax_behavior": _TAX_BEHAVIOR,
        "transfer_lookup_key": Flag(),
        "unit_amount": Whole(0, LARGEST_UNIT_AMOUNT),
    },
    ("currency",),
    "currency_options custom_unit_amount tiers tiers_mode transform_quantity unit_amount_decimal",
)
UPDATE = operation(
    {
        "active": Flag(),
        "lookup_key": Text(200),
        "metadata": Metadata(),
        "nickname": Text(),
        "tax_behavior": _TAX_BEHAVIOR,
        "transfer_lookup_key": Flag(),
    },
    elsewhere="currency_options",
)
LIST = listing(
    {
        "active": Flag(),
        "created": Range(),
        "currency": Currency(),
        "lookup_keys": Several(Text(), most=10),
        "product": Text(),
        "type": Text(choices=("one_time", "recurring")),
    },
    "recurring",
)
_FILTERS = (
    Filter("active", "active"),
    Filter("currency", "currency"),
    Filter("lookup_keys", "lookup_key"),
    Filter("product", "product"),
    Filter("type", "type"),
)


def create_price(transaction: Transaction, params: Document) -> Document:
    """Raises InvalidRequest for a missing product or amount and for a lookup key that another price holds."""
    if "product" in params and "product_data" in params:
        raise InvalidRequest("You may only specify one of these parameters: product, product_data.", param="product")
    if "unit_amount" not in params:
        raise missing_parameter("unit_amount")
    if "product_data" in params:
        product_id = params["product_data"].get("id") or new_id("prod")
        insert_product(transaction, product_id, params["product_data"])
    elif "product" in params:
        product_id = params["product"]
        if transaction.find("product", product_id) is None:
            raise no_such_reference("product", product_id, param="product")
    else:
        raise missing_parameter("product")
    _claim_lookup_key(transaction, params, None)
    return insert_price(transaction, product_id, params)


def insert_price(
    transaction: Transaction, product_id: str, params: Document, *, param: str = "unit_amount"
) -> Document:
    """The price and its event; also for those that a session brings along."""
    amount, currency, recurring = params["unit_amount"], params["currency"], params.get("recurring")
    if currency in THREE_DECIMAL and amount % 10:
        raise InvalidRequest(
            f"Invalid amount: amounts in {currency.upper()} must have 0 as their last digit.", param=param
        )
    price = transaction.insert(
        {
            "id": new_id("price"),
            "object": "price",
            "active": params.get("active", True),
            "billing_scheme": "per_unit",
            "created": transaction.now(),
            "currency": currency,
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": params.get("lookup_key"),
            "metadata": merge_metadata({}, params.get("metadata", {})),
            "nickname": params.get("nickname"),
            "product": product_id,
            "recurring": _recurring(recurring),
            "tax_behavior": params.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "recurring" if recurring else "one_time",
            "unit_amount": amount,
            "unit_amount_decimal": str(amount),
        }
    )
    emit(transaction, "price.created", price)
    return price


def _recurring(given: Document | None) -> Document | None:
    if given is None:
        return None
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count", 1),
        "meter": None,
        "usage_type": "licensed",
    }


def _claim_lookup_key(transaction: Transaction, params: Document, price_id: str | None) -> None:
    """A lookup key belongs to one price; it moves only if the request says so."""
    key = params.get("lookup_key")
    if not key:
        return
    for holder in transaction.where("price", "lookup_key", key):
        if holder["id"] == price_id:
            continue
        if not params.get("transfer_lookup_key"):
            raise InvalidRequest(
                f"A price (`{holder['id']}`) already uses that lookup key. To transfer it from that price, use "
                "`transfer_lookup_key: true`.",
                param="lookup_key",
            )
        save_change(transaction, "price", holder, {**holder, "lookup_key": None})


def retrieve_price(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("price", identifier)
    if found is None:
        raise no_such("price", identifier, param="price")
    return found


def update_price(transaction: Transaction, params: Document, identifier: str) -> Document:
    """Raises InvalidRequest for a taken lookup key, or a tax behavior that is already decided."""
    before = retrieve_price(transaction, params, identifier)
    _claim_lookup_key(transaction, params, identifier)
    after = dict(before)
    if "metadata" in params:
        after["metadata"] = merge_metadata(before["metadata"], params["metadata"])
    for name in ("active", "lookup_key", "nickname", "tax_behavior"):
        if name in params:
            after[name] = params[name]
    if before["tax_behavior"] != "unspecified" and after["tax_behavior"] != before["tax_behavior"]:
        raise InvalidRequest(
            f"The tax behavior of this price is already `{before['tax_behavior']}` and cannot be changed.",
            param="tax_behavior",
        )
    return save_change(transaction, "price", before, after)


def list_prices(transaction: Transaction, params: Document) -> Document:
    return list_page(transaction, "price", "/v1/prices", params, _FILTERS)
