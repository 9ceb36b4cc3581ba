"""The first block of start_checkout(): the order with its snapshot, its holds and its attempt, in one transaction."""

from datetime import timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from app import clock
from app.accounts.models import User
from app.catalog.models import Price
from app.catalog.price_rules import in_force
from app.checkout.choices import Buyer, Choice, Wish
from app.checkout.consents import record_consents
from app.checkout.errors import CheckoutChanged, EmailNeeded, NotOnSale, SoldOut
from app.checkout.holds import hold_seats, reserve_code
from app.checkout.models import Gift, Order, OrderItem
from app.checkout.ownership import find_ownership, refuse_sent_before
from app.checkout.quote import Quote
from app.checkout.sessions import add_attempt
from app.checkout.touches import Origin, add_touch_points
from app.config import current_settings
from app.db import db, make_public_id, retry_conflicts, transaction

log = structlog.get_logger()


def find_open_order(choice: Choice, buyer: Buyer) -> Order | None:
    """The one order of this buyer for this product that can still be paid."""
    return db.session.scalar(
        select(Order)
        .options(selectinload(Order.attempts))
        .where(Order.buyer_key == buyer.key, Order.choice_key == choice.key, Order.state == "pending")
    )


@retry_conflicts
def begin_order(choice: Choice, buyer: Buyer, wish: Wish, quote: Quote, *, digest: str, origin: Origin) -> Order:
    """Write the order and hold what it needs, or give back the row that another click has just written.

    The caller compares the digest: that row may be of another wish. Raises AlreadyEnrolled, SoldOut, CodeUnusable,
    NotOnSale, EmailNeeded (a code counts its uses by person), CheckoutChanged (that row ended while this one waited for
    it); nothing is written then.
    """
    try:
        with transaction() as session:
            order = find_open_order(choice, buyer)
            if order is None:
                order = _insert_order(session, choice, buyer, wish, quote, digest=digest)
                add_touch_points(session, order, origin)
                log.info("order_begun", order=order.public_id, purpose=order.purpose)
            return order
    except IntegrityError as error:
        order = find_open_order(choice, buyer)
        if order is None:
            # The order that stood in the way is not open any more: paid, where it needed no Stripe, or closed.
            _refuse_owned(choice, buyer, wish, digest)
            raise CheckoutChanged from error
        return order


def _refuse_owned(choice: Choice, buyer: Buyer, wish: Wish, digest: str) -> None:
    owned = find_ownership(choice, buyer) if wish.takes_seat else None
    if owned is not None:
        raise owned
    refuse_sent_before(buyer, wish, digest)


def _insert_order(session: Session, choice: Choice, buyer: Buyer, wish: Wish, quote: Quote, *, digest: str) -> Order:
    settings = current_settings()
    moment = clock.now()
    email = buyer.email
    if buyer.user_id is not None:
        email = session.get_one(User, buyer.user_id).email
    price_id = session.scalar(select(Price.id).where(Price.id == choice.price.id, in_force()))
    if price_id is None:
        raise NotOnSale
    order = Order(
        public_id=make_public_id("ord"),
        buyer_key=buyer.key,
        choice_key=choice.key,
        choice_digest=digest,
        purpose=wish.purpose,
        takes_seat=wish.takes_seat,
        user_id=buyer.user_id,
        email=email,
        livemode=settings.is_livemode,
        currency=quote.currency,
        subtotal_amount=quote.subtotal_amount,
        discount_amount=quote.discount_amount,
        total_amount=quote.total_amount,
        withdrawal_days=settings.withdrawal_days if settings.has_withdrawal else None,
        created_at=moment,
        check_after=moment + timedelta(seconds=settings.reconcile_interval_seconds),
    )
    session.add(order)
    # Before anything is held: of two clicks at once the second waits here, on the unique index, and finds this row.
    session.flush()
    # What needs no Stripe is paid at once: the other click's order may be complete since this one looked.
    _refuse_owned(choice, buyer, wish, digest)
    item = OrderItem(
        order_id=order.id,
        product_id=choice.product.id,
        price_id=price_id,
        title=choice.product.title,
        currency=quote.currency,
        unit_amount=quote.unit_amount,
        quantity=quote.quantity,
        held_quantity=0,
        subtotal_amount=quote.subtotal_amount,
        discount_amount=quote.discount_amount,
        total_amount=quote.total_amount,
        courses=[
            {"course_id": each.id, "title": each.title, "access_days": each.access_days} for each in choice.courses
        ],
        refund_days=settings.refund_days,
    )
    session.add(item)
    session.flush()
    if not hold_seats(item, wanted=quote.quantity):
        raise SoldOut
    if quote.promotion_code is not None:
        if email is None and quote.promotion_code.per_customer_limit is not None:
            raise EmailNeeded
        reserve_code(
            order,
            promotion_code_id=quote.promotion_code.id,
            customer_key=f"email:{email}" if email is not None else buyer.key,
        )
    if wish.gift is not None:
        session.add(
            Gift(
                order_id=order.id,
                recipient_email=wish.gift.recipient_email,
                recipient_name=wish.gift.recipient_name,
                giver_name=wish.gift.giver_name,
                message=wish.gift.message,
                send_at=wish.gift.send_at,
            )
        )
    record_consents(order.id)
    add_attempt(order, number=1)
    session.flush()
    return order
