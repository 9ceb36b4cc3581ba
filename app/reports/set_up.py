"""The first steps of a new shop, each ticked by what is there: nobody has to say that a step is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import current_app
from sqlalchemy import Select, select

from app.catalog.models import Course, Price
from app.checkout.models import Order
from app.config import SANDBOX_SECRET_KEY, Settings
from app.db import db
from app.payments.models import StripeEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step. key: "stripe", "webhook", "course", "price" or "order"; slug of a course to buy, for the last."""

    key: str
    title: str
    why: str
    is_done: bool
    slug: str = ""


def list_set_up_steps() -> Sequence[Step]:
    """The five steps in their order. A step that was done once stays done."""
    settings: Settings = current_app.config["SETTINGS"]
    is_sandbox = settings.stripe_secret_key == SANDBOX_SECRET_KEY
    return (
        Step(
            key="stripe",
            title="Connect Stripe",
            why="The offline sandbox stands in for Stripe: it takes test cards and moves no money. "
            "Set STRIPE_SECRET_KEY when you have an account."
            if is_sandbox
            else "Set STRIPE_SECRET_KEY. A test key lets you try everything without moving money.",
            is_done=bool(settings.stripe_secret_key),
        ),
        Step(
            key="webhook",
            title="Hear from Stripe",
            why="Stripe tells the shop what was paid. This ticks when its first event arrives; a purchase sends one.",
            is_done=_has(select(StripeEvent.id)),
        ),
        Step(
            key="course",
            title="Publish your first course",
            why="Give it a title, a promise and a first lesson.",
            is_done=_has(select(Course.id).where(Course.published_at.is_not(None))),
        ),
        Step(
            key="price",
            title="Give it a price",
            why="Enroll appears on the course’s page with the price in it.",
            is_done=_has(select(Price.id).where(Price.activated_at.is_not(None))),
        ),
        Step(
            key="order",
            title="Place a test order",
            why="Buy a course yourself with the card 4242 4242 4242 4242, and see what your learners will see.",
            is_done=_has(select(Order.id).where(Order.number.is_not(None))),
            slug=db.session.scalar(select(Course.slug).where(Course.status == "published").order_by(Course.id)) or "",
        ),
    )


def _has(query: Select[Any]) -> bool:
    return db.session.scalar(query.limit(1)) is not None
