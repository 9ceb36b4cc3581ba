"""start_checkout(): block, call, block. The order is on disk before Stripe is asked, its session after."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import selectinload

from app import clock
from app.checkout.beginning import begin_order, find_open_order
from app.checkout.choices import Buyer, Choice, Wish, check_wish, get_choice, make_digest
from app.checkout.closing import close_open_order
from app.checkout.consents import check_consents
from app.checkout.errors import AlreadyEnrolled, CheckoutChanged, EmailNeeded
from app.checkout.mirror import mirror_price
from app.checkout.models import Order
from app.checkout.ownership import OWNED_STATES, find_ownership, refuse_sent_before
from app.checkout.quote import make_quote
from app.checkout.sessions import open_session
from app.checkout.settle import settle, settle_free_order
from app.checkout.touches import NOWHERE, Origin
from app.db import db
from app.payments.gateway import PaymentUnavailable

log = structlog.get_logger()

# A session that is about to close is not handed out again: typing a card takes longer.
SHORTEST_REMAINING = timedelta(minutes=2)


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


def start_checkout(
    *, price_public_id: str, buyer: Buyer, wish: Wish | None = None, origin: Origin = NOWHERE
) -> StartedCheckout:
    """Open, or find again, the one payable Checkout Session of this buyer for this product.

    Any number of calls with one wish, also at once, give the same order and session while it can be paid; another wish
    closes the earlier session at Stripe first. A total of zero is completed without Stripe.
    Raises NotOnSale, SoldOut, AlreadyEnrolled, CodeUnusable, ConsentNeeded, InvalidInput (a field of the wish),
    EmailNeeded (nothing to pay, or a code with a limit for each person, and a guest without address),
    CheckoutChanged (another tab chose anew meanwhile), PaymentUnavailable (call again: same order, same idempotency
    key), PaymentRefused.
    """
    wish = check_wish(wish or Wish())
    check_consents(wish.consents)
    choice = get_choice(price_public_id)
    owned = find_ownership(choice, buyer)
    if owned is not None and wish.takes_seat:
        if wish.purpose == "self":
            raise owned
        wish = replace(wish, takes_seat=False)
    quote = make_quote(choice, quantity=wish.quantity, code=wish.code, buyer_key=buyer.key)
    code = quote.promotion_code.code if quote.promotion_code is not None else ""
    digest = make_digest(choice, wish, code=code, email=buyer.email)
    refuse_sent_before(buyer, wish, digest)
    if quote.total_amount == 0 and buyer.user_id is None and buyer.email is None:
        raise EmailNeeded
    order = _find_payable(choice, buyer, digest)
    if order is None:
        order = begin_order(choice, buyer, wish, quote, digest=digest, origin=origin)
        if order.choice_digest != digest:
            # Two tabs chose differently in the same moment; the one that wrote first is being opened now.
            raise CheckoutChanged
    return _complete_free(order) if order.total_amount == 0 else _open(choice, order)


def _find_payable(choice: Choice, buyer: Buyer, digest: str) -> Order | None:
    """This buyer's open order for exactly this wish; one for another wish is closed at Stripe first."""
    order = find_open_order(choice, buyer)
    if order is None:
        return None
    is_same = order.choice_digest == digest
    order = _bring_up_to_date(order, may_skip=is_same)
    if order.state == "pending" and not is_same:
        order = close_open_order(order.id)
    if order.state in OWNED_STATES and (is_same or order.takes_seat):
        raise AlreadyEnrolled(order_public_id=order.public_id)
    if order.state == "pending" and not is_same:
        raise CheckoutChanged
    return order if order.state == "pending" else None


def _bring_up_to_date(order: Order, *, may_skip: bool) -> Order:
    """A session that was opened may have been paid or closed meanwhile: ask before it is handed out again.

    One whose answer was lost is looked for before it is asked for again: Stripe may have forgotten the key (F44).
    """
    attempt = order.attempts[-1]
    is_ending = attempt.expires_at - SHORTEST_REMAINING <= clock.now()
    try:
        settle(order_id=order.id)
    except PaymentUnavailable:
        if is_ending or not may_skip:
            raise
        log.info("checkout_reused_unread", order=order.public_id)
    return db.session.get_one(Order, order.id, populate_existing=True, options=[selectinload(Order.attempts)])


def _open(choice: Choice, order: Order) -> StartedCheckout:
    mirror_price(choice)
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


def _complete_free(order: Order) -> StartedCheckout:
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
