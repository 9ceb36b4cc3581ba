"""Reading orders for their owners. Ownership is part of every query: another's order does not exist."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import selectinload

from app import clock
from app.catalog.models import Price
from app.checkout.ledger import sum_entries
from app.checkout.models import CheckoutAttempt, Gift, LedgerEntry, Order, OrderItem, RefundRequest
from app.checkout.numbers import format_order_number
from app.checkout.order_links import ORDER_PURPOSE, read_order_link
from app.checkout.ownership import GUEST_ACCESS
from app.checkout.receipts import find_code_name
from app.checkout.withdrawal_models import WithdrawalRequest
from app.db import db
from app.enrollment.models import Seat
from app.errors import NotFound
from app.formatting import money
from app.signing import read_link

ORDER_LINK_SECONDS = 10 * 365 * 24 * 60 * 60
TIMELINE_SENTENCES = {
    "payment": "{amount} paid",
    "refund": "{amount} refunded",
    "refund_failed": "The refund of {amount} failed and came back to us",
    "dispute_opened": "Your bank opened a dispute about {amount}",
    "dispute_won": "The dispute was closed in favor of the payment",
    "dispute_lost": "The dispute returned the payment to you",
}
TIMELINE_KINDS = {
    "payment": "paid",
    "refund": "refunded",
    "refund_failed": "failed",
    "dispute_opened": "disputed",
    "dispute_won": "access",
    "dispute_lost": "refunded",
}
GRANTING_STATES = ("paid", "partially_refunded")


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderLine:
    """An item as a receipt shows it; amounts in minor units of the order's currency."""

    title: str
    quantity: int
    subtotal_amount: int
    total_amount: int
    course_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderView:
    """An order as its buyer may see it; amounts in minor units of currency, times UTC.

    total_amount is what was charged, tax included or not; gift_on is None for a gift that goes out with the payment.
    """

    id: int
    public_id: str
    user_id: int | None
    number: str
    state: str
    email: str
    customer_name: str
    purpose: str
    takes_seat: bool
    items: tuple[OrderLine, ...]
    subtotal_amount: int
    discount_amount: int
    discount_code: str
    tax_amount: int
    is_tax_included: bool
    total_amount: int
    refunded_amount: int
    currency: str
    created_at: datetime
    paid_at: datetime | None
    payment_method_label: str
    failure_reason: str | None
    refund_until: datetime | None
    price_public_id: str
    has_invoice: bool
    gift_recipient_name: str
    gift_recipient_email: str
    gift_on: datetime | None
    link_version: int

    @property
    def course_ids(self) -> tuple[int, ...]:
        return tuple(course_id for item in self.items for course_id in item.course_ids)


def find_order_of_session(*, stripe_checkout_session_id: str) -> OrderView | None:
    """The order of a Checkout Session, whoever asks: show nothing of it before its owner is known."""
    return _view_one(
        Order.id.in_(
            select(CheckoutAttempt.order_id).where(
                CheckoutAttempt.stripe_checkout_session_id == stripe_checkout_session_id
            )
        )
    )


def find_order_by_public_id(public_id: str) -> OrderView | None:
    """An order by its public id, whoever asks: show nothing of it before its owner is known."""
    return _view_one(Order.public_id == public_id)


def get_order_of_user(*, public_id: str, user_id: int, email: str | None) -> OrderView:
    """One of this person's orders: bought signed in, or paid with the address they have proved. Raises NotFound."""
    order = _view_one(Order.public_id == public_id, _is_theirs(user_id, email))
    if order is None:
        raise NotFound
    return order


def get_order_of_link(token: str) -> OrderView:
    """The order of a link that was mailed to its buyer. Raises LinkInvalid, NotFound (also once it was moved on)."""
    link = read_order_link(read_link(ORDER_PURPOSE, token, max_age_seconds=ORDER_LINK_SECONDS))
    if link is None:
        raise NotFound
    order = _view_one(Order.public_id == link[0], Order.link_version == link[1])
    if order is None:
        raise NotFound
    return order


def list_orders_of_user(*, user_id: int, email: str | None, limit: int = 50) -> list[OrderView]:
    """This person's orders that got a number, newest first."""
    orders = db.session.scalars(
        _select_orders()
        .where(_is_theirs(user_id, email), Order.number.is_not(None))
        .order_by(Order.id.desc())
        .limit(limit)
    )
    return _view_all(orders.all())


def list_guest_course_ids(*, order_public_ids: Sequence[str]) -> set[int]:
    """What the browser that began these orders may open without an account: for 24 hours from the payment."""
    return set(list_guest_open_since(order_public_ids=order_public_ids))


def list_guest_open_since(*, order_public_ids: Sequence[str]) -> dict[int, datetime]:
    """The same courses with the moment (UTC) of the earliest payment."""
    if not order_public_ids:
        return {}
    rows = db.session.execute(
        select(OrderItem.courses, Order.paid_at)
        .join(Order, Order.id == OrderItem.order_id)
        # The buyer's own seat, while it is theirs and paid for: not a gift's, not one that was given to somebody else.
        .join(Seat, (Seat.order_item_id == OrderItem.id) & (Seat.position == 1) & (Seat.invited_email == Order.email))
        .where(Order.public_id.in_(list(order_public_ids)[-20:]), Order.takes_seat.is_(True), Seat.status == "active")
        .where(Order.state.in_(GRANTING_STATES))
        .where(Order.user_id.is_(None), Order.paid_at > clock.now() - GUEST_ACCESS)
    )
    since: dict[int, datetime] = {}
    for courses, paid_at in rows:
        for course in courses:
            since[course["course_id"]] = min(paid_at, since.get(course["course_id"], paid_at))
    return since


