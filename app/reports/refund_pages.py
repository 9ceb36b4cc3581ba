"""What the refund page needs to know of an order before anything is chosen. Amounts in minor units of its currency."""

from dataclasses import dataclass

from sqlalchemy import func, select

from app.accounts.models import User
from app.checkout.ledger import list_payments
from app.checkout.models import RefundRequest, StripeFee
from app.checkout.numbers import format_order_number
from app.checkout.refund_plans import list_order_seats
from app.checkout.refunds import list_left, list_requests
from app.db import db
from app.formatting import datetime_short, money
from app.reports.order_pages import load_order


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundSeat:
    """A seat that can be chosen; is_closed: its money went back already."""

    number: int
    title: str
    holder: str
    is_closed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundPage:
    """The order before a refund. last is a sentence about the newest refund, "" without one."""

    public_id: str
    number: str
    currency: str
    paid_amount: int
    left_amount: int
    fee_amount: int
    who: str
    method: str
    lines: tuple[tuple[int, str], ...]
    seats: tuple[RefundSeat, ...]
    last: str


def get_refund_page(public_id: str) -> RefundPage:
    """What may be given back, to whom. Raises NotFound."""
    order = load_order(public_id)
    charges = [entry.stripe_object_id for entry in list_payments(order.entries)]
    fee = db.session.scalar(
        select(func.coalesce(func.sum(StripeFee.amount), 0)).where(
            StripeFee.order_id == order.id,
            StripeFee.currency == order.currency,
            StripeFee.stripe_object_id.in_(charges),
        )
    )
    return RefundPage(
        public_id=order.public_id,
        number=format_order_number(order.number) or order.public_id,
        currency=order.currency,
        paid_amount=sum(entry.amount for entry in list_payments(order.entries)),
        left_amount=sum(list_left(order, list_requests(order.id)).values()),
        fee_amount=int(fee or 0),
        who=order.customer_name or order.email or "The buyer",
        method=order.payment_method_label,
        lines=tuple((line, item.title) for line, item in enumerate(order.items, start=1)),
        seats=tuple(
            RefundSeat(
                number=each.number, title=each.item.title, holder=each.holder, is_closed=each.seat.status == "revoked"
            )
            for each in list_order_seats(order)
        ),
        last=_describe_last(order.id),
    )


def _describe_last(order_id: int) -> str:
    row = db.session.execute(
        select(RefundRequest, User.name, User.email)
        .outerjoin(User, User.id == RefundRequest.requested_by_id)
        .where(RefundRequest.order_id == order_id, RefundRequest.error.is_(None))
        .order_by(RefundRequest.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return ""
    request, name, email = row
    amount, at = money(request.amount, request.currency), datetime_short(request.created_at)
    return f"{name or email or 'The shop itself'} refunded {amount} of this order on {at}."
