"""Until when a buyer may withdraw from a contract, and the links to the page where they do.

Source: Directive 2011/83/EU, articles 9 to 11a and 16(m), and Regulation 1182/71, article 3: a period of days ends with
the last hour of its last day, and the day of the contract does not count (read 2026-11). No legal advice.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.checkout.models import Order, OrderConsent
from app.checkout.order_links import order_link_value
from app.config import current_settings
from app.db import db

WITHDRAWAL_PURPOSE = "withdrawal"
WAIVER = "eu_waiver"


@dataclass(frozen=True, kw_only=True, slots=True)
class WithdrawalTerms:
    """When the period ends (UTC), and whether the buyer gave the right up at checkout so that the course could open."""

    ends_at: datetime
    is_waived: bool


def find_withdrawal_terms(order: Order) -> WithdrawalTerms | None:
    """The terms of a paid order: those it was bought under, else the shop's present ones.

    None for what was never paid, and where the shop had no withdrawal function then and has none now.
    """
    settings = current_settings()
    days = order.withdrawal_days
    if days is None and settings.has_withdrawal:
        days = settings.withdrawal_days
    if days is None or order.paid_at is None or order.number is None:
        return None
    zone = ZoneInfo(settings.site_timezone)
    last_day = order.paid_at.astimezone(zone).date() + timedelta(days=days)
    waiver = db.session.scalar(
        select(OrderConsent.id).where(OrderConsent.order_id == order.id, OrderConsent.kind == WAIVER)
    )
    return WithdrawalTerms(
        ends_at=datetime.combine(last_day + timedelta(days=1), time(), zone), is_waived=waiver is not None
    )


def last_moment(ends_at: datetime) -> datetime:
    """A moment of the period's last day: its date is the last one that counts."""
    return ends_at - timedelta(seconds=1)


def describe_withdrawal_link(order: Order) -> dict[str, Any]:
    """The link of an order as a mail's data carries it: signed on rendering; it dies when the order moves on."""
    return {"path": "/withdraw/{token}", "purpose": WITHDRAWAL_PURPOSE, "value": order_link_value(order)}
