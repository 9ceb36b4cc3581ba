"""Looks after orders that nobody came back for: asks Stripe by object, for its events are gone after 30 days."""

from datetime import timedelta

from flask import current_app
from sqlalchemy import select, update

from app import clock
from app.checkout.models import Order
from app.checkout.settle import settle
from app.config import Settings
from app.db import db, retry_conflicts, transaction


def list_orders_to_check(limit: int = 200) -> list[int]:
    """Orders whose time to be checked has come, oldest first."""
    return list(
        db.session.scalars(
            select(Order.id).where(Order.check_after <= clock.now()).order_by(Order.check_after).limit(limit)
        )
    )


def check_order(order_id: int) -> None:
    """Settle an order if it is due and no other worker is at it. When Stripe does not answer, a later check will."""
    if _claim_check(order_id):
        settle(order_id=order_id)


@retry_conflicts
def _claim_check(order_id: int) -> bool:
    settings: Settings = current_app.config["SETTINGS"]
    moment = clock.now()
    with transaction() as session:
        claimed = session.execute(
            update(Order)
            .where(Order.id == order_id, Order.check_after <= moment)
            .values(check_after=moment + timedelta(seconds=settings.reconcile_interval_seconds))
            .returning(Order.id)
        ).scalar_one_or_none()
    return claimed is not None
