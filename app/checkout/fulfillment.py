"""What a first payment buys: the seats of each item, the buyer's own place, the mails that give the others away.

Steps of settle(), inside its transaction().
"""

from sqlalchemy import select

from app.accounts.models import User
from app.checkout.models import Gift, Order, OrderItem
from app.checkout.seat_orders import describe_occasion
from app.db import db
from app.enrollment.models import Seat
from app.enrollment.seat_mails import queue_invitation, queue_seat_lost
from app.enrollment.seats import issue_seats, seat_user


def fulfill(order: Order) -> None:
    """Issue the order's seats and let their holders know. Once, however often it is called."""
    gift = db.session.get(Gift, order.id)
    for item in order.items:
        seat_ids = issue_seats(
            order_item_id=item.id,
            product_id=item.product_id,
            courses=item.courses,
            invited_emails=_list_invited(order, item, gift),
            gift_message=gift.message if gift is not None else "",
        )
        occasion = describe_occasion(order, item, gift, email=order.email)
        if gift is not None:
            queue_invitation(seat_id=seat_ids[0], occasion=occasion, send_after=gift.send_at)
        elif order.takes_seat and order.user_id is not None:
            seat_user(seat_id=seat_ids[0], user_id=order.user_id)
        elif order.takes_seat and order.email is not None:
            queue_invitation(seat_id=seat_ids[0], occasion=occasion)


def tell_about_lost_seats(order: Order) -> None:
    """Write to the learners whose seats went back with the money, but not to the buyer, who knows. Once for each seat.

    Somebody whose invitation ends unused hears nothing: their link says so when they follow it.
    """
    titles = {item.id: tuple(course["title"] for course in item.courses) for item in order.items}
    lost = db.session.execute(
        select(Seat.id, Seat.order_item_id, User.email)
        .join(User, User.id == Seat.claimed_by_id)
        .where(Seat.order_item_id.in_(titles), Seat.status == "revoked")
        .where(User.id.is_distinct_from(order.user_id), User.email.is_distinct_from(order.email))
    ).all()
    for seat in lost:
        queue_seat_lost(seat_id=seat.id, to_address=seat.email, titles=titles[seat.order_item_id], cause="refunded")


def _list_invited(order: Order, item: OrderItem, gift: Gift | None) -> list[str | None]:
    """Whom each of the item's seats is for: a gift's recipient, the buyer, or nobody yet."""
    if gift is not None:
        return [gift.recipient_email]
    first = order.email if order.takes_seat else None
    return [first] + [None] * (item.quantity - 1)