def list_timeline(*, order_id: int, currency: str) -> list[tuple[str, str, str, datetime]]:
    """What happened to an order, newest first: (kind, sentence, detail, UTC time)."""
    rows = db.session.execute(
        select(LedgerEntry, Seat.position, OrderItem.title, OrderItem.quantity)
        .outerjoin(RefundRequest, RefundRequest.id == LedgerEntry.refund_request_id)
        .outerjoin(OrderItem, OrderItem.id == RefundRequest.order_item_id)
        .outerjoin(Seat, Seat.id == RefundRequest.seat_id)
        .where(LedgerEntry.order_id == order_id)
        .order_by(LedgerEntry.id)
    )
    facts: list[tuple[str, str, str, datetime]] = [
        (
            TIMELINE_KINDS.get(entry.kind, entry.kind),
            TIMELINE_SENTENCES[entry.kind].format(amount=money(entry.amount, currency)),
            _describe_target(position, title, quantity),
            # Stripe gives a verdict no time of its own.
            entry.recorded_at if entry.kind in {"dispute_won", "dispute_lost"} else entry.occurred_at,
        )
        for entry, position, title, quantity in rows
        if entry.kind in TIMELINE_SENTENCES and (entry.amount or entry.kind != "payment")
    ]
    withdrawn_at = db.session.scalar(select(WithdrawalRequest.created_at).where(WithdrawalRequest.order_id == order_id))
    if withdrawn_at is not None:
        facts.append(("note", "You withdrew from the contract", "", withdrawn_at))
    created_at = db.session.scalars(select(Order.created_at).where(Order.id == order_id)).one()
    facts.insert(0, ("created", "Order placed", "", created_at))
    # Stripe tells whole seconds: within one, what was written later comes after what was placed or written before.
    return sorted(facts, key=lambda fact: fact[3].replace(microsecond=0))[::-1]


def _describe_target(position: int | None, title: str | None, quantity: int | None) -> str:
    if title is None:
        return ""
    return f"{title}, seat {position} of {quantity}" if position is not None and quantity != 1 else title


def _is_theirs(user_id: int, email: str | None) -> ColumnElement[bool]:
    if email is None:
        return Order.user_id == user_id
    return or_(Order.user_id == user_id, Order.email == email)


def _select_orders() -> Select[Order]:
    return select(Order).options(selectinload(Order.items), selectinload(Order.entries))


def _view_one(*conditions: ColumnElement[bool]) -> OrderView | None:
    order = db.session.scalar(_select_orders().where(*conditions).execution_options(populate_existing=True))
    return None if order is None else _view_all([order])[0]


def _view_all(orders: Sequence[Order]) -> list[OrderView]:
    price_ids = {item.price_id for order in orders for item in order.items}
    prices = {
        row.id: row.public_id
        for row in db.session.execute(select(Price.id, Price.public_id).where(Price.id.in_(price_ids)))
    }
    gift_ids = [order.id for order in orders if order.purpose == "gift"]
    found = db.session.scalars(select(Gift).where(Gift.order_id.in_(gift_ids))) if gift_ids else ()
    gifts = {gift.order_id: gift for gift in found}
    return [_view(order, prices, gifts.get(order.id)) for order in orders]


def _view(order: Order, prices: Mapping[int, str], gift: Gift | None) -> OrderView:
    days = min((item.refund_days for item in order.items), default=0)
    refund_until = order.paid_at + timedelta(days=days) if order.paid_at and days and order.total_amount else None
    return OrderView(
        id=order.id,
        public_id=order.public_id,
        user_id=order.user_id,
        number=format_order_number(order.number),
        state=order.state,
        email=order.email or "",
        customer_name=order.customer_name,
        purpose=order.purpose,
        takes_seat=order.takes_seat,
        items=tuple(
            OrderLine(
                title=item.title,
                quantity=item.quantity,
                subtotal_amount=item.subtotal_amount,
                total_amount=item.total_amount,
                course_ids=tuple(course["course_id"] for course in item.courses),
            )
            for item in order.items
        ),
        subtotal_amount=order.subtotal_amount,
        discount_amount=order.discount_amount,
        discount_code=find_code_name(order),
        tax_amount=order.tax_amount,
        is_tax_included=order.is_tax_included,
        total_amount=order.charged_amount,
        refunded_amount=sum_entries(order.entries).refunded_amount,
        currency=order.currency,
        created_at=order.created_at,
        paid_at=order.paid_at,
        payment_method_label=order.payment_method_label,
        failure_reason=order.failure_reason,
        refund_until=refund_until,
        price_public_id=prices[order.items[0].price_id] if order.items else "",
        has_invoice=order.stripe_invoice_id is not None,
        gift_recipient_name=gift.recipient_name if gift is not None else "",
        gift_recipient_email=gift.recipient_email if gift is not None else "",
        gift_on=gift.send_at if gift is not None else None,
        link_version=order.link_version,
    )
