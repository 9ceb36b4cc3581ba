"""Orders that were paid, with their seats, made without a checkout; and what stands in the database about seats."""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import select

from app import clock
from app.accounts.models import User
from app.catalog.models import Course, Price
from app.checkout.fulfillment import fulfill
from app.checkout.models import Gift, Order, OrderItem
from app.db import db, make_public_id, transaction
from app.enrollment.models import Grant, Seat
from app.enrollment.seat_mails import CLAIM_PURPOSE, Occasion
from app.mail.models import Message
from app.mail.services import deliver_message, list_due_message_ids
from app.signing import sign_link
from tests.factories import get_price, make_course

BUYER = "buyer@example.org"
_numbers = count(2001)


@dataclass(frozen=True, kw_only=True)
class Sold:
    """A paid order of one item."""

    order_id: int
    public_id: str
    item_id: int
    course: Course
    price: Price
    seat_ids: list[int] = field(default_factory=list)

    def seats(self) -> list[Seat]:
        """The seats as the database has them."""
        db.session.rollback()
        query = select(Seat).where(Seat.order_item_id == self.item_id).order_by(Seat.position)
        return list(db.session.scalars(query.execution_options(populate_existing=True)))

    def seat(self, position: int = 1) -> Seat:
        return self.seats()[position - 1]

    @property
    def occasion(self) -> Occasion:
        return Occasion(titles=(self.course.title,), order_number="NSL-1", from_name="Maya Okafor")

    @property
    def order_link(self) -> str:
        return f"/orders/{sign_link('order', self.public_id)}"


def sell(
    *,
    quantity: int = 3,
    purpose: str = "team",
    takes_seat: bool = False,
    user: User | None = None,
    email: str | None = BUYER,
    course: Course | None = None,
    gift: dict[str, Any] | None = None,
    **values: Any,
) -> Sold:
    """A paid order and what it bought: as settle() leaves it."""
    course = course or make_course()
    price, moment = get_price(course), clock.now()
    with transaction() as session:
        order = Order(
            **{
                "public_id": make_public_id("ord"),
                "number": next(_numbers),
                "buyer_key": make_public_id("browser"),
                "choice_key": make_public_id("choice"),
                "purpose": purpose,
                "takes_seat": takes_seat,
                "user_id": user.id if user is not None else None,
                "email": email,
                "customer_name": "Maya Okafor",
                "livemode": False,
                "currency": price.currency,
                "subtotal_amount": price.unit_amount * quantity,
                "total_amount": price.unit_amount * quantity,
                "state": "paid",
                "paid_at": moment,
                "created_at": moment,
                **values,
            }
        )
        session.add(order)
        session.flush()
        item = OrderItem(
            order_id=order.id, product_id=price.product_id, price_id=price.id, title=course.title,
            currency=price.currency, unit_amount=price.unit_amount, quantity=quantity, held_quantity=quantity,
            subtotal_amount=price.unit_amount * quantity, total_amount=price.unit_amount * quantity,
            courses=[{"course_id": course.id, "title": course.title, "access_days": None}], refund_days=14,
        )  # fmt: skip
        session.add(item)
        if gift is not None:
            session.add(Gift(order_id=order.id, **gift))
        session.flush()
        session.refresh(order, ["items"])
        fulfill(order)
        sold = Sold(order_id=order.id, public_id=order.public_id, item_id=item.id, course=course, price=price)
        seat_ids = session.scalars(select(Seat.id).where(Seat.order_item_id == item.id).order_by(Seat.position))
        sold.seat_ids.extend(seat_ids)
    return sold


def sell_gift(*, send_at: datetime | None = None, message: str = "Happy birthday!", **values: Any) -> Sold:
    """A gift from Maya to Nia."""
    gift = {
        "recipient_email": "nia@example.org",
        "recipient_name": "Nia",
        "giver_name": "Maya Okafor",
        "message": message,
        "send_at": send_at,
    }
    return sell(quantity=1, purpose="gift", gift=gift, **values)


def claim_token(seat: Seat) -> str:
    """What the newest mail's link carries, signed now."""
    return sign_link(CLAIM_PURPOSE, [seat.public_id, seat.claim_version])


def mails(to_address: str | None = None, template: str | None = None) -> list[Message]:
    """The outbox, oldest first."""
    db.session.rollback()
    query = select(Message).order_by(Message.id).execution_options(populate_existing=True)
    if to_address is not None:
        query = query.where(Message.to_address == to_address)
    if template is not None:
        query = query.where(Message.template == template)
    return list(db.session.scalars(query))


def send_due() -> list[str]:
    """Do what the worker does with the outbox; gives the addresses that mails went to."""
    ids = list_due_message_ids()
    db.session.rollback()
    for message_id in ids:
        deliver_message(message_id)
    return [message.to_address for message in mails() if message.id in ids and message.sent_at is not None]


def live_grants(user_id: int) -> int:
    db.session.rollback()
    query = select(Grant.id).where(Grant.user_id == user_id, Grant.revoked_at.is_(None), Grant.suspended_at.is_(None))
    return len(db.session.scalars(query).all())
