"""start_checkout(): block, call, block. The order is on disk before Stripe is asked, its session after."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from flask import current_app
from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload

from app import clock
from app.accounts.models import User
from app.catalog.models import Course, Price, Product, ProductCourse
from app.checkout.errors import AlreadyEnrolled, EmailNeeded, NotOnSale, SoldOut
from app.checkout.models import CheckoutAttempt, Order, OrderItem, TouchPoint
from app.checkout.sessions import open_session
from app.checkout.settle import settle, settle_free_order
from app.config import Settings
from app.db import db, make_public_id, retry_conflicts, transaction
from app.enrollment.services import list_open_course_ids
from app.payments.gateway import PaymentUnavailable, ensure_price, ensure_product

log = structlog.get_logger()

# A session that is about to close is not handed out again: typing a card takes longer.
SHORTEST_REMAINING = timedelta(minutes=2)
OWNED_STATES = ("processing", "paid", "partially_refunded", "disputed")
GUEST_ACCESS = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True, slots=True)
class Buyer:
    """Who presses Enroll: user_id of a signed-in person, else browser_key, a random id in the browser's cookie."""

    user_id: int | None
    browser_key: str
    email: str | None

    @property
    def key(self) -> str:
        return f"user:{self.user_id}" if self.user_id is not None else f"browser:{self.browser_key}"


@dataclass(frozen=True, kw_only=True, slots=True)
class StartedCheckout:
    """Where the buyer goes next; url is None when there is nothing to pay. Amounts in minor units of currency."""

    order_public_id: str
    url: str | None
    stripe_checkout_session_id: str | None
    expires_at: datetime | None
    total_amount: int
    currency: str
    state: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What is bought, read once and written into the order as its snapshot."""

    price: Price
    product: Product
    courses: tuple[Course, ...]

    @property
    def key(self) -> str:
        return f"{self.price.public_id}:1"


def start_checkout(
    *, price_public_id: str, buyer: Buyer, post_id: int | None = None, place: str = ""
) -> StartedCheckout:
    """Open, or find again, the one payable Checkout Session of this buyer for this price.

    Any number of calls, also at once, give the same order and session while it can be paid. Raises NotOnSale, SoldOut,
    AlreadyEnrolled, EmailNeeded (free price, guest without address), PaymentUnavailable (call again: same order, same
    idempotency key), PaymentRefused.
    """
    choice = _get_choice(price_public_id)
    _refuse_owned(choice, buyer)
    if choice.price.unit_amount == 0:
        return _enroll_for_free(choice, buyer, post_id=post_id, place=place)
    order = _find_open_order(choice, buyer)
    if order is not None:
        order = _bring_up_to_date(order)
        _refuse_bought(order)
    if order is None or order.state != "pending":
        order = _begin_order(choice, buyer, post_id=post_id, place=place)
    _mirror_price(choice)
    attempt = open_session(order_id=order.id)
    return StartedCheckout(
        order_public_id=order.public_id,
        url=attempt.url,
        stripe_checkout_session_id=attempt.stripe_checkout_session_id,
        expires_at=attempt.expires_at,
        total_amount=order.total_amount,
        currency=order.currency,
        state=order.state,
    )


def get_choice_for_page(price_public_id: str) -> Choice:
    """What our own checkout page shows. Raises NotOnSale."""
    return _get_choice(price_public_id)


def _get_choice(price_public_id: str) -> Choice:
    row = db.session.execute(
        select(Price, Product)
        .join(Product, Product.id == Price.product_id)
        .where(Price.public_id == price_public_id, Price.status == "active", Price.type == "one_time")
        .where(Product.status == "active")
    ).one_or_none()
    if row is None:
        raise NotOnSale
    courses = db.session.scalars(
        select(Course)
        .join(ProductCourse, ProductCourse.course_id == Course.id)
        .where(ProductCourse.product_id == row.Product.id)
        .order_by(ProductCourse.position)
    ).all()
    if not courses or any(course.status != "published" for course in courses):
        raise NotOnSale
    return Choice(price=row.Price, product=row.Product, courses=tuple(courses))


def _refuse_owned(choice: Choice, buyer: Buyer) -> None:
    owned_order = db.session.scalar(
        select(Order.public_id)
        .where(Order.buyer_key == buyer.key, Order.state.in_(OWNED_STATES))
        .where(Order.id.in_(select(OrderItem.order_id).where(OrderItem.product_id == choice.product.id)))
        .where(_is_lasting(buyer))
        .order_by(Order.id.desc())
        .limit(1)
    )
    if buyer.user_id is not None:
        open_ids = list_open_course_ids(user_id=buyer.user_id)
        if all(course.id in open_ids for course in choice.courses):
            raise AlreadyEnrolled(order_public_id=owned_order)
        # A paid order whose access ran out may be bought again; one still being confirmed may not.
        owned_order = db.session.scalar(
            select(Order.public_id)
            .where(Order.buyer_key == buyer.key, Order.state == "processing")
            .where(Order.id.in_(select(OrderItem.order_id).where(OrderItem.product_id == choice.product.id)))
        )
    if owned_order is not None:
        raise AlreadyEnrolled(order_public_id=owned_order)


def _is_lasting(buyer: Buyer) -> ColumnElement[bool]:
    """A guest's browser remembers a purchase for a day; after that it may belong to somebody else."""
    if buyer.user_id is not None:
        return Order.buyer_key == buyer.key
    return or_(Order.paid_at.is_(None), Order.paid_at > clock.now() - GUEST_ACCESS)


def _find_open_order(choice: Choice, buyer: Buyer) -> Order | None:
    return db.session.scalar(
        select(Order)
        .options(selectinload(Order.attempts))
        .where(Order.buyer_key == buyer.key, Order.choice_key == choice.key, Order.state == "pending")
    )


