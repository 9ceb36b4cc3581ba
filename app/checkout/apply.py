"""Steps of settle(): what follows when money arrived, moved back, or never came. All inside its transaction()."""

from datetime import datetime, timedelta

import structlog
from sqlalchemy import select, update

from app import clock
from app.checkout.findings import add_finding, resolve_finding
from app.checkout.fulfillment import fulfill, tell_about_lost_seats
from app.checkout.holds import hold_seats, redeem_code, release_code
from app.checkout.ledger import (
    derive_state,
    list_payments,
    list_refunded_seat_ids,
)
from app.checkout.models import InvoiceCounter, Order, OrderNote, RefundRequest
from app.checkout.money_returns import follow_refunds, is_late_return_undone, return_late_payment, return_surplus
from app.checkout.receipts import queue_payment_failed, queue_receipt
from app.checkout.refunds import list_requests
from app.db import db
from app.enrollment.models import Seat
from app.enrollment.seats import set_seat_statuses

log = structlog.get_logger()

# A refund or dispute whose events were lost is found by looking, within a day (goal G5); disputes may begin 120 days
# after a payment, and one that is open is looked at until Stripe gives its verdict (fault F80).
WATCH_INTERVAL = timedelta(hours=23)
WATCHED_FOR = timedelta(days=180)

SEAT_STATUS = {
    "paid": "active",
    "partially_refunded": "active",
    "disputed": "suspended",
    "refunded": "revoked",
    "lost": "revoked",
}
ENDED_STATES = ("refunded", "lost")


def apply_money(order: Order) -> None:
    """Let number, seats, access and mails follow the ledger. Any number of calls with one ledger end the same."""
    state = derive_state(order.entries)
    if state is None:
        raise ValueError("apply_money() needs a payment in the ledger")
    before = order.state
    order.state = state
    if order.number is None:
        _complete_order(order)
    elif is_late_return_undone(order) and not _list_item_ids(order):
        # P3 could not be kept: the money came back to us, so its buyer gets what it was for.
        fulfill(order)
        queue_receipt(order)
    order.check_after = _next_check(order)
    return_surplus(order)
    requests = list_requests(order.id)
    _follow_with_seats(order, requests)
    if state != before:
        db.session.add(OrderNote(order_id=order.id, kind=state, text=state, created_at=clock.now()))
        log.info("order_changed", order=order.public_id, before=before, after=state)
    follow_refunds(order, requests)


def close_unpaid(order: Order, *, state: str) -> None:
    """End an order that will not be paid: "failed" or "expired"; what it held goes back."""
    if order.state == state:
        return
    order.state = state
    order.expired_at = clock.now()
    order.check_after = None
    for item in order.items:
        hold_seats(item, wanted=0)
    release_code(order.id)
    db.session.add(OrderNote(order_id=order.id, kind=state, text=state, created_at=clock.now()))
    # Only a delayed method ends as failed; a declined card leaves its session open.
    if state == "failed":
        queue_payment_failed(order)
    log.info("order_closed", order=order.public_id, state=state)


def _complete_order(order: Order) -> None:
    """The first payment: the invoice number, the seats and the receipt."""
    order.number = db.session.execute(
        update(InvoiceCounter)
        .where(InvoiceCounter.id == 1)
        .values(last_number=InvoiceCounter.last_number + 1)
        .returning(InvoiceCounter.last_number)
    ).scalar_one()
    order.paid_at = min(entry.occurred_at for entry in order.entries if entry.kind == "payment")
    db.session.flush()
    if not _hold_all(order):
        # P3: the money came after the seat had gone to somebody else.
        return_late_payment(order)
        return
    fulfill(order)
    queue_receipt(order)


def _hold_all(order: Order) -> bool:
    """Hold the seats again that an unpaid order had given back; False, and none held, when they are gone."""
    with db.session.begin_nested() as savepoint:
        for item in order.items:
            if not hold_seats(item, wanted=item.quantity):
                savepoint.rollback()
                return False
    return True


def _follow_with_seats(order: Order, requests: list[RefundRequest]) -> None:
    """Open and close seats one by one, and hold as much of capacity and code as is still sold."""
    has_ended = order.state in ENDED_STATES
    item_ids = _list_item_ids(order)
    refunded = list_refunded_seat_ids(order.entries, requests, item_ids=item_ids)
    set_seat_statuses(
        order_item_ids=[item.id for item in order.items],
        status=SEAT_STATUS[order.state],
        refunded_seat_ids=refunded,
    )
    tell_about_lost_seats(order)
    sold = [item_id for seat_id, item_id in item_ids.items() if seat_id not in refunded and not has_ended]
    is_held = [hold_seats(item, wanted=sold.count(item.id)) for item in order.items]
    if all(is_held):
        resolve_finding(key=f"oversold:{order.public_id}", resolution="Every sold seat is within the capacity again.")
    else:
        # P6: a refund that failed or an appeal that was won gives access back, whoever has the seat meanwhile.
        add_finding(
            key=f"oversold:{order.public_id}",
            order_id=order.id,
            kind="oversold",
            detail="The money came back after the seat had gone to somebody else: one more than the course has seats.",
        )
    if has_ended or not item_ids:
        release_code(order.id)
        resolve_finding(key=f"code_over_limit:{order.public_id}", resolution="The order’s use was given back.")
        resolve_finding(key=f"withdrawal:{order.public_id}", resolution="The order was refunded.")
    elif redeem_code(order.id):
        resolve_finding(key=f"code_over_limit:{order.public_id}", resolution="The code’s uses are within its limit.")
    else:
        # P2: the price the buyer was shown stands, though another buyer has the use that this order gave back.
        add_finding(
            key=f"code_over_limit:{order.public_id}",
            order_id=order.id,
            kind="code_over_limit",
            detail="Paid late with a code whose last use had gone to somebody else: one use more than its limit.",
        )


def _list_item_ids(order: Order) -> dict[int, int]:
    """The order's seats, each with its order item's id; none where the last seat had gone before the money came."""
    rows = db.session.execute(
        select(Seat.id, Seat.order_item_id).where(Seat.order_item_id.in_([item.id for item in order.items]))
    )
    return {row.id: row.order_item_id for row in rows}


def _next_check(order: Order) -> datetime | None:
    """When to look at Stripe again though no event came; None where no more money can move."""
    moment = clock.now()
    is_watched = order.paid_at is not None and order.paid_at > moment - WATCHED_FOR
    if not list_payments(order.entries) or not (is_watched or order.state == "disputed"):
        return None
    return moment + WATCH_INTERVAL
