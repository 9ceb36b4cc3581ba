"""Money back: the wish is a row with a unique key, a task sends it to Stripe, settle() does the rest."""

from datetime import timedelta

from sqlalchemy import select, update

from app import clock
from app.checkout.findings import record_finding
from app.checkout.ledger import sum_entries
from app.checkout.models import Order, RefundRequest
from app.db import db, insert_once, make_public_id, retry_conflicts, transaction
from app.errors import AppError
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


def plan_refund(
    order: Order,
    *,
    request_key: str,
    amount: int,
    reason: str,
    charge_id: str | None = None,
    user_id: int | None = None,
) -> int | None:
    """Store the wish to give amount (minor units of the order's currency) back, once for each request_key.

    Inside transaction(), with the order locked. Returns the request's id, None when it was there before.
    Raises NothingToRefund when it is more than captured money less refunds, wishes not yet sent included.
    """
    if db.session.scalar(select(RefundRequest.id).where(RefundRequest.request_key == request_key)) is not None:
        return None
    open_amount = sum(
        db.session.scalars(
            select(RefundRequest.amount).where(
                RefundRequest.order_id == order.id,
                RefundRequest.stripe_refund_id.is_(None),
                RefundRequest.error.is_(None),
            )
        )
    )
    sums = sum_entries(order.entries)
    if not 0 < amount <= sums.captured_amount - sums.refunded_amount - open_amount:
        raise NothingToRefund
    payment = next(
        entry
        for entry in order.entries
        if entry.kind == "payment" and entry.amount > 0 and charge_id in {None, entry.stripe_object_id}
    )
    request_id = insert_once(
        RefundRequest,
        {
            "public_id": make_public_id("rfr"),
            "order_id": order.id,
            "request_key": request_key,
            "amount": amount,
            "currency": order.currency,
            "reason": reason,
            "stripe_charge_id": payment.stripe_object_id,
            "requested_by_id": user_id,
            "next_attempt_at": clock.now(),
            "created_at": clock.now(),
        },
        unique=["request_key"],
    )
    if request_id is None:
        return None
    send_after_commit("checkout.send_refund", request_id)
    return int(request_id)


def send_refund(request_id: int) -> int | None:
    """Ask Stripe for a stored refund, with its key: any number of calls make one refund.

    Returns the order's id to settle, None when it was sent before. Raises PaymentUnavailable: call again.
    """
    request = db.session.get_one(RefundRequest, request_id)
    if request.stripe_refund_id is not None or request.error is not None:
        return None
    _note_attempt(request_id)
    request = db.session.get_one(RefundRequest, request_id)
    try:
        # A key is forgotten after a day and repeats an error until then: what Stripe has counts, not what it answered.
        refund = find_refund(charge_id=request.stripe_charge_id, refund_request=request.public_id) or create_refund(
            charge_id=request.stripe_charge_id,
            amount=request.amount,
            idempotency_key=f"refund:{request.public_id}",
            refund_request=request.public_id,
        )
    except PaymentRefused as error:
        _record_outcome(request_id, stripe_refund_id=None, error=error.code)
        record_finding(
            key=f"refund_refused:{request.public_id}",
            order_id=request.order_id,
            kind="refund_refused",
            detail="Stripe refused to return the money; look at the payment in its dashboard.",
        )
    else:
        _record_outcome(request_id, stripe_refund_id=refund.id, error=None)
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


@retry_conflicts
def _note_attempt(request_id: int) -> None:
    """Set the next try before this one, each wait twice the one before: Stripe repeats an error for a day (F41)."""
    with transaction() as session:
        request = session.get_one(RefundRequest, request_id, with_for_update=True)
        delay = timedelta(seconds=FIRST_DELAY_SECONDS * 2 ** min(request.attempt_count, 10))
        request.attempt_count += 1
        request.next_attempt_at = clock.now() + min(delay, LONGEST_DELAY)


@retry_conflicts
def _record_outcome(request_id: int, *, stripe_refund_id: str | None, error: str | None) -> None:
    with transaction() as session:
        session.execute(
            update(RefundRequest)
            .where(RefundRequest.id == request_id, RefundRequest.stripe_refund_id.is_(None))
            .values(stripe_refund_id=stripe_refund_id, error=error)
        )
