"""The prices of a product as staff sees them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.catalog.models import Price
from app.db import db


@dataclass(frozen=True, kw_only=True, slots=True)
class ActivePrice:
    """A price in force: minor units of currency, since when (UTC), and its mirror at Stripe, none until first sold."""

    public_id: str
    unit_amount: int
    currency: str
    activated_at: datetime | None
    stripe_price_id: str | None


def list_active_prices(*, product_id: int) -> tuple[ActivePrice, ...]:
    """Every one-time price in force of a product, by currency."""
    rows = db.session().scalars(
        select(Price)
        .where(Price.product_id == product_id, Price.status == "active", Price.type == "one_time")
        .order_by(Price.currency)
    )
    return tuple(
        ActivePrice(
            public_id=row.public_id, unit_amount=row.unit_amount, currency=row.currency,
            activated_at=row.activated_at, stripe_price_id=row.stripe_price_id,
        )
        for row in rows
    )  # fmt: skip
