"""Checkout Sessions of an order: opened with a stored key, found again when the answer was lost (F40, F41)."""

from contextlib import suppress
from datetime import timedelta

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import selectinload

from app import clock
from app.catalog.models import Price
from app.checkout.errors import CheckoutChanged
from app.checkout.mirror import mirror_discount
from app.checkout.models import CheckoutAttempt, Order, OrderItem
from app.checkout.touches import make_touch_metadata
from app.config import current_settings
from app.db import db, insert_once, retry_conflicts, transaction
from app.payments.facts import CheckoutFacts, Metadata
from app.payments.gateway import (
    IdempotencyMismatch,
    LineItem,
    PaymentRefused,
    PaymentUnavailable,
    SessionRequest,
    create_checkout_session,
    expire_checkout_session,
    list_checkout_sessions,
)

log = structlog.get_logger()

# Stripe's clock and ours may differ by this much: when sessions are looked up by their time, and in their life (F26).
CLOCK_SKEW = timedelta(minutes=10)
# A key whose first answer was an error gives that answer for a day (F41). A look-up that still finds no session this
# long afterwards says that the call never took effect; only then a new key is safe.
FRESH_KEY_AFTER = timedelta(minutes=2)
# Stripe's bounds for a session's life, which it measures by its own clock.
SHORTEST_LIFE, LONGEST_LIFE = timedelta(minutes=30), timedelta(days=1)


def open_session(*, order_id: int) -> CheckoutAttempt:
    """The order's open session: the stored one, or one asked of Stripe under the stored key.

    Raises PaymentUnavailable when the outcome is unknown: the next call asks again with the same key. CheckoutChanged
    when the order was closed meanwhile.
    """
    attempt = _get_attempt(order_id)
    if attempt.stripe_checkout_session_id is not None:
        return attempt
    try:
        facts = create_checkout_session(_make_request(order_id, attempt))
    except PaymentRefused as error:
        # F43: something that goes to Stripe changed between two tries, such as PUBLIC_URL, so the key is spent. Or the
        # first try is so long ago that its expires_at is too near; refused parameters are not kept under a key.
        if not isinstance(error, IdempotencyMismatch) and attempt.expires_at > clock.now() + SHORTEST_LIFE:
            raise
        attempt = _begin_attempt(order_id=order_id, number=attempt.number + 1)
        facts = create_checkout_session(_make_request(order_id, attempt))
    except PaymentUnavailable:
        facts = _find_lost_session(order_id, attempt)
    save_session(attempt_id=attempt.id, facts=facts)
    _refuse_left(order_id, facts)
    return _get_attempt(order_id)


def _refuse_left(order_id: int, facts: CheckoutFacts) -> None:
    """The buyer chose anew, in another tab, while Stripe made this session: nobody may pay on it any more."""
    order = db.session.get_one(Order, order_id, populate_existing=True)
    if order.state != "expired":
        return
    with suppress(PaymentRefused):
        expire_checkout_session(facts.id)
    raise CheckoutChanged


@retry_conflicts
def save_session(*, attempt_id: int, facts: CheckoutFacts) -> None:
    """Store what Stripe answered; a second caller with the same answer changes nothing."""
    with transaction() as session:
        session.execute(
            update(CheckoutAttempt)
            .where(CheckoutAttempt.id == attempt_id, CheckoutAttempt.stripe_checkout_session_id.is_(None))
            .values(stripe_checkout_session_id=facts.id, url=facts.url, expires_at=facts.expires_at)
        )


def make_metadata(order: Order, attempt_number: int) -> Metadata:
    """What ties a Stripe object to us: the installation, the order, the attempt."""
    settings = current_settings()
    return {"app_id": settings.stripe_app_id, "order": order.public_id, "attempt": str(attempt_number)}


def carries(facts: CheckoutFacts, metadata: Metadata) -> bool:
    """Whether a session is the one with this metadata; what else is written on it does not matter."""
    return all(facts.metadata.get(name) == value for name, value in metadata.items())


def find_session_of_order(order: Order, attempt: CheckoutAttempt) -> CheckoutFacts | None:
    """Look through Stripe's list for the session that carries this order and attempt."""
    wanted = make_metadata(order, attempt.number)
    for facts in list_checkout_sessions(created_since=attempt.created_at - CLOCK_SKEW):
        if carries(facts, wanted):
            return facts
    return None


def _find_lost_session(order_id: int, attempt: CheckoutAttempt) -> CheckoutFacts:
    order = db.session.get_one(Order, order_id)
    facts = find_session_of_order(order, attempt)
    if facts is not None:
        log.info("session_found_again", order=order.public_id)
        return facts
    if attempt.created_at + FRESH_KEY_AFTER < clock.now():
        _begin_attempt(order_id=order_id, number=attempt.number + 1)
    raise PaymentUnavailable


def _get_attempt(order_id: int) -> CheckoutAttempt:
    return db.session.scalars(
        select(CheckoutAttempt)
        .where(CheckoutAttempt.order_id == order_id)
        .order_by(CheckoutAttempt.number.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    ).one()


@retry_conflicts
def _begin_attempt(*, order_id: int, number: int) -> CheckoutAttempt:
    with transaction() as session:
        add_attempt(session.get_one(Order, order_id), number=number)
    return _get_attempt(order_id)


def add_attempt(order: Order, *, number: int) -> None:
    """Write down a try to open a session, with its idempotency key, once each. Inside transaction()."""
    settings = current_settings()
    moment = clock.now()
    wanted = timedelta(minutes=settings.checkout_expires_minutes)
    lifetime = min(max(wanted, SHORTEST_LIFE + CLOCK_SKEW), LONGEST_LIFE - CLOCK_SKEW)
    # Whole seconds, as Stripe stores them.
    expires_at = (moment + lifetime + timedelta(seconds=30)).replace(microsecond=0)
    insert_once(
        CheckoutAttempt,
        {
            "order_id": order.id,
            "number": number,
            "idempotency_key": f"checkout:{order.public_id}:{number}",
            "expires_at": expires_at,
            "created_at": moment,
        },
        unique=["order_id", "number"],
    )


def _make_request(order_id: int, attempt: CheckoutAttempt) -> SessionRequest:
    settings = current_settings()
    order = db.session.get_one(Order, order_id, options=[selectinload(Order.items)], populate_existing=True)
    stripe_price_ids = {
        row.id: row.stripe_price_id
        for row in db.session.execute(
            select(OrderItem.id, Price.stripe_price_id)
            .join(Price, Price.id == OrderItem.price_id)
            .where(OrderItem.order_id == order_id)
        )
    }
    lines = []
    for item in order.items:
        stripe_price_id = stripe_price_ids[item.id]
        if stripe_price_id is None:
            raise PaymentRefused
        lines.append(LineItem(stripe_price_id=stripe_price_id, quantity=item.quantity))
    return SessionRequest(
        order_public_id=order.public_id,
        idempotency_key=attempt.idempotency_key,
        line_items=tuple(lines),
        stripe_coupon_id=mirror_discount(order),
        customer_email=order.email,
        is_tax_enabled=settings.is_tax_enabled,
        collects_tax_id=settings.collects_tax_ids,
        makes_invoice=settings.makes_invoices,
        success_url=settings.public_url + "/checkout/success?session_id={CHECKOUT_SESSION_ID}",
        cancel_url=f"{settings.public_url}/checkout/cancelled?order={order.public_id}",
        expires_at=attempt.expires_at,
        metadata=make_metadata(order, attempt.number),
        origin_metadata=make_touch_metadata(order_id),
    )
