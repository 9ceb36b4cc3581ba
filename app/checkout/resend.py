"""The mails of an order once more, to the address that paid and to nobody else: by "Find my order", or by staff."""

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app import clock
from app.audit import record_audit
from app.checkout.models import Order
from app.checkout.numbers import format_order_number
from app.checkout.receipts import queue_receipt
from app.db import retry_conflicts, transaction
from app.enrollment.models import Seat
from app.enrollment.seat_mails import Occasion, queue_invitation
from app.errors import AppError, NotFound

MOST_ORDERS = 5


class ReceiptSentRecently(AppError):
    """The receipt went out within this hour."""

    code = "receipt_sent_recently"
    status = 429
    title = "The receipt is on its way"
    sentence = "It was sent again within this hour. Ask them to look in the spam folder, or try later."


class NoReceipt(AppError):
    """The order was not paid, or nobody's address is known."""

    code = "no_receipt"
    status = 409
    title = "There is no receipt yet"
    sentence = "A receipt goes out once the order is paid and an address is known."


@retry_conflicts
def resend_receipt(*, order_public_id: str) -> str:
    """Queue the receipt once more, at most once an hour; gives the address. Raises NotFound, NoReceipt,
    ReceiptSentRecently."""
    again = clock.now().strftime("%Y%m%d%H")
    with transaction() as session:
        order = session.scalar(
            select(Order).options(selectinload(Order.items)).where(Order.public_id == order_public_id)
        )
        if order is None:
            raise NotFound("There is no such order.")
        if order.number is None or order.email is None:
            raise NoReceipt
        if not queue_receipt(order, again=again):
            raise ReceiptSentRecently
        record_audit(
            action="order.receipt_resent",
            subject_type="order",
            subject_id=order.public_id,
            after={"email": order.email},
        )
        return order.email


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
