"""Promotion codes: words that buyers know, each leading to a coupon, with limits of its own."""

import re

from app.sandbox.documents import Document, new_id
from app.sandbox.errors import InvalidRequest, missing_parameter, no_such, no_such_reference
from app.sandbox.events import changed, emit
from app.sandbox.listing import Filter, list_page
from app.sandbox.parameters import (
    Currency,
    Flag,
    Metadata,
    Range,
    Record,
    Text,
    Whole,
    listing,
    merge_metadata,
    operation,
)
from app.sandbox.resources.coupons import find_redeemable
from app.sandbox.store import Transaction

CREATE = operation(
    {
        "active": Flag(),
        "code": Text(500),
        "customer": Text(),
        "expires_at": Whole(),
        "max_redemptions": Whole(1),
        "metadata": Metadata(can_unset=False),
        "promotion": Record({"type": Text(choices=("coupon",)), "coupon": Text()}, ("type",)),
        "restrictions": Record(
            {
                "minimum_amount": Whole(1),
                "minimum_amount_currency": Currency(),
            },
            elsewhere=frozenset({"currency_options", "first_time_transaction"}),
        ),
    },
    ("promotion",),
    "customer_account",
)
UPDATE = operation({"active": Flag(), "metadata": Metadata()}, elsewhere="restrictions")
LIST = listing(
    {"active": Flag(), "code": Text(), "coupon": Text(), "created": Range(), "customer": Text()}, "customer_account"
)
_FILTERS = (
    Filter("active", "active"),
    Filter("code", "code"),
    Filter("coupon", "promotion.coupon"),
    Filter("customer", "customer"),
)
_CODE = re.compile(r"[A-Za-z0-9-]+")


def create_promotion_code(transaction: Transaction, params: Document) -> Document:
    """Raises InvalidRequest: no such coupon, a code in use (whatever its case), limits beyond the coupon's."""
    coupon_id = params["promotion"].get("coupon")
    if coupon_id is None:
        raise missing_parameter("promotion[coupon]")
    coupon = find_redeemable(transaction, coupon_id, param="promotion[coupon]")
    code = params.get("code") or new_id("x")[2:10].upper()
    _check_code(transaction, code)
    _check_limits(transaction, params, coupon)
    restrictions = params.get("restrictions", {})
    if ("minimum_amount" in restrictions) != ("minimum_amount_currency" in restrictions):
        raise missing_parameter("restrictions[minimum_amount_currency]")
    if "customer" in params and transaction.find("customer", params["customer"]) is None:
        raise no_such_reference("customer", params["customer"], param="customer")
    promotion_code = transaction.insert(
        {
            "id": new_id("promo"),
            "object": "promotion_code",
            "active": params.get("active", True),
            "code": code,
            "created": transaction.now(),
            "customer": params.get("customer"),
            "expires_at": params.get("expires_at"),
            "livemode": False,
            "max_redemptions": params.get("max_redemptions"),
            "metadata": merge_metadata({}, params.get("metadata", {})),
            "promotion": {"type": "coupon", "coupon": coupon_id},
            "restrictions": {
                "first_time_transaction": False,
                "minimum_amount": restrictions.get("minimum_amount"),
                "minimum_amount_currency": restrictions.get("minimum_amount_currency"),
            },
            "times_redeemed": 0,
        }
    )
    emit(transaction, "promotion_code.created", promotion_code)
    return promotion_code


def _check_code(transaction: Transaction, code: str) -> None:
    if not _CODE.fullmatch(code):
        raise InvalidRequest("Invalid code: use letters, digits and hyphens only.", param="code")
    others = transaction.where("promotion_code", "active", value=True)
    if any(other["code"].casefold() == code.casefold() for other in others):
        raise InvalidRequest(f"An active promotion code with `code: {code}` already exists.", param="code")


def _check_limits(transaction: Transaction, params: Document, coupon: Document) -> None:
    most, until = params.get("max_redemptions"), params.get("expires_at")
    if most is not None and coupon["max_redemptions"] is not None and most > coupon["max_redemptions"]:
        raise InvalidRequest(
            "A promotion code cannot have more redemptions than its coupon.",
            param="max_redemptions",
        )
    if until is not None and until <= transaction.now():
        raise InvalidRequest("The expires_at date cannot be in the past.", param="expires_at")
    if until is not None and coupon["redeem_by"] is not None and until > coupon["redeem_by"]:
        raise InvalidRequest("A promotion code cannot outlive its coupon.", param="expires_at")


def retrieve_promotion_code(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("promotion_code", identifier)
    if found is None:
        raise no_such("promotion code", identifier, param="promotion_code")
    return found


def update_promotion_code(transaction: Transaction, params: Document, identifier: str) -> Document:
    before = retrieve_promotion_code(transaction, params, identifier)
    after = dict(before)
    if "metadata" in params:
        after["metadata"] = merge_metadata(before["metadata"], params["metadata"])
    if params.get("active") and not before["active"]:
        _check_code(transaction, before["code"])
    after["active"] = params.get("active", before["active"])
    if after != before:
        transaction.save(after)
        emit(transaction, "promotion_code.updated", after, changed(before, after))
    return after


def list_promotion_codes(transaction: Transaction, params: Document) -> Document:
    return list_page(transaction, "promotion_code", "/v1/promotion_codes", params, _FILTERS)


def find_usable(
    transaction: Transaction, identifier: str, *, subtotal: int, currency: str, customer: str | None, param: str
) -> Document:
    """The code if a session of that sum and customer may use it. Raises InvalidRequest."""
    found = transaction.find("promotion_code", identifier)
    if found is None:
        raise no_such_reference("promotion code", identifier, param=param)
    late = found["expires_at"] is not None and found["expires_at"] <= transaction.now()
    used_up = found["max_redemptions"] is not None and found["times_redeemed"] >= found["max_redemptions"]
    if not found["active"] or late or used_up:
        raise InvalidRequest(f"The promotion code `{found['code']}` is not valid any more.", param=param)
    if found["customer"] not in (None, customer):
        raise InvalidRequest(f"The promotion code `{found['code']}` belongs to another customer.", param=param)
    least = found["restrictions"]["minimum_amount"]
    if least is not None and (currency != found["restrictions"]["minimum_amount_currency"] or subtotal < least):
        raise InvalidRequest(f"The promotion code `{found['code']}` needs a larger order.", param=param)
    return found


def redeem_promotion_code(transaction: Transaction, identifier: str) -> None:
    """Counts a use when the session is complete; the last one ends the code."""
    found = transaction.find("promotion_code", identifier)
    if found is None:
        return
    times, limit = found["times_redeemed"] + 1, found["max_redemptions"]
    transaction.save({**found, "times_redeemed": times, "active": found["active"] and (not limit or times < limit)})
