"""Find my order: the mails of an order once more, to the address that paid and to nobody else."""

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app import clock
from app.checkout.models import Order
from app.checkout.numbers import format_order_number
from app.checkout.receipts import queue_receipt
from app.db import retry_conflicts, transaction
from app.enrollment.models import Seat
from app.enrollment.seat_mails import Occasion, queue_invitation

MOST_ORDERS = 5


@retry_conflicts
def resend_order_mails(*, email: str) -> None:
    """Queue the receipts, and the claim links of seats nobody took, of this address's latest orders.

    At most once an hour for each order, whoever asks (attack A79); says nothing about whether there are any.
    """
    again = clock.now().strftime("%Y%m%d%H")
    with transaction() as session:
        orders = session.scalars(
            select(Order)
            .options(selectinload(Order.items))
            .where(Order.email == email, Order.number.is_not(None))
            .order_by(Order.id.desc())
            .limit(MOST_ORDERS)
        ).all()
        for order in orders:
            queue_receipt(order, again=again)
            items = {item.id: item for item in order.items}
            seats = session.scalars(
                select(Seat).where(
                    Seat.order_item_id.in_(items),
                    Seat.claimed_by_id.is_(None),
                    Seat.status == "active",
                    Seat.invited_email == email,
                )
            )
            for seat in seats:
                occasion = Occasion(
                    titles=tuple(course["title"] for course in items[seat.order_item_id].courses),
                    order_number=format_order_number(order.number),
                )
                queue_invitation(seat_id=seat.id, occasion=occasion, again=again)
