"""Money back, one wish at a time: a row with a unique key, a call to Stripe that can be repeated.

What an order's refund consists of is decided in refund_plans.py, who asks for it in refund_orders.py and apply.py.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from app import clock
from app.checkout.findings import record_finding
from app.checkout.ledger import derive_fate, list_entries_of_charge, list_payments, sum_entries, sum_refunds_by_request
from app.checkout.models import Order, RefundRequest
from app.db import db, insert_once, make_public_id, retry_conflicts, transaction
from app.errors import AppError
from app.payments.facts import RefundFacts
from app.payments.gateway import PaymentRefused, create_refund, find_refund
from app.queue import send_after_commit

FIRST_DELAY_SECONDS = 10
LONGEST_DELAY = timedelta(hours=1)


class NothingToRefund(AppError):
    """The amount is not positive, or more than what is left of the captured money."""

    code = "nothing_to_refund"
    status = 409
    title = "That’s more than was paid"
    sentence = "Choose an amount up to what is left of the payment."


class PaymentDisputed(NothingToRefund):
    """The payer's bank holds the money: Stripe refuses refunds until a dispute is won."""

    code = "payment_disputed"
    title = "The bank holds this payment"
    sentence = "There is a dispute about this payment, so nothing can be refunded: its verdict moves the money."


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundPart:
    """One refund at Stripe: amount in minor units, of which charge, and for which line or seat of ours."""

    amount: int
    stripe_charge_id: str
    order_item_id: int | None = None
    seat_id: int | None = None


def list_requests(order_id: int) -> list[RefundRequest]:
    """Every wish of an order, oldest first, as it is now."""
    return list(
        db.session.scalars(
            select(RefundRequest)
            .where(RefundRequest.order_id == order_id)
            .order_by(RefundRequest.id)
            .execution_options(populate_existing=True)
        )
    )


def list_waiting(order: Order, requests: list[RefundRequest]) -> list[RefundRequest]:
    """The wishes whose money the ledger does not show yet: not sent, or sent and not read back."""
    returned = sum_refunds_by_request(order.entries)
    return [request for request in requests if request.error is None and request.id not in returned]


def list_left(order: Order, requests: list[RefundRequest]) -> dict[str, int]:
    """What each charge can still give back, earliest first: captured less refunds and waiting wishes.

    A charge that its payer's bank took gives nothing: Stripe refuses (tried on its test card for disputes).
    """
    waiting = list_waiting(order, requests)
    left = {}
    for charge in list_payments(order.entries):
        charge_id = charge.stripe_object_id
        promised = sum(request.amount for request in waiting if request.stripe_charge_id == charge_id)
        returned = sum_entries(list_entries_of_charge(charge, order.entries)).refunded_amount
        is_free = derive_fate(charge, order.entries) == "standing"
        left[charge_id] = max(0, charge.amount - returned - promised) if is_free else 0
    return left


def plan_refund(
    order: Order,
    *,
    request_key: str,
    amount: int,
    reason: str,
    charge_id: str | None = None,
    user_id: int | None = None,
) -> int | None:
    """Store the wish to give amount (minor units) back, once for each request_key; a task sends it.

    Inside transaction(), with the order locked. Returns the request's id, None when it was there before.
    Raises NothingToRefund when it is more than what one charge has left, wishes not yet sent included.
    """
    if db.session.scalar(select(RefundRequest.id).where(RefundRequest.request_key == request_key)) is not None:
        return None
    left = list_left(order, list_requests(order.id))
    fitting = [each for each, rest in left.items() if charge_id in {None, each} and rest >= amount]
    if amount <= 0 or not fitting:
        raise NothingToRefund
    part = RefundPart(amount=amount, stripe_charge_id=fitting[0])
    request_id = store_request(
        order, part, request_key=request_key, reason=reason, user_id=user_id, next_attempt_at=clock.now()
    )
    if request_id is not None:
        send_after_commit("checkout.send_refund", request_id)
    return request_id


