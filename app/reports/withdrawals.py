"""Buyers' withdrawals as the back-office lists them, newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from app.checkout.models import Order
from app.checkout.numbers import format_order_number
from app.checkout.withdrawal_models import WithdrawalRequest
from app.checkout.withdrawal_terms import last_moment
from app.db import db
from app.paging import Page, read_page

VIEWS: dict[str, Any] = {
    "": None,
    "open": WithdrawalRequest.refund_state.in_(("by_hand", "due")),
    "late": WithdrawalRequest.verdict != "in_time",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class WithdrawalRow:
    """A withdrawal in the list; state is its order's, times UTC; last_day is a moment of the period's last."""

    order_public_id: str
    order_number: str
    email: str
    state: str
    titles: tuple[str, ...]
    verdict: str
    refund_state: str
    is_proved: bool
    last_day: datetime
    created_at: datetime


def select_withdrawals(view: str) -> Select[Any]:
    """The statement of list_withdrawals(), without its page."""
    condition = VIEWS[view]
    statement = select(WithdrawalRequest).order_by(WithdrawalRequest.id.desc())
    return statement if condition is None else statement.where(condition)


def list_withdrawals(*, view: str, page: int) -> Page[WithdrawalRow]:
    """A page of withdrawals."""
    found = read_page(select_withdrawals(view), number=page)
    ids = [each.order_id for each in found.rows]
    orders = {order.id: order for order in db.session.scalars(select(Order).where(Order.id.in_(ids)))}
    rows = [_shape(each, orders[each.order_id]) for each in found.rows]
    return Page(rows=rows, total=found.total, number=found.number, size=found.size)


def _shape(request: WithdrawalRequest, order: Order) -> WithdrawalRow:
    return WithdrawalRow(
        order_public_id=order.public_id,
        order_number=format_order_number(order.number),
        email=order.email or "",
        state=order.state,
        titles=tuple(item["title"] for item in request.items),
        verdict=request.verdict,
        refund_state=request.refund_state,
        is_proved=request.is_proved,
        last_day=last_moment(request.ends_at),
        created_at=request.created_at,
    )
