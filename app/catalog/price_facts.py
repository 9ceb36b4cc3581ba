"""The prices of a product as staff sees them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.catalog.models import Price
from app.catalog.price_history import begin_of
from app.catalog.price_rules import in_force
from app.db import db


@dataclass(frozen=True, kw_only=True, slots=True)
class ActivePrice:
    """A price in force: minor units of currency, since when (UTC), and its mirror at Stripe, none until first sold.

    ends_at: of a sale, the moment (UTC) the regular price counts again; None for a regular one.
    """

    public_id: str
    unit_amount: int
    currency: str
    activated_at: datetime | None
    stripe_price_id: str | None
    ends_at: datetime | None


def list_active_prices(*, product_id: int) -> tuple[ActivePrice, ...]:
    """Every one-time price in force of a product, by currency."""
    rows = db.session().scalars(
        select(Price).where(Price.product_id == product_id, in_force()).order_by(Price.currency)
    )
    return tuple(
        ActivePrice(
            public_id=row.public_id, unit_amount=row.unit_amount, currency=row.currency,
            activated_at=begin_of(row), stripe_price_id=row.stripe_price_id, ends_at=row.ends_at,
        )
        for row in rows
    )  # fmt: skip
