"""Rows of purchases written directly, for combinations that a test would need many payments to reach."""

from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import select

from app import clock
from app.accounts.models import User
from app.catalog.models import Course, ProductCourse
from app.checkout.models import Gift, LedgerEntry, Order, OrderItem, RefundRequest
from app.db import db, make_public_id, transaction
from app.enrollment.models import Grant, Seat
from app.mail.models import Message
from app.reports.access_shape import AccessTrace
from tests.factories import get_price

_numbers = count(1)


def make_order(*courses: Course, buyer: User | None = None, email: str | None = None, **values: Any) -> Order:
    """A paid order of one seat in the courses, without ledger and seats; the first course's price and product."""
    number = next(_numbers)
    moment = clock.now()
    price = get_price(courses[0])
    quantity = values.pop("quantity", 1)
    product_id = db.session.scalar(select(ProductCourse.product_id).where(ProductCourse.course_id == courses[0].id))
    with transaction() as session:
        order = Order(
            **{
                "public_id": make_public_id("ord"),
                "number": 500_000 + number,
                "buyer_key": f"user:{buyer.id}" if buyer is not None else f"browser:{number}",
                "choice_key": f"choice-{number}",
                "user_id": buyer.id if buyer is not None else None,
                "email": buyer.email if buyer is not None else email,
                "livemode": False,
                "currency": "usd",
                "subtotal_amount": 9700 * quantity,
                "total_amount": 9700 * quantity,
                "state": "paid",
                "paid_at": moment,
                "created_at": moment,
                **values,
            }
        )
        session.add(order)
        session.flush()
        session.add(
            OrderItem(
                order_id=order.id,
                product_id=product_id,
                price_id=price.id,
                title=courses[0].title,
                currency="usd",
                unit_amount=9700,
                quantity=quantity,
                held_quantity=quantity,
                subtotal_amount=9700 * quantity,
                total_amount=9700 * quantity,
                courses=[{"course_id": each.id, "title": each.title, "access_days": None} for each in courses],
                refund_days=14,
            )
        )
        if order.number is not None:
            _add_entry(order.id, "payment", 9700 * quantity)
    db.session.expunge(order)
    return order


def add_entry(order: Order, kind: str, amount: int = 9700, **values: Any) -> None:
    """A fact in the order's ledger."""
    with transaction():
        _add_entry(order.id, kind, amount, **values)


def make_seat(order: Order, *, holder: User | None = None, email: str | None = None, **values: Any) -> Seat:
    """A seat of the order, active; taken by holder, or free and invited to email."""
    moment = clock.now()
    with transaction() as session:
        item = session.scalars(select(OrderItem).where(OrderItem.order_id == order.id)).one()
        taken = len(session.scalars(select(Seat.id).where(Seat.order_item_id == item.id)).all())
        invited = email or (holder.email if holder is not None else None)
        seat = Seat(
            **{
                "public_id": make_public_id("seat"),
                "order_item_id": item.id,
                "product_id": item.product_id,
                "position": taken + 1,
                "invited_email": invited,
                "invited_at": moment if invited is not None else None,
                "claimed_by_id": holder.id if holder is not None else None,
                "claimed_at": moment if holder is not None else None,
                "courses": [{"course_id": each["course_id"], "access_days": None} for each in item.courses],
                "created_at": moment,
                **values,
            }
        )
        session.add(seat)
    db.session.expunge(seat)
    return seat


def make_grant(user: User, course: Course, *, seat: Seat | None = None, **values: Any) -> int:
    """A grant, live unless values say otherwise; by hand without a seat."""
    with transaction() as session:
        grant = Grant(
            **{
                "user_id": user.id,
                "course_id": course.id,
                "seat_id": seat.id if seat is not None else None,
                "granted_at": clock.now(),
                **values,
            }
        )
        session.add(grant)
        session.flush()
        return grant.id


def make_gift(order: Order, *, email: str, send_at: datetime | None = None) -> None:
    """Makes the order a gift to the address."""
    with transaction() as session:
        session.add(
            Gift(order_id=order.id, recipient_email=email, recipient_name="Rosa", giver_name="Gil", send_at=send_at)
        )


def make_link_mail(seat: Seat, **values: Any) -> None:
    """The mail with the seat's present link; sent now unless values say otherwise."""
    moment = clock.now()
    with transaction() as session:
        session.add(
            Message(
                **{
                    "key": f"claim:{seat.public_id}:{seat.claim_version}",
                    "template": "claim_seat",
                    "to_address": seat.invited_email,
                    "data": {},
                    "message_id": f"<{make_public_id('msg')}@localhost>",
                    "created_at": moment,
                    "send_after": moment,
                    "attempt_count": 1,
                    "sent_at": moment,
                    **values,
                }
            )
        )


def make_refund_request(order: Order, *, seat: Seat | None = None, amount: int = 9700, **values: Any) -> int:
    """A wish to give money back."""
    with transaction() as session:
        request = RefundRequest(
            **{
                "public_id": make_public_id("rfr"),
                "order_id": order.id,
                "seat_id": seat.id if seat is not None else None,
                "request_key": make_public_id("key"),
                "amount": amount,
                "currency": "usd",
                "stripe_charge_id": "ch_1",
                "next_attempt_at": clock.now(),
                "created_at": clock.now(),
                **values,
            }
        )
        session.add(request)
        session.flush()
        return request.id


def tell(trace: AccessTrace) -> list[tuple[str, str, str]]:
    """The chain as (kind, state, sentence)."""
    return [(step.kind, step.state, step.sentence) for step in trace.steps]


def _add_entry(order_id: int, kind: str, amount: int, **values: Any) -> None:
    number = next(_numbers)
    db.session.add(
        LedgerEntry(
            **{
                "order_id": order_id,
                "kind": kind,
                "stripe_object_id": f"obj_{number}",
                "amount": amount,
                "currency": "usd",
                "occurred_at": clock.now(),
                "recorded_at": clock.now(),
                **values,
            }
        )
    )
