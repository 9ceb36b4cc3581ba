"""What a refund would do, before anybody does it: how much of which charge, which seats close, who keeps the course."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import selectinload

from app import clock
from app.accounts.models import User
from app.catalog.models import Product, PromotionCode
from app.checkout.ledger import (
    Entry,
    derive_state,
    list_payments,
    list_refunded_seat_ids,
    sum_refunds_by_request,
)
from app.checkout.models import Order, OrderItem, PromotionRedemption, RefundRequest
from app.checkout.numbers import format_order_number
from app.checkout.refunds import (
    NothingToRefund,
    PaymentDisputed,
    RefundPart,
    list_left,
    list_requests,
    list_waiting,
)
from app.checkout.shares import share_lines, share_seats
from app.db import db
from app.enrollment.models import Grant, Seat
from app.errors import AppError, InvalidInput, NotFound
from app.money import MoneyError, check_amount

ENDED_STATES = ("refunded", "lost")


class SeatRefunded(AppError):
    """The seat, or its whole line, was refunded before or its refund is on its way."""

    code = "seat_refunded"
    status = 409
    title = "This seat was refunded already"
    sentence = "Its money went back already, or is on its way."


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundScope:
    """What to give back: an amount (minor units), one line, some seats, or by default everything that is left.

    Lines and seats are counted from 1 through the order, as its page and `flask orders show` list them.
    """

    amount: int | None = None
    line: int | None = None
    seats: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderSeat:
    """A seat of an order under its number; holder is the address it was claimed by or sent to, "" for nobody."""

    number: int
    line: int
    seat: Seat
    item: OrderItem
    holder: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosingSeat:
    """A seat that would close; kept_titles are the courses its holder would keep by another grant."""

    number: int
    line: int
    holder: str
    titles: tuple[str, ...]
    kept_titles: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundPlan:
    """What a refund would do. Amounts in minor units of currency; left_amount is what could be refunded before it."""

    order_public_id: str
    order_number: str
    currency: str
    amount: int
    left_amount: int
    state_after: str
    parts: tuple[RefundPart, ...]
    closing: tuple[ClosingSeat, ...]
    staying_seats: int
    freed_capacity: int
    freed_code: str


def preview_refund(*, order_public_id: str, scope: RefundScope) -> RefundPlan:
    """What refund_order() would do now; changes nothing and asks nobody. Raises what refund_order() raises."""
    order = db.session.scalar(
        select(Order)
        .where(Order.public_id == order_public_id)
        .options(selectinload(Order.items), selectinload(Order.entries))
        .execution_options(populate_existing=True)
    )
    if order is None:
        raise NotFound("There is no such order.")
    return make_plan(order, scope)


def make_plan(order: Order, scope: RefundScope) -> RefundPlan:
    """The plan for an order whose items and entries are loaded; under its lock, what it says still holds when written.

    Raises NothingToRefund, PaymentDisputed, SeatRefunded, InvalidInput (no such line or seat, no such amount).
    """
    requests = list_requests(order.id)
    seats = list_order_seats(order)
    left = list_left(order, requests)
    chosen = _choose(order, scope, seats, requests)
    parts = _allocate(chosen, left)
    if not parts:
        payments = list_payments(order.entries)
        raise PaymentDisputed if payments and _is_held(order) else NothingToRefund
    return _foresee(order, parts, seats, requests, left_amount=sum(left.values()))


def list_order_seats(order: Order) -> list[OrderSeat]:
    """The seats of an order (its items loaded) under the numbers that people use."""
    items = {item.id: (line, item) for line, item in enumerate(order.items, start=1)}
    rows = db.session.execute(
        select(Seat, User.email)
        .outerjoin(User, User.id == Seat.claimed_by_id)
        .where(Seat.order_item_id.in_(items))
        .order_by(Seat.order_item_id, Seat.position)
        .execution_options(populate_existing=True)
    )
    return [
        OrderSeat(
            number=number,
            line=items[seat.order_item_id][0],
            seat=seat,
            item=items[seat.order_item_id][1],
            holder=email or seat.invited_email or "",
        )
        for number, (seat, email) in enumerate(rows, start=1)
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    """A sum for a line, a seat or neither; amount None is everything that is left."""

    amount: int | None
    order_item_id: int | None = None
    seat_id: int | None = None


def _choose(
    order: Order, scope: RefundScope, seats: Sequence[OrderSeat], requests: Sequence[RefundRequest]
) -> list[_Wanted]:
    if sum((scope.amount is not None, scope.line is not None, bool(scope.seats))) > 1:
        raise InvalidInput("Choose an amount, a line or seats: only one of them.")
    if scope.amount is not None:
        return [_Wanted(amount=_check_refund(scope.amount, order.currency))]
    if scope.line is None and not scope.seats:
        return [_Wanted(amount=None)]
    payments = list_payments(order.entries)
    if not payments:
        raise NothingToRefund
    # A second payment is money too much: the order's lines and seats were paid by the first.
    lines = share_lines(order.items, captured_amount=payments[0].amount)
    returned = sum_refunds_by_request(order.entries)
    standing = [each for each in requests if each.error is None and returned.get(each.id, each.amount) > 0]
    if scope.line is not None:
        return [_want_line(order, scope.line, lines, standing)]
    return [_want_seat(number, seats, lines, standing) for number in dict.fromkeys(scope.seats)]


def _check_refund(amount: int, currency: str) -> int:
    if amount <= 0:
        raise NothingToRefund
    try:
        check_amount(amount, currency)
    except MoneyError as error:
        raise InvalidInput(str(error), field="amount") from error
    return amount


def _want_line(order: Order, line: int, lines: dict[int, int], standing: Sequence[RefundRequest]) -> _Wanted:
    if not 1 <= line <= len(order.items):
        raise InvalidInput(f"There is no line {line}: the order has {len(order.items)}.", field="line")
    item = order.items[line - 1]
    if any(each.order_item_id == item.id and each.seat_id is None for each in standing):
        raise SeatRefunded("This line was refunded already, or its refund is on its way.")
    before = sum(each.amount for each in standing if each.order_item_id == item.id)
    return _Wanted(amount=lines[item.id] - before, order_item_id=item.id)


def _want_seat(
    number: int, seats: Sequence[OrderSeat], lines: dict[int, int], standing: Sequence[RefundRequest]
) -> _Wanted:
    found = next((each for each in seats if each.number == number), None)
    if found is None:
        raise InvalidInput(f"There is no seat {number}: the order has {len(seats)}.", field="seat")
    item = found.item
    if any(each.seat_id == found.seat.id for each in standing) or any(
        each.order_item_id == item.id and each.seat_id is None for each in standing
    ):
        raise SeatRefunded(f"Seat {number} was refunded already, or its refund is on its way.")
    shares = share_seats(item, line_amount=lines[item.id])
    return _Wanted(amount=shares[found.seat.position - 1], order_item_id=item.id, seat_id=found.seat.id)


def _allocate(chosen: Sequence[_Wanted], left: dict[str, int]) -> list[RefundPart]:
    """Refunds that cover what is wanted: of one charge if it has enough left, else of several.

    A line or seat takes what is left when that is less (an amount went back before); an amount is never cut short.
    """
    rest = dict(left)
    parts: list[RefundPart] = []
    for wanted in chosen:
        available = sum(rest.values())
        if wanted.amount is not None and wanted.order_item_id is None and wanted.amount > available:
            return []
        open_amount = available if wanted.amount is None else min(wanted.amount, available)
        whole = [each for each, amount in rest.items() if amount >= open_amount]
        for charge_id in whole[:1] if whole else rest:
            amount = min(open_amount, rest[charge_id])
            if amount > 0:
                parts.append(
                    RefundPart(
                        amount=amount,
                        stripe_charge_id=charge_id,
                        order_item_id=wanted.order_item_id,
                        seat_id=wanted.seat_id,
                    )
                )
                rest[charge_id] -= amount
                open_amount -= amount
    return parts


def _is_held(order: Order) -> bool:
    return derive_state(order.entries) in {"disputed", "lost"}


def _foresee(
    order: Order,
    parts: Sequence[RefundPart],
    seats: Sequence[OrderSeat],
    requests: list[RefundRequest],
    *,
    left_amount: int,
) -> RefundPlan:
    waiting = list_waiting(order, requests)
    state_after = derive_state([*order.entries, *_list_expected(order, [*waiting, *parts])]) or order.state
    closed = list_refunded_seat_ids(order.entries, requests, item_ids={each.seat.id: each.item.id for each in seats})
    closed |= {each.seat.id for each in seats if _covers([*waiting, *parts], each)}
    if state_after in ENDED_STATES:
        closed = {each.seat.id for each in seats}
    staying = [each for each in seats if each.seat.id not in closed]
    return RefundPlan(
        order_public_id=order.public_id,
        order_number=format_order_number(order.number),
        currency=order.currency,
        amount=sum(part.amount for part in parts),
        left_amount=left_amount,
        state_after=state_after,
        parts=tuple(parts),
        closing=_describe([each for each in seats if each.seat.id in closed and each.seat.status != "revoked"], closed),
        staying_seats=len(staying),
        freed_capacity=_count_freed(order, staying),
        freed_code=_find_freed_code(order) if state_after in ENDED_STATES else "",
    )


def _list_expected(order: Order, refunds: Iterable[RefundPart | RefundRequest]) -> list[Entry]:
    return [
        Entry(
            kind="refund",
            stripe_object_id=f"expected-{number}",
            related_stripe_object_id=refund.stripe_charge_id,
            amount=refund.amount,
            currency=order.currency,
            status="",
            occurred_at=clock.now(),
        )
        for number, refund in enumerate(refunds)
    ]


def _covers(refunds: Iterable[RefundPart | RefundRequest], seat: OrderSeat) -> bool:
    return any(
        refund.seat_id == seat.seat.id if refund.seat_id is not None else refund.order_item_id == seat.item.id
        for refund in refunds
    )


def _describe(closing: Sequence[OrderSeat], closed_ids: set[int]) -> tuple[ClosingSeat, ...]:
    grants = db.session.execute(
        select(Grant.user_id, Grant.course_id).where(
            Grant.user_id.in_([each.seat.claimed_by_id for each in closing if each.seat.claimed_by_id is not None]),
            or_(Grant.seat_id.is_(None), Grant.seat_id.not_in(closed_ids)),
            Grant.revoked_at.is_(None),
            Grant.suspended_at.is_(None),
            or_(Grant.expires_at.is_(None), Grant.expires_at > clock.now()),
        )
    )
    kept = {(row.user_id, row.course_id) for row in grants}
    return tuple(
        ClosingSeat(
            number=each.number,
            line=each.line,
            holder=each.holder,
            titles=tuple(course["title"] for course in each.item.courses),
            kept_titles=tuple(
                course["title"]
                for course in each.item.courses
                if (each.seat.claimed_by_id, course["course_id"]) in kept
            ),
        )
        for each in closing
    )


def _count_freed(order: Order, staying: Sequence[OrderSeat]) -> int:
    """How many places of limited products become free."""
    limited = set(
        db.session.scalars(
            select(Product.id).where(
                Product.id.in_([item.product_id for item in order.items]), Product.capacity.is_not(None)
            )
        )
    )
    return sum(
        max(0, item.held_quantity - sum(each.item.id == item.id for each in staying))
        for item in order.items
        if item.product_id in limited
    )


def _find_freed_code(order: Order) -> str:
    return (
        db.session.scalar(
            select(PromotionCode.code)
            .join(PromotionRedemption, PromotionRedemption.promotion_code_id == PromotionCode.id)
            .where(PromotionRedemption.order_id == order.id, PromotionRedemption.status != "released")
        )
        or ""
    )
