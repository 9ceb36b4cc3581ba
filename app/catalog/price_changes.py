"""A change of price as a form asks for it: looked at first, then made by prices.py or price_plans.py."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app import clock
from app.catalog.price_plans import check_plan, check_sale, plan_price, plan_sale
from app.catalog.prices import check_chargeable, check_replacement, list_prices, replace_seen_price
from app.db import db
from app.errors import InvalidInput

NOW, LATER, ON_SALE = "now", "later", "sale"
KINDS = (NOW, LATER, ON_SALE)


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceChange:
    """kind: now, later (from starts_at on) or sale (from starts_at, None: from now, until ends_at). Moments are UTC.

    Amounts in minor units of currency. seen_price_id: the regular price that was looked at; None: there was none.
    """

    kind: str
    product_id: int
    currency: str
    unit_amount: int
    compare_at_amount: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    seen_price_id: str | None

    @property
    def amounts(self) -> dict[str, Any]:
        return {"unit_amount": self.unit_amount, "compare_at_amount": self.compare_at_amount}


def check_change(change: PriceChange) -> None:
    """Raises InvalidInput where make_change() would; writes nothing."""
    check_chargeable(change.unit_amount, change.currency)
    prices = list_prices(db.session(), change.product_id, change.currency)
    if change.kind == LATER:
        check_plan(prices, starts_at=_need(change.starts_at, "starts_at"), **change.amounts)
    elif change.kind == ON_SALE:
        check_sale(
            prices, starts_at=change.starts_at, ends_at=_need(change.ends_at, "ends_at"), **change.amounts
        )  # fmt: skip
    else:
        check_replacement(prices, moment=clock.now(), **change.amounts)


def make_change(change: PriceChange) -> None:
    """Make it; the same one twice is one. Raises InvalidInput, NotFound, PriceChanged."""
    terms = {"product_id": change.product_id, "currency": change.currency, **change.amounts}
    if change.kind == LATER:
        plan_price(starts_at=_need(change.starts_at, "starts_at"), **terms)
    elif change.kind == ON_SALE:
        plan_sale(starts_at=change.starts_at, ends_at=_need(change.ends_at, "ends_at"), **terms)
    else:
        replace_seen_price(seen_price_id=change.seen_price_id, **terms)


def _need(moment: datetime | None, field: str) -> datetime:
    """A plan without its moment must never become a change at once."""
    if moment is None:
        raise InvalidInput("Choose a day and time to come.", field=field)
    return moment
