"""Prices as Stripe's API describes them: which are plain, and what the others are."""

from typing import Any

import pytest

from app.payments.catalog import CatalogPrice, read_price

PLAIN: dict[str, Any] = {
    "id": "price_1", "object": "price", "active": True, "billing_scheme": "per_unit", "currency": "usd",
    "custom_unit_amount": None, "product": "prod_1", "recurring": None, "tiers_mode": None, "transform_quantity": None,
    "type": "one_time", "unit_amount": 4900, "unit_amount_decimal": "4900",
}  # fmt: skip


def test_a_plain_price_keeps_its_terms() -> None:
    assert read_price(PLAIN) == CatalogPrice(
        id="price_1", product_id="prod_1", unit_amount=4900, currency="usd", is_active=True, shape="one_time"
    )


@pytest.mark.parametrize(
    ("terms", "shape"),
    [
        ({"type": "recurring", "recurring": {"interval": "month"}}, "recurring"),
        ({"custom_unit_amount": {"minimum": 100}, "unit_amount": None}, "custom"),
        ({"billing_scheme": "tiered", "tiers_mode": "graduated", "unit_amount": None}, "tiered"),
        ({"transform_quantity": {"divide_by": 5, "round": "up"}}, "grouped"),
        ({"unit_amount": None, "unit_amount_decimal": "0.5"}, "one_time"),
        ({"product": {"id": "prod_1", "object": "product"}}, "one_time"),
    ],
)
def test_other_shapes_are_told_apart(terms: dict[str, Any], shape: str) -> None:
    price = read_price({**PLAIN, **terms})

    assert (price.shape, price.product_id) == (shape, "prod_1")
    assert price.unit_amount == ({**PLAIN, **terms})["unit_amount"]
