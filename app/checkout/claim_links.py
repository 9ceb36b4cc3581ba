"""Send a claim link again for whoever holds a link to its trace: to the address that is invited, and nowhere else."""

from sqlalchemy import select

from app.checkout.seat_orders import find_occasion
from app.db import db
from app.enrollment.invitations import MailboxRests, NotInvited, NotSentYet, SentRecently, resend_invitation
from app.enrollment.models import Seat
from app.enrollment.seats import SeatClosed
from app.errors import NotFound


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
