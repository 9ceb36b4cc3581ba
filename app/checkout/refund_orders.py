"""refund_order(): block, call, block. The wish is on disk before Stripe is asked; the ledger follows Stripe."""

from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app import clock
from app.audit import record_audit
from app.checkout.errors import AmountMismatch
from app.checkout.ledger import sum_refunds_by_request
from app.checkout.models import LedgerEntry, Order, OrderNote, RefundRequest
from app.checkout.refund_plans import RefundScope, list_order_seats, make_plan
from app.checkout.refunds import list_left, list_requests, send_refund, store_request
from app.checkout.settle import lock_order, settle
from app.db import db, retry_conflicts, transaction
from app.errors import AppError, InvalidInput, NotFound
from app.payments.gateway import PaymentRefused, PaymentUnavailable

log = structlog.get_logger()

LONGEST_KEY = 100
# Time for the caller to send the wish itself before the sweeper does: two at once would only make Stripe say 409.
HEAD_START = timedelta(seconds=30)


class RefundKeyUsed(AppError):
    """The request key stands for another refund already."""

    code = "refund_key_used"
    status = 409
    title = "This key was used for another refund"
    sentence = "Use a new key for a new refund; the same one only repeats what it was first used for."


class RefundOutdated(AppError):
    """Money of the order moved between what somebody saw and what they sent."""

    code = "refund_outdated"
    status = 409
    title = "This order has changed"
    sentence = "Somebody refunded part of it, or the bank did, since you opened this page. Look at what is left."


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundResult:
    """One refund at Stripe, of a line or seat if it names one.

    status is "done", "waiting" (Stripe has not answered, a worker goes on), "refused" by Stripe, or "failed" later.
    """

    public_id: str
    amount: int
    status: str
    stripe_refund_id: str | None
    seat: int | None
    line: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundOutcome:
    """What became of a refund; amounts in minor units of currency, state is the order's after it."""

    order_public_id: str
    currency: str
    amount: int
    state: str
    refunds: tuple[RefundResult, ...]

    @property
    def is_done(self) -> bool:
        return all(each.status == "done" for each in self.refunds)


def refund_order(
    *,
    order_public_id: str,
    request_key: str,
    scope: RefundScope,
    reason: str,
    user_id: int | None = None,
    seen_left_amount: int | None = None,
) -> RefundOutcome:
    """Give money of an order back: everything left, an amount, a line, or seats, which close with it.

    Once for each request_key, however often and by however many at once it is called: the order's lock decides, and a
    repeated call gives the first one's outcome. Never promises more than was captured less refunds and open wishes.
    When Stripe does not answer the wish stays and a worker sends it; the outcome says so.
    seen_left_amount is what could still be refunded when somebody decided: RefundOutdated if it is another by now.
    Several seats are several refunds, so that each can fail and be restored alone (P6); a line is one.
    user_id is who asked for it, None for the command line.
    Raises NotFound, InvalidInput, RefundKeyUsed, NothingToRefund, PaymentDisputed, SeatRefunded; nothing is stored.
    """
    if not reason.strip():
        raise InvalidInput("Say why the money goes back: it is kept with the order.", field="reason")
    if not 0 < len(request_key) <= LONGEST_KEY:
        raise InvalidInput(f"The request’s key has 1 to {LONGEST_KEY} characters.", field="request_key")
    order_id = db.session.scalar(select(Order.id).where(Order.public_id == order_public_id))
    if order_id is None:
        raise NotFound("There is no such order.")
    if not _list_of_key(order_id, request_key):
        # What somebody did in Stripe's dashboard a moment ago counts before anything more is promised.
        _settle_quietly(order_id)
    request_ids = _store_wishes(
        order_id,
        request_key,
        scope=scope,
        reason=reason.strip(),
        user_id=user_id,
        seen_left_amount=seen_left_amount,
    )
    _send(request_ids)
    _settle_quietly(order_id)
    return _read_outcome(order_id, request_ids)


