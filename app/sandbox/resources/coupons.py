"""Coupons: a percentage or an amount off a session's total."""

from app.sandbox.documents import Document, new_id
from app.sandbox.errors import InvalidRequest, missing_parameter, no_such, no_such_reference
from app.sandbox.events import emit
from app.sandbox.listing import list_page
from app.sandbox.money import split_in_proportion
from app.sandbox.parameters import (
    Currency,
    Metadata,
    Number,
    Range,
    Record,
    Several,
    Text,
    Whole,
    listing,
    merge_metadata,
    operation,
)
from app.sandbox.resources.products import save_change
from app.sandbox.store import Transaction

WHOLE_PERCENT = 100
CREATE = operation(
    {
        "amount_off": Whole(1, 99_999_999),
        "applies_to": Record({"products": Several(Text())}),
        "currency": Currency(),
        "duration": Text(choices=("forever", "once", "repeating")),
        "duration_in_months": Whole(1, 120),
        "id": Text(),
        "max_redemptions": Whole(1),
        "metadata": Metadata(),
        "name": Text(40),
        "percent_off": Number(),
        "redeem_by": Whole(),
    },
    elsewhere="currency_options",
)
UPDATE = operation({"metadata": Metadata(), "name": Text(40)}, elsewhere="currency_options")
LIST = listing({"created": Range()})


def create_coupon(transaction: Transaction, params: Document) -> Document:
    """Raises InvalidRequest unless exactly one of percent_off and amount_off (with currency) is there and fits."""
    percent, amount = params.get("percent_off"), params.get("amount_off")
    if (percent is None) == (amount is None):
        raise InvalidRequest("Must provide percent_off or amount_off, but not both.", param="percent_off")
    if percent is not None and not 0 < percent <= WHOLE_PERCENT:
        raise InvalidRequest(
            "Invalid percent_off: must be greater than 0 and at most 100.",
            code="parameter_invalid_integer",
            param="percent_off",
        )
    if amount is not None and "currency" not in params:
        raise missing_parameter("currency")
    duration = params.get("duration", "once")
    if duration == "repeating" and "duration_in_months" not in params:
        raise missing_parameter("duration_in_months")
    if params.get("redeem_by", transaction.now() + 1) <= transaction.now():
        raise InvalidRequest("The redeem_by date cannot be in the past.", param="redeem_by")
    identifier = params.get("id") or new_id("x")[2:10]
    if transaction.row("SELECT 1 FROM objects WHERE id = ?", identifier):
        raise InvalidRequest("Coupon already exists.", code="resource_already_exists", param="id")
    products = params.get("applies_to", {}).get("products")
    for product in products or []:
        if transaction.find("product", product) is None:
            raise no_such_reference("product", product, param="applies_to[products]")
    coupon = transaction.insert(
        {
            "id": identifier,
            "object": "coupon",
            "amount_off": amount,
            "created": transaction.now(),
            "currency": params.get("currency") if amount is not None else None,
            "duration": duration,
            "duration_in_months": params.get("duration_in_months"),
            "livemode": False,
            "max_redemptions": params.get("max_redemptions"),
            "metadata": merge_metadata({}, params.get("metadata", {})),
            "name": params.get("name"),
            "percent_off": percent,
            "redeem_by": params.get("redeem_by"),
            "times_redeemed": 0,
            "valid": True,
        },
        {"products": products},
    )
    emit(transaction, "coupon.created", coupon)
    return coupon


def retrieve_coupon(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("coupon", identifier)
    if found is None:
        raise no_such("coupon", identifier, param="coupon")
    return _as_of_now(transaction, found)


def _as_of_now(transaction: Transaction, coupon: Document) -> Document:
    """A coupon stops being valid by itself when its time is over."""
    late = coupon["redeem_by"] is not None and coupon["redeem_by"] <= transaction.now()
    return coupon | {"valid": coupon["valid"] and not late}


def update_coupon(transaction: Transaction, params: Document, identifier: str) -> Document:
    """Its name and metadata; what it takes off never changes."""
    before = retrieve_coupon(transaction, params, identifier)
    after = before | {"name": params.get("name", before["name"])}
    if "metadata" in params:
        after["metadata"] = merge_metadata(before["metadata"], params["metadata"])
    return save_change(transaction, "coupon", before, after)


def list_coupons(transaction: Transaction, params: Document) -> Document:
    page = list_page(transaction, "coupon", "/v1/coupons", params)
    return page | {"data": [_as_of_now(transaction, coupon) for coupon in page["data"]]}


def delete_coupon(transaction: Transaction, params: Document, identifier: str) -> Document:
    """Discounts already given stay."""
    coupon = retrieve_coupon(transaction, params, identifier)
    transaction.delete(identifier)
    emit(transaction, "coupon.deleted", coupon)
    return {"id": identifier, "object": "coupon", "deleted": True}


def find_redeemable(transaction: Transaction, identifier: str, *, param: str) -> Document:
    """The coupon if it may still be used. Raises InvalidRequest if it is unknown, expired or used up."""
    coupon = transaction.find("coupon", identifier)
    if coupon is None:
        raise no_such_reference("coupon", identifier, param=param)
    used_up = coupon["max_redemptions"] is not None and coupon["times_redeemed"] >= coupon["max_redemptions"]
    late = coupon["redeem_by"] is not None and coupon["redeem_by"] <= transaction.now()
    if used_up or late:
        raise InvalidRequest(f"Coupon {identifier} is used up or has expired.", code="coupon_expired", param=param)
    return coupon


def discount_by_item(
    transaction: Transaction, coupon: Document, currency: str, items: list[tuple[str, int]]
) -> list[int]:
    """What the coupon takes off each item of (product id, amount), summing exactly to the whole discount.

    Raises InvalidRequest: an amount in another currency, or nothing it applies to.
    """
    products = transaction.private(coupon["id"]).get("products")
    eligible = [amount if not products or product in products else 0 for product, amount in items]
    whole = sum(eligible)
    if products and not any(product in products for product, _ in items):
        raise InvalidRequest(
            f"The coupon {coupon['id']} does not apply to anything in this session.", param="discounts[0][coupon]"
        )
    if coupon["amount_off"] is not None:
        if coupon["currency"] != currency:
            raise InvalidRequest(
                f"The coupon {coupon['id']} is in {coupon['currency']}, but the session is in {currency}.",
                param="discounts[0][coupon]",
            )
        return split_in_proportion(min(coupon["amount_off"], whole), eligible)
    # Half up on the sum, in whole numbers: 12.5 % of 1 is 0.125 and gives nothing.
    hundredths = round(coupon["percent_off"] * 100)
    return split_in_proportion((whole * hundredths + 5_000) // 10_000, eligible)


def redeem(transaction: Transaction, identifier: str) -> None:
    """Counts a use when the session is complete."""
    coupon = transaction.find("coupon", identifier)
    if coupon is None:
        return
    times = coupon["times_redeemed"] + 1
    limit = coupon["max_redemptions"]
    transaction.save({**coupon, "times_redeemed": times, "valid": limit is None or times < limit})
