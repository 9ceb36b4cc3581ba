"""Steps of settle(): what follows when money arrived, moved back, or never came. All inside its transaction()."""

from datetime import datetime, timedelta

import structlog
from sqlalchemy import or_, update

from app import clock
from app.catalog.models import Product
from app.checkout.findings import add_finding
from app.checkout.ledger import derive_state, sum_entries
from app.checkout.models import InvoiceCounter, LedgerEntry, Order, OrderNote
from app.checkout.numbers import format_order_number
from app.checkout.receipts import queue_payment_failed, queue_receipt, queue_refund_notice
from app.checkout.refunds import NothingToRefund, plan_refund
from app.db import db
from app.enrollment.seats import issue_seats, queue_claim_mail, seat_user, set_seat_status

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


def apply_money(order: Order) -> None:
    """Let number, seats, access and mails follow the ledger. Any number of calls with one ledger end the same."""
    state = derive_state(order.entries)
    if state is None:
        raise ValueError("apply_money() needs a payment in the ledger")
    before = order.state
    order.state = state
    if order.number is None:
        _complete_order(order)
    order.check_after = _next_check(order)
    _return_surplus(order)
    changed = set_seat_status(order_item_ids=[item.id for item in order.items], status=SEAT_STATUS[state])
    if state != before:
        db.session.add(OrderNote(order_id=order.id, kind=state, text=state, created_at=clock.now()))
        log.info("order_changed", order=order.public_id, before=before, after=state)
    _tell_about_refunds(order)
    if state in {"refunded", "lost"}:
        _release_capacity(order)
    elif changed and not order.holds_capacity and not _take_capacity(order):
        # P6: a refund that failed or an appeal that was won gives access back, whoever has the seat meanwhile.
        add_finding(
            key=f"oversold:{order.public_id}",
            order_id=order.id,
            kind="oversold",
            detail="The money came back after the seat had gone to somebody else: one more than the course has seats.",
        )


def close_unpaid(order: Order, *, state: str) -> None:
    """End an order that will not be paid: "failed" or "expired"; what it held goes back."""
    if order.state == state:
        return
    order.state = state
    order.expired_at = clock.now()
    order.check_after = None
    _release_capacity(order)
    db.session.add(OrderNote(order_id=order.id, kind=state, text=state, created_at=clock.now()))
    # Only a delayed method ends as failed; a declined card leaves its session open.
    if state == "failed" and order.email is not None:
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
    if not order.holds_capacity and not _take_capacity(order):
        # P3: the money came after the seat had gone to somebody else.
        for payment in _list_payments(order)[:1]:
            _plan_return(
                order,
                payment,
                request_key=f"capacity:{order.public_id}",
                reason="Every seat was taken before the payment arrived.",
            )
        add_finding(
            key=f"capacity:{order.public_id}",
            order_id=order.id,
            kind="late_payment",
            detail="Paid after the last seat was gone; the money goes back by itself.",
        )
        return
    for item in order.items:
        seat_ids = issue_seats(
            order_item_id=item.id,
            product_id=item.product_id,
            quantity=item.quantity,
            courses=item.courses,
            email=order.email,
        )
        if order.user_id is not None:
            seat_user(seat_id=seat_ids[0], user_id=order.user_id)
        elif order.email is not None:
            for seat_id in seat_ids:
                queue_claim_mail(
                    seat_id=seat_id,
                    titles=[course["title"] for course in item.courses],
                    order_number=format_order_number(order.number),
                )
    queue_receipt(order)


def _return_surplus(order: Order) -> None:
    """P4: of two payments the first grants, each further one goes back by itself."""
    for extra in _list_payments(order)[1:]:
        _plan_return(order, extra, request_key=f"second-payment:{extra.stripe_object_id}", reason="Paid twice.")
        add_finding(
            key=f"second-payment:{extra.stripe_object_id}",
            order_id=order.id,
            kind="second_payment",
            detail="The order was paid twice; the second payment goes back by itself.",
        )


def _list_payments(order: Order) -> list[LedgerEntry]:
    payments = [entry for entry in order.entries if entry.kind == "payment" and entry.amount > 0]
    return sorted(payments, key=lambda entry: (entry.occurred_at, entry.id))


def _plan_return(order: Order, payment: LedgerEntry, *, request_key: str, reason: str) -> None:
    """Give back what is left of one payment; somebody may have refunded it in Stripe's dashboard before we looked."""
    returned = sum_entries(
        entry for entry in order.entries if entry.related_stripe_object_id == payment.stripe_object_id
    )
    try:
        plan_refund(
            order,
            request_key=request_key,
            amount=payment.amount - returned.refunded_amount,
            reason=reason,
            charge_id=payment.stripe_object_id,
        )
    except NothingToRefund:
        log.info("nothing_left_to_return", order=order.public_id)


def _next_check(order: Order) -> datetime | None:
    """When to look at Stripe again though no event came; None where no more money can move."""
    moment = clock.now()
    is_watched = order.paid_at is not None and order.paid_at > moment - WATCHED_FOR
    if order.total_amount == 0 or not (is_watched or order.state == "disputed"):
        return None
    return moment + WATCH_INTERVAL


def _tell_about_refunds(order: Order) -> None:
    is_closed = order.state in {"refunded", "lost"}
    for entry in order.entries:
        if entry.kind == "refund" and order.email is not None:
            queue_refund_notice(order, entry=entry, is_access_closed=is_closed)


def _take_capacity(order: Order) -> bool:
    """Hold the seats again that an expired order had given back; the conditional updates decide."""
    with db.session.begin_nested() as savepoint:
        for item in order.items:
            held = db.session.execute(
                update(Product)
                .where(Product.id == item.product_id)
                .where(or_(Product.capacity.is_(None), Product.taken_seats + item.quantity <= Product.capacity))
                .values(taken_seats=Product.taken_seats + item.quantity)
                .returning(Product.id)
            ).scalar_one_or_none()
            if held is None:
                savepoint.rollback()
                return False
    order.holds_capacity = True
    return True


def _release_capacity(order: Order) -> None:
    if not order.holds_capacity:
        return
    for item in order.items:
        db.session.execute(
            update(Product).where(Product.id == item.product_id).values(taken_seats=Product.taken_seats - item.quantity)
        )
    order.holds_capacity = False
