"""Paid orders with their ledger, written directly at exact moments: what reports add up."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

from flask import current_app
from sqlalchemy import select

from app.catalog.models import Course, ProductCourse
from app.checkout.models import LedgerEntry, Order, OrderItem, PromotionRedemption, TouchPoint
from app.db import db, make_public_id, transaction
from tests.factories import get_price

_numbers = count(1)


@contextmanager
def shop_zone(name: str) -> Iterator[None]:
    """The shop in another time zone for a while."""
    settings = current_app.config["SETTINGS"]
    current_app.config["SETTINGS"] = replace(settings, site_timezone=name)
    try:
        yield
    finally:
        current_app.config["SETTINGS"] = settings


def sell(
    course: Course,
    *,
    at: datetime,
    amount: int = 9700,
    currency: str = "usd",
    tax: int = 0,
    quantity: int = 1,
    email: str = "",
    path: Sequence[tuple[int | None, str]] = (),
    utm: dict[str, str] | None = None,
    code_id: int | None = None,
    **values: Any,
) -> Order:
    """An order of amount (and tax on top), paid at once. path: (post id, place) from the first to the last."""
    number = next(_numbers)
    product_id = db.session.scalars(select(ProductCourse.product_id).where(ProductCourse.course_id == course.id)).one()
    price = get_price(course)
    with transaction() as session:
        order = Order(
            **{
                "public_id": make_public_id("ord"), "number": 700_000 + number, "buyer_key": f"browser:{number}",
                "choice_key": f"choice-{number}", "email": email or f"buyer{number}@example.org", "livemode": False,
                "currency": currency, "subtotal_amount": amount, "total_amount": amount, "tax_amount": tax,
                "state": "paid", "paid_at": at, "created_at": at, **values,
            }
        )  # fmt: skip
        session.add(order)
        session.flush()
        session.add(
            OrderItem(
                order_id=order.id, product_id=product_id, price_id=price.id, title=course.title, currency=currency,
                unit_amount=amount // quantity, quantity=quantity, held_quantity=quantity, subtotal_amount=amount,
                total_amount=amount, courses=[], refund_days=14,
            )
        )  # fmt: skip
        if code_id is not None:
            session.add(
                PromotionRedemption(
                    order_id=order.id, promotion_code_id=code_id, customer_key="x", amount=500, status="redeemed",
                    created_at=at,
                )
            )  # fmt: skip
        steps = path or ([(None, "")] if utm else [])
        for position, (post_id, place) in enumerate(steps):
            is_last = position == len(steps) - 1
            session.add(
                TouchPoint(
                    order_id=order.id, post_id=post_id, position=position, is_last=is_last, place=place,
                    utm=(utm or {}) if is_last else {}, touched_at=at,
                )
            )  # fmt: skip
    move(order, "payment", order.charged_amount, at=at)
    db.session.expunge_all()
    return order


def move(order: Order, kind: str, amount: int, *, at: datetime) -> None:
    """A movement in the order's ledger."""
    with transaction() as session:
        session.add(
            LedgerEntry(
                order_id=order.id, kind=kind, stripe_object_id=f"obj_{next(_numbers)}", amount=amount,
                currency=order.currency, occurred_at=at, recorded_at=at,
            )
        )  # fmt: skip
