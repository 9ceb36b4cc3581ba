"""Steps of settle() about money that goes back: what returns by itself, and what refunds of any origin bring about."""

import structlog
from sqlalchemy import select

from app import clock
from app.checkout.findings import add_finding, resolve_finding
from app.checkout.ledger import (
    derive_fate,
    list_entries_of_charge,
    list_payments,
    sum_entries,
    sum_refunds_by_request,
)
from app.checkout.models import LedgerEntry, Order, OrderNote, RefundRequest
from app.checkout.receipts import queue_order_returned, queue_refund_failed, queue_refund_notice
from app.checkout.refunds import NothingToRefund, plan_refund
from app.db import db
from app.enrollment.models import Seat
from app.payments.facts import DisputeFacts

log = structlog.get_logger()

LATE_KEY = "capacity"
SURPLUS_KEY = "second-payment"
RETURNED_FATES = frozenset({"refunded", "lost"})
INQUIRY_STATUSES = frozenset({"warning_needs_response", "warning_under_review"})


def return_late_payment(order: Order) -> None:
    """P3: paid after the last seat was gone. The money goes back and its buyer is told so at once."""
    payments = list_payments(order.entries)
    add_finding(
        key=f"{LATE_KEY}:{order.public_id}",
        order_id=order.id,
        kind="late_payment",
        detail="Paid after the last seat was gone; the money goes back by itself."
        if payments
        else "Ordered for nothing after the last seat was gone.",
    )
    if payments:
        _plan_return(
            order,
            payments[0],
            request_key=f"{LATE_KEY}:{order.public_id}",
            reason="Every seat was taken before the payment arrived.",
            cause="sold_out",
        )


def is_late_return_undone(order: Order) -> bool:
    """Whether a late payment's return failed and its money is here again."""
    request_id = db.session.scalar(
        select(RefundRequest.id).where(RefundRequest.request_key == f"{LATE_KEY}:{order.public_id}")
    )
    returned = sum_refunds_by_request(order.entries)
    return order.state in {"paid", "partially_refunded"} and returned.get(request_id or 0, 1) <= 0


def return_surplus(order: Order) -> None:
    """P4: of two payments the first grants, each further one goes back by itself; its bank may take it before us."""
    for extra in list_payments(order.entries)[1:]:
        key = f"{SURPLUS_KEY}:{extra.stripe_object_id}"
        if derive_fate(extra, order.entries) in RETURNED_FATES:
            resolve_finding(key=key, resolution="The second payment went back.")
            continue
        add_finding(
            key=key,
            order_id=order.id,
            kind="second_payment",
            detail="The order was paid twice; the second payment goes back by itself.",
        )
        _plan_return(order, extra, request_key=key, reason="Paid twice.", cause="paid_twice")


def follow_refunds(order: Order, requests: list[RefundRequest]) -> None:
    """Tell the buyer about each refund once, and people about what went wrong until it is made good."""
    by_id = {request.id: request for request in requests}
    failed_ids = {entry.stripe_object_id for entry in order.entries if entry.kind == "refund_failed"}
    for entry in sorted(order.entries, key=lambda each: (each.occurred_at, each.id)):
        request = by_id.get(entry.refund_request_id or 0)
        if entry.kind == "refund" and entry.stripe_object_id not in failed_ids and not _is_automatic(request):
            queue_refund_notice(order, entry=entry, request=request)
        elif entry.kind == "refund_failed":
            queue_refund_failed(order, entry=entry, request=request)
            _judge(
                order,
                entry.related_stripe_object_id,
                request,
                requests,
                key=f"refund_failed:{entry.stripe_object_id}",
                kind="refund_failed",
                detail="A refund came back from the buyer’s bank: return the money another way, and tell them.",
            )
    for request in requests:
        if request.error is not None:
            _judge(
                order,
                request.stripe_charge_id,
                request,
                requests,
                key=f"refund_refused:{request.public_id}",
                kind="refund_refused",
                detail="Stripe refused to return the money; look at the payment in its dashboard.",
            )
    if order.state in RETURNED_FATES or _has_seats(order):
        resolve_finding(
            key=f"{LATE_KEY}:{order.public_id}", resolution="The money went back, or bought its seat after all."
        )


def note_inquiry(order: Order, dispute: DisputeFacts) -> None:
    """Write into the timeline, once, that a bank asks about a payment: it moves nothing (P7), but wants an answer."""
    text = f"{dispute.id}: the buyer’s bank asks about this payment. Answer it in Stripe’s dashboard."
    is_known = db.session.scalar(
        select(OrderNote.id).where(OrderNote.order_id == order.id, OrderNote.kind == "inquiry", OrderNote.text == text)
    )
    if dispute.status in INQUIRY_STATUSES and is_known is None:
        db.session.add(OrderNote(order_id=order.id, kind="inquiry", text=text, created_at=clock.now()))


def _plan_return(order: Order, payment: LedgerEntry, *, request_key: str, reason: str, cause: str) -> None:
    """Give back what is left of one payment; somebody may have refunded it in Stripe's dashboard before we looked."""
    returned = sum_entries(list_entries_of_charge(payment, order.entries))
    amount = payment.amount - returned.refunded_amount
    try:
        request_id = plan_refund(
            order, request_key=request_key, amount=amount, reason=reason, charge_id=payment.stripe_object_id
        )
    except NothingToRefund:
        log.info("nothing_left_to_return", order=order.public_id)
        return
    if request_id is not None:
        queue_order_returned(order, key=request_key, amount=amount, cause=cause)


def _is_automatic(request: RefundRequest | None) -> bool:
    return request is not None and request.request_key.startswith((f"{LATE_KEY}:", f"{SURPLUS_KEY}:"))


def _judge(
    order: Order,
    charge_id: str | None,
    request: RefundRequest | None,
    requests: list[RefundRequest],
    *,
    key: str,
    kind: str,
    detail: str,
) -> None:
    """A finding about money that should have gone back: open until it did, whichever way."""
    if _is_made_good(order, charge_id, request, requests):
        resolve_finding(key=key, resolution="The money went back another way.")
    else:
        add_finding(key=key, order_id=order.id, kind=kind, detail=detail)


def _is_made_good(
    order: Order, charge_id: str | None, request: RefundRequest | None, requests: list[RefundRequest]
) -> bool:
    charges = [each for each in list_payments(order.entries) if each.stripe_object_id == charge_id]
    if any(derive_fate(each, order.entries) in RETURNED_FATES for each in charges):
        return True
    if request is None or request.order_item_id is None:
        return False
    returned = sum_refunds_by_request(order.entries)
    return any(
        returned.get(each.id, 0) > 0
        and each.order_item_id == request.order_item_id
        and each.seat_id in {None, request.seat_id}
        for each in requests
    )


def _has_seats(order: Order) -> bool:
    seat = select(Seat.id).where(Seat.order_item_id.in_([item.id for item in order.items])).limit(1)
    return db.session.scalar(seat) is not None