def _bring_up_to_date(order: Order) -> Order:
    """A session that was opened may have been paid or closed meanwhile: ask before it is handed out again."""
    attempt = order.attempts[-1]
    if attempt.stripe_checkout_session_id is None and attempt.expires_at - SHORTEST_REMAINING > clock.now():
        return order
    try:
        settle(order_id=order.id)
    except PaymentUnavailable:
        if attempt.expires_at - SHORTEST_REMAINING <= clock.now():
            raise
        log.info("checkout_reused_unread", order=order.public_id)
    return db.session.get_one(Order, order.id, populate_existing=True, options=[selectinload(Order.attempts)])


def _refuse_bought(order: Order) -> None:
    if order.state in OWNED_STATES:
        raise AlreadyEnrolled(order_public_id=order.public_id)


@retry_conflicts
def _begin_order(choice: Choice, buyer: Buyer, *, post_id: int | None, place: str) -> Order:
    """Write the order with its snapshot and hold a seat, or find the row that another click has just written."""
    try:
        return _insert_order(choice, buyer, post_id=post_id, place=place)
    except IntegrityError:
        order = _find_open_order(choice, buyer)
        if order is None:
            raise
        return order


def _insert_order(choice: Choice, buyer: Buyer, *, post_id: int | None, place: str) -> Order:
    settings: Settings = current_app.config["SETTINGS"]
    moment = clock.now()
    with transaction() as session:
        existing = _find_open_order(choice, buyer)
        if existing is not None:
            return existing
        try:
            _hold_capacity(choice.product.id)
        except SoldOut:
            # On PostgreSQL the update waited for whoever took the last seat: perhaps this buyer's own first click.
            existing = _find_open_order(choice, buyer)
            if existing is None:
                raise
            return existing
        email = buyer.email
        if buyer.user_id is not None:
            email = session.get_one(User, buyer.user_id).email
        price = session.get_one(Price, choice.price.id)
        if price.status != "active":
            raise NotOnSale
        order = Order(
            public_id=make_public_id("ord"),
            buyer_key=buyer.key,
            choice_key=choice.key,
            user_id=buyer.user_id,
            email=email,
            livemode=settings.is_livemode,
            currency=price.currency,
            subtotal_amount=price.unit_amount,
            total_amount=price.unit_amount,
            created_at=moment,
            check_after=moment + timedelta(seconds=settings.reconcile_interval_seconds),
        )
        session.add(order)
        session.flush()
        session.add(
            OrderItem(
                order_id=order.id,
                product_id=choice.product.id,
                price_id=price.id,
                title=choice.product.title,
                currency=price.currency,
                unit_amount=price.unit_amount,
                quantity=1,
                subtotal_amount=price.unit_amount,
                total_amount=price.unit_amount,
                courses=[
                    {"course_id": each.id, "title": each.title, "access_days": each.access_days}
                    for each in choice.courses
                ],
                refund_days=settings.refund_days,
            )
        )
        session.add(
            CheckoutAttempt(
                order_id=order.id,
                number=1,
                idempotency_key=f"checkout:{order.public_id}:1",
                # Stripe counts its minimum of 30 minutes from its own clock; whole seconds, as it stores them.
                expires_at=(moment + timedelta(minutes=settings.checkout_expires_minutes, seconds=30)).replace(
                    microsecond=0
                ),
                created_at=moment,
            )
        )
        if post_id is not None:
            session.add(TouchPoint(order_id=order.id, post_id=post_id, position=0, place=place[:20], touched_at=moment))
        session.flush()
        log.info("order_begun", order=order.public_id)
        return order


def _hold_capacity(product_id: int) -> None:
    held = db.session.execute(
        update(Product)
        .where(Product.id == product_id)
        .where(or_(Product.capacity.is_(None), Product.taken_seats < Product.capacity))
        .values(taken_seats=Product.taken_seats + 1)
        .returning(Product.id)
    ).scalar_one_or_none()
    if held is None:
        raise SoldOut


def _enroll_for_free(choice: Choice, buyer: Buyer, *, post_id: int | None, place: str) -> StartedCheckout:
    if buyer.user_id is None and buyer.email is None:
        raise EmailNeeded
    order = _begin_order(choice, buyer, post_id=post_id, place=place)
    settle_free_order(order_id=order.id)
    order = db.session.get_one(Order, order.id, populate_existing=True)
    return StartedCheckout(
        order_public_id=order.public_id,
        url=None,
        stripe_checkout_session_id=None,
        expires_at=None,
        total_amount=0,
        currency=order.currency,
        state=order.state,
    )


def _mirror_price(choice: Choice) -> None:
    """Make the Stripe Product and Price of ours when they are sold for the first time."""
    if choice.price.stripe_price_id is not None:
        return
    stripe_product_id = ensure_product(public_id=choice.product.public_id, title=choice.product.title)
    stripe_price_id = ensure_price(
        public_id=choice.price.public_id,
        stripe_product_id=stripe_product_id,
        unit_amount=choice.price.unit_amount,
        currency=choice.price.currency,
    )
    _save_mirror(
        product_id=choice.product.id,
        price_id=choice.price.id,
        stripe_product_id=stripe_product_id,
        stripe_price_id=stripe_price_id,
    )


@retry_conflicts
def _save_mirror(*, product_id: int, price_id: int, stripe_product_id: str, stripe_price_id: str) -> None:
    with transaction() as session:
        session.execute(update(Product).where(Product.id == product_id).values(stripe_product_id=stripe_product_id))
        session.execute(update(Price).where(Price.id == price_id).values(stripe_price_id=stripe_price_id))
