"""Which order of ours a Stripe object belongs to. Only reads; what follows from it is the caller's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import current_app
from sqlalchemy import or_, select

from app.checkout.findings import close_finding, list_open_findings, record_finding
from app.checkout.models import CheckoutAttempt, LedgerEntry, Order
from app.config import Settings
from app.db import db


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """The order, or the public id that ours ought to have; neither: the object is another app's."""

    order: Order | None = None
    unknown_order: str | None = None


def find_owner(*, metadata: Mapping[str, Any] | None, stripe_ids: Iterable[str | None]) -> Owner:
    """By what the metadata says, else by the ids of the object and of the objects it names."""
    settings: Settings = current_app.config["SETTINGS"]
    named = (metadata or {}).get("order")
    if isinstance(named, str) and (metadata or {}).get("app_id") == settings.stripe_app_id:
        order = db.session.scalar(select(Order).where(Order.public_id == named))
        return Owner(order=order, unknown_order=named if order is None else None)
    ids = [each for each in stripe_ids if each is not None]
    attempts = select(CheckoutAttempt.order_id).where(CheckoutAttempt.stripe_checkout_session_id.in_(ids))
    entries = select(LedgerEntry.order_id).where(LedgerEntry.stripe_object_id.in_(ids))
    order = db.session.scalar(
        select(Order)
        .where(or_(Order.stripe_payment_intent_id.in_(ids), Order.id.in_(attempts), Order.id.in_(entries)))
        .limit(1)
    )
    return Owner(order=order)


def report_unknown_order(public_id: str) -> None:
    """Stripe has an object of ours for an order that is not there (P9): a person must look. Once for each order."""
    record_finding(
        key=f"unknown_order:{public_id}",
        order_id=None,
        kind="unknown_order",
        detail=f"Stripe names the order {public_id[:60]}, which this shop does not know.",
    )


def close_found_orders() -> None:
    """Take orders off the list of unknown ones that are there by now, as after a restored backup."""
    for finding in list_open_findings():
        named = finding.key.partition(":")[2]
        if finding.kind == "unknown_order" and db.session.scalar(select(Order.id).where(Order.public_id == named)):
            close_finding(key=finding.key, resolution="The order is known now.")
