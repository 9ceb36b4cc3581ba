"""Purchases of guests, as the tests of the traces need them."""

from sqlalchemy import select

from app.catalog.models import Course
from app.checkout.models import Order
from app.db import db
from app.enrollment.seats import claim_seat
from app.mail.models import Message
from app.mail.rendering import render_message
from tests.checkout.conftest import Shop


def buy_as_guest(shop: Shop, course: Course, email: str = "gia@example.org") -> str:
    """A guest's paid order, its mails sent; gives the order's public id."""
    started = shop.begin(course, browser="gia")
    shop.pay(started, email=email)
    shop.deliver_all()
    return started.order_public_id


def claim(email: str) -> None:
    """Open the newest claim link in the address's mails."""
    db.session.rollback()
    mail = db.session.scalars(
        select(Message).where(Message.to_address == email, Message.key.startswith("claim:")).order_by(Message.id.desc())
    ).first()
    assert mail is not None
    text = render_message(mail).text
    claim_seat(text.partition("/seats/claim/")[2].split()[0])


def payment_intent(shop: Shop, order_public_id: str) -> str:
    db.session.rollback()
    found = db.session.scalars(select(Order.stripe_payment_intent_id).where(Order.public_id == order_public_id)).one()
    assert found is not None
    return found