def store_request(
    order: Order,
    part: RefundPart,
    *,
    request_key: str,
    reason: str,
    user_id: int | None,
    next_attempt_at: datetime,
) -> int | None:
    """Write a wish that fits what is left, once for each request_key. Inside transaction(), with the order locked.

    The sweeper sends it from next_attempt_at on, unless somebody did before. Returns its id, None when it was there.
    """
    request_id = insert_once(
        RefundRequest,
        {
            "public_id": make_public_id("rfr"),
            "order_id": order.id,
            "order_item_id": part.order_item_id,
            "seat_id": part.seat_id,
            "request_key": request_key,
            "amount": part.amount,
            "currency": order.currency,
            "reason": reason[:300],
            "stripe_charge_id": part.stripe_charge_id,
            "requested_by_id": user_id,
            "attempt_count": 0,
            "next_attempt_at": next_attempt_at,
            "created_at": clock.now(),
        },
        unique=["request_key"],
    )
    return None if request_id is None else int(request_id)


def send_refund(request_id: int) -> int | None:
    """Ask Stripe for a stored refund, with its key: any number of calls make one refund.

    Returns the order's id to settle, None when it was sent before. Raises PaymentUnavailable: call again.
    """
    request = db.session.get_one(RefundRequest, request_id, populate_existing=True)
    if request.stripe_refund_id is not None or request.error is not None:
        return None
    _note_attempt(request_id)
    request = db.session.get_one(RefundRequest, request_id)
    try:
        # A key is forgotten after a day and repeats an error until then: what Stripe has counts, not what it answered.
        refund = _find(request) or create_refund(
            charge_id=request.stripe_charge_id,
            amount=request.amount,
            idempotency_key=f"refund:{request.public_id}",
            refund_request=request.public_id,
        )
    except PaymentRefused as error:
        # Perhaps refused because another worker has just made it.
        found = _find(request)
        if found is None:
            _record_refusal(request, error)
            return request.order_id
        refund = found
    _record_sent(request_id, stripe_refund_id=refund.id)
    return request.order_id


def list_unsent_refund_ids() -> list[int]:
    """Refunds that Stripe has not been asked for, or has not answered."""
    return list(
        db.session.scalars(
            select(RefundRequest.id)
            .where(RefundRequest.stripe_refund_id.is_(None), RefundRequest.error.is_(None))
            .where(RefundRequest.next_attempt_at <= clock.now())
            .order_by(RefundRequest.id)
            .limit(100)
        )
    )


def _find(request: RefundRequest) -> RefundFacts | None:
    return find_refund(charge_id=request.stripe_charge_id, refund_request=request.public_id)


@retry_conflicts
def _note_attempt(request_id: int) -> None:
    """Set the next try before this one, each wait twice the one before: Stripe repeats an error for a day (F41)."""
    with transaction() as session:
        request = session.get_one(RefundRequest, request_id, with_for_update=True)
        delay = timedelta(seconds=FIRST_DELAY_SECONDS * 2 ** min(request.attempt_count, 10))
        request.attempt_count += 1
        request.next_attempt_at = clock.now() + min(delay, LONGEST_DELAY)


@retry_conflicts
def _record_sent(request_id: int, *, stripe_refund_id: str) -> None:
    """Keep Stripe's id, and have the order looked at at once: whoever sent this may die before it settles."""
    with transaction() as session:
        order_id = session.execute(
            update(RefundRequest)
            .where(RefundRequest.id == request_id, RefundRequest.stripe_refund_id.is_(None))
            .values(stripe_refund_id=stripe_refund_id, error=None)
            .returning(RefundRequest.order_id)
        ).scalar_one_or_none()
        if order_id is not None:
            session.execute(update(Order).where(Order.id == order_id).values(check_after=clock.now()))


@retry_conflicts
def _record_refusal(request: RefundRequest, error: PaymentRefused) -> None:
    with transaction() as session:
        session.execute(
            update(RefundRequest)
            .where(RefundRequest.id == request.id, RefundRequest.stripe_refund_id.is_(None))
            .values(error=error.code)
        )
    record_finding(
        key=f"refund_refused:{request.public_id}",
        order_id=request.order_id,
        kind="refund_refused",
        detail="Stripe refused to return the money; look at the payment in its dashboard.",
    )
