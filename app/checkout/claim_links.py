"""Send a claim link again, for whoever holds a link to its trace or for staff: to the invited address, nowhere else."""

from sqlalchemy import select

from app.audit import record_audit
from app.checkout.models import Order, OrderItem
from app.checkout.seat_orders import find_occasion
from app.db import db, retry_conflicts, transaction
from app.enrollment.invitations import (
    MailboxRests,
    NotInvited,
    NotSentYet,
    SentRecently,
    resend_invitation,
    send_invitation_again,
)
from app.enrollment.models import Seat
from app.enrollment.seats import SeatClosed
from app.errors import NotFound


@retry_conflicts
def resend_claim_link_for_staff(*, order_public_id: str, seat_public_id: str) -> str:
    """Send the link of one of the order's seats once more and note it; gives the address.

    Raises what resend_invitation() raises: NotFound, NotInvited, SeatClosed, SentRecently, NotSentYet, MailboxRests.
    """
    item_id = db.session.scalar(
        select(Seat.order_item_id)
        .join(OrderItem, OrderItem.id == Seat.order_item_id)
        .join(Order, Order.id == OrderItem.order_id)
        .where(Order.public_id == order_public_id, Seat.public_id == seat_public_id)
    )
    invited = db.session.scalar(select(Seat.invited_email).where(Seat.public_id == seat_public_id))
    if item_id is None:
        raise NotFound("There is no such seat.")
    if invited is None:
        raise NotInvited
    occasion = find_occasion(order_item_id=item_id, email=invited)
    with transaction():
        address = send_invitation_again(order_item_id=item_id, seat_public_id=seat_public_id, occasion=occasion)
        record_audit(
            action="order.claim_link_resent", subject_type="order", subject_id=order_public_id,
            after={"seat": seat_public_id, "email": address},
        )  # fmt: skip
    return address


def resend_claim_link(*, seat_public_id: str) -> bool:
    """resend_invitation() that refuses nobody aloud: whoever asks may not learn what stands in the way.

    Returns whether a mail was queued: False for a seat that is taken, closed, unknown or nobody’s, while a gift waits
    for its day, within 10 minutes of the last mail, and when the address has had its share of today.
    """
    seat = db.session.execute(
        select(Seat.order_item_id, Seat.invited_email).where(Seat.public_id == seat_public_id)
    ).one_or_none()
    if seat is None or seat.invited_email is None:
        return False
    try:
        resend_invitation(
            order_item_id=seat.order_item_id,
            seat_public_id=seat_public_id,
            occasion=find_occasion(order_item_id=seat.order_item_id, email=seat.invited_email),
        )
    except (NotFound, NotInvited, SeatClosed, SentRecently, NotSentYet, MailboxRests):
        return False
    return True
