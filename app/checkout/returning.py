"""The buyer is back: settle at once, whether or not the webhook came."""

from datetime import timedelta

from sqlalchemy import select

from app import clock
from app.checkout.models import Order
from app.checkout.settle import settle
from app.db import db

# The waiting page asks every two seconds, perhaps in several tabs: Stripe is asked no more often than this.
SHORTEST_INTERVAL = timedelta(seconds=1)
OPEN_STATES = ("pending", "processing")


def settle_for_return(*, order_public_id: str, session_id: str | None) -> None:
    """Settle an order that is still open, at most once a second. Raises what settle() raises."""
    order = db.session.scalar(
        select(Order).where(Order.public_id == order_public_id).execution_options(populate_existing=True)
    )
    if order is None or order.state not in OPEN_STATES:
        return
    if order.read_started_at is not None and clock.now() - order.read_started_at < SHORTEST_INTERVAL:
        return
    settle(order_id=order.id, session_id=session_id)
