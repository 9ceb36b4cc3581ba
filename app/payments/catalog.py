"""Products and prices as the Stripe account has them: read to compare and to import, changed only to repair ours."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from app.payments.facts import Metadata, object_id
from app.payments.gateway import PAGE_SIZE, StripeObjectMissing, make_price_params, stripe_client, stripe_errors

# So many of each are read; an account with more is a warehouse, and a page cannot wait for it.
MOST_OBJECTS = 3_000
# And for so long: Stripe may answer each page, but slowly, and somebody waits.
MOST_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogProduct:
    """A Product of the account."""

    id: str
    name: str
    is_active: bool
    default_price_id: str | None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogPrice:
    """A Price of the account; unit_amount is None where the amount is no whole number of minor units.

    shape: "one_time", "recurring", "tiered", "custom" or "grouped", as far as selling it here differs.
    """

    id: str
    product_id: str
    unit_amount: int | None
    currency: str
    is_active: bool
    shape: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StripeCatalog:
    """What was read; is_complete is False where the account has more than is read, or Stripe is slow."""

    products: tuple[CatalogProduct, ...]
    prices: tuple[CatalogPrice, ...]
    is_complete: bool


def list_catalog() -> StripeCatalog:
    """Every Product and Price of the account, newest first, page by page. Raises PaymentUnavailable."""
    client = stripe_client()
    params: Any = {"limit": PAGE_SIZE}
    with stripe_errors("catalog"):
        products, has_all = _take(client.v1.products.list(params).auto_paging_iter())
        prices, has_all_prices = _take(client.v1.prices.list(params).auto_paging_iter())
        return StripeCatalog(
            products=tuple(_read_product(each) for each in products),
            prices=tuple(read_price(each) for each in prices),
            is_complete=has_all and has_all_prices,
        )


def find_price(stripe_price_id: str) -> CatalogPrice | None:
    """A Price as it is now, None where Stripe knows none. Raises PaymentRefused, PaymentUnavailable."""
    try:
        with stripe_errors("price"):
            return read_price(stripe_client().v1.prices.retrieve(stripe_price_id).to_dict())
    except StripeObjectMissing:
        return None


def update_product(stripe_product_id: str, *, name: str) -> None:
    """Give a Product our title and put it on sale. Raises StripeObjectMissing, PaymentRefused, PaymentUnavailable."""
    with stripe_errors("product"):
        stripe_client().v1.products.update(stripe_product_id, {"name": name, "active": True})


def activate_price(stripe_price_id: str) -> None:
    """Put an archived Price back on sale. Raises StripeObjectMissing, PaymentRefused, PaymentUnavailable."""
    with stripe_errors("price"):
        stripe_client().v1.prices.update(stripe_price_id, {"active": True})


def replace_stripe_price(
    *, public_id: str, former_id: str, stripe_product_id: str, unit_amount: int, currency: str
) -> str:
    """A new Stripe Price of ours in the place of one that is gone or is another; the lookup key moves to it.

    Two who ask at once to replace the same former one get the same new one. Raises PaymentRefused, PaymentUnavailable.
    """
    params = make_price_params(public_id, stripe_product_id, unit_amount, currency)
    with stripe_errors("price"):
        made = stripe_client().v1.prices.create(
            cast(Any, {**params, "transfer_lookup_key": True}),
            {"idempotency_key": f"price:{public_id}:instead_of:{former_id}"},
        )
        return made.id


def _take(objects: Iterator[Any]) -> tuple[list[Mapping[str, Any]], bool]:
    found: list[Mapping[str, Any]] = []
    deadline = time.monotonic() + MOST_SECONDS
    for each in objects:
        if len(found) == MOST_OBJECTS or time.monotonic() > deadline:
            return found, False
        found.append(each.to_dict())
    return found, True


def _read_product(each: Mapping[str, Any]) -> CatalogProduct:
    metadata = cast("Mapping[str, Any]", each.get("metadata") or {})
    return CatalogProduct(
        id=str(each["id"]),
        name=str(each.get("name") or ""),
        is_active=each.get("active") is True,
        default_price_id=object_id(each.get("default_price")),
        metadata={str(name): str(text) for name, text in metadata.items()},
    )


def read_price(each: Mapping[str, Any]) -> CatalogPrice:
    """A Price object. Raises KeyError without an id."""
    amount = each.get("unit_amount")
    return CatalogPrice(
        id=str(each["id"]),
        product_id=object_id(each.get("product")) or "",
        unit_amount=amount if isinstance(amount, int) else None,
        currency=str(each.get("currency") or ""),
        is_active=each.get("active") is True,
        shape=_name_shape(each),
    )


def _name_shape(each: Mapping[str, Any]) -> str:
    if each.get("recurring") or each.get("type") == "recurring":
        return "recurring"
    if each.get("custom_unit_amount"):
        return "custom"
    if each.get("billing_scheme") == "tiered" or each.get("tiers_mode"):
        return "tiered"
    return "grouped" if each.get("transform_quantity") else "one_time"