@retry_conflicts
def _store_wishes(
    order_id: int,
    request_key: str,
    *,
    scope: RefundScope,
    reason: str,
    user_id: int | None,
    seen_left_amount: int | None,
) -> list[int]:
    with transaction() as session:
        order = lock_order(order_id)
        known = _list_of_key(order_id, request_key)
        if known:
            _check_same(order, scope, known)
            return [request.id for request in known]
        if seen_left_amount not in {None, sum(list_left(order, list_requests(order.id)).values())}:
            raise RefundOutdated
        plan = make_plan(order, scope)
        request_ids = [
            store_request(
                order,
                part,
                request_key=f"{request_key}:{number}",
                reason=reason,
                user_id=user_id,
                next_attempt_at=clock.now() + HEAD_START,
            )
            for number, part in enumerate(plan.parts, start=1)
        ]
        if None in request_ids:
            # The key is another order's: that one's lock did not keep us out, the unique column did.
            raise RefundKeyUsed
        session.add(
            OrderNote(
                order_id=order.id, kind="refund_wanted", text=reason[:300], actor_id=user_id, created_at=clock.now()
            )
        )
        record_audit(
            action="order.refund",
            subject_type="order",
            subject_id=order.public_id,
            after={"amount": plan.amount, "currency": plan.currency, "seats": [each.number for each in plan.closing]},
            reason=reason[:300],
        )
        log.info("refund_wanted", order=order.public_id, amount=plan.amount, currency=plan.currency)
        return [each for each in request_ids if each is not None]


def _list_of_key(order_id: int, request_key: str) -> list[RefundRequest]:
    """The wishes that this key stands for, in their order."""
    prefix = f"{request_key}:"
    return [
        request
        for request in list_requests(order_id)
        if request.request_key.startswith(prefix) and request.request_key.removeprefix(prefix).isdecimal()
    ]


def _check_same(order: Order, scope: RefundScope, known: list[RefundRequest]) -> None:
    """Raises RefundKeyUsed when the key came with another choice before."""
    if scope.seats:
        numbers = {each.seat.id: each.number for each in list_order_seats(order)}
        is_same = {numbers.get(each.seat_id or 0) for each in known} == set(scope.seats)
    elif scope.line is not None:
        is_same = {(each.order_item_id, each.seat_id) for each in known} == {
            (item.id, None) for line, item in enumerate(order.items, start=1) if line == scope.line
        }
    else:
        is_same = all(each.order_item_id is None for each in known) and scope.amount in {
            None,
            sum(each.amount for each in known),
        }
    if not is_same:
        raise RefundKeyUsed


def _send(request_ids: list[int]) -> None:
    for request_id in request_ids:
        try:
            send_refund(request_id)
        except PaymentUnavailable:
            log.warning("refund_waits_for_stripe", refund_request=request_id)
            return


def _settle_quietly(order_id: int) -> None:
    """Read Stripe; when that is not possible, go on with what we know: a sweep reads it later."""
    try:
        settle(order_id=order_id)
    except (PaymentUnavailable, PaymentRefused, AmountMismatch) as error:
        log.warning("refund_without_reading", order_id=order_id, error=error.code)


def _read_outcome(order_id: int, request_ids: list[int]) -> RefundOutcome:
    db.session.rollback()
    order = _load_order(order_id)
    entries = db.session.scalars(select(LedgerEntry).where(LedgerEntry.order_id == order_id)).all()
    returned = sum_refunds_by_request(entries)
    seats = {each.seat.id: each.number for each in list_order_seats(order)}
    lines = {item.id: line for line, item in enumerate(order.items, start=1)}
    requests = [request for request in list_requests(order_id) if request.id in request_ids]
    return RefundOutcome(
        order_public_id=order.public_id,
        currency=order.currency,
        amount=sum(request.amount for request in requests),
        state=order.state,
        refunds=tuple(
            RefundResult(
                public_id=request.public_id,
                amount=request.amount,
                status=_name_status(request, returned),
                stripe_refund_id=request.stripe_refund_id,
                seat=seats.get(request.seat_id or 0),
                line=lines.get(request.order_item_id or 0),
            )
            for request in requests
        ),
    )


def _name_status(request: RefundRequest, returned: dict[int, int]) -> str:
    if request.error is not None:
        return "refused"
    if request.id not in returned:
        return "waiting"
    return "done" if returned[request.id] > 0 else "failed"


def _load_order(order_id: int) -> Order:
    return db.session.get_one(Order, order_id, populate_existing=True, options=[selectinload(Order.items)])
