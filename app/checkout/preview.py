"""What settle() would change, without changing it: the very same code runs in a transaction that is rolled back.

The reconciler decides by it whether an order differs from Stripe, and a dry run of a replay prints it.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Select, func, inspect, select
from sqlalchemy.orm import selectinload

from app.checkout.models import CheckoutAttempt, Finding, LedgerEntry, Order, OrderItem, RefundRequest
from app.checkout.numbers import format_order_number
from app.checkout.settle import (
    OPEN_STATES,
    Reading,
    apply_free_order,
    apply_reading,
    find_mismatch,
    needs_no_stripe,
    read_stripe,
)
from app.db import db, hold_snapshot, retry_conflicts, transaction
from app.enrollment.models import Seat
from app.mail.models import Message

# When an order is looked at is no difference.
BOOKKEEPING = frozenset({"read_started_at", "check_after"})


@dataclass(frozen=True, kw_only=True, slots=True)
class NewEntry:
    """A fact about money that the ledger lacks; amount in minor units of currency."""

    kind: str
    stripe_object_id: str
    amount: int
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatChange:
    """A seat of the order, by its item's title and its place in it; before is "" for a seat that is not there yet."""

    title: str
    position: int
    before: str
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """A mail that would go out, without its address."""

    key: str
    template: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What settle() would do to one order. Everything empty: the order agrees with Stripe.

    mismatch is the reason why a paid session may not be granted (P1); then settle() would change nothing else.
    columns are the order's own that would change, by name; findings and resolved the keys of what would need attention
    or no more; sessions those that would be stored or closed at Stripe.
    """

    order_id: int
    order_public_id: str
    order_number: str
    state_before: str
    state_after: str
    columns: tuple[str, ...] = ()
    entries: tuple[NewEntry, ...] = ()
    seats: tuple[SeatChange, ...] = ()
    mails: tuple[Mail, ...] = ()
    refunds: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
    found_sessions: tuple[str, ...] = ()
    closed_sessions: tuple[str, ...] = ()
    mismatch: str | None = None

    @property
    def is_empty(self) -> bool:
        parts = (self.columns, self.entries, self.seats, self.mails, self.refunds, self.findings, self.resolved)
        return not any((*parts, self.found_sessions, self.closed_sessions, self.mismatch))


def preview_settle(*, order_id: int, session_id: str | None = None) -> Difference:
    """What settle() with these arguments would change now. Writes nothing, here or at Stripe.

    Raises NoResultFound for an order that is not there, PaymentUnavailable, StripeObjectMissing as settle() does.
    """
    order = db.session.get_one(
        Order,
        order_id,
        options=[selectinload(Order.attempts), selectinload(Order.entries)],
        populate_existing=True,
    )
    if needs_no_stripe(order):
        return _compare(order_id, None)
    reading = read_stripe(order, session_id)
    mismatch = find_mismatch(order, reading)
    if mismatch is not None:
        return Difference(
            order_id=order.id,
            order_public_id=order.public_id,
            order_number=format_order_number(order.number),
            state_before=order.state,
            state_after=order.state,
            found_sessions=tuple(each.id for each in reading.found_sessions.values()),
            mismatch=mismatch,
        )
    return _compare(order_id, reading)


class _Undo(Exception):
    """Ends the transaction of a preview, so that it rolls back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Picture:
    """An order and what hangs on it, in values that can be compared."""

    public_id: str
    number: int | None
    columns: dict[str, Any]
    entries: frozenset[NewEntry]
    seats: dict[tuple[str, int], str]
    refunds: frozenset[str]
    findings: frozenset[str]


@retry_conflicts
def _compare(order_id: int, reading: Reading | None) -> Difference:
    found: list[Difference] = []
    with suppress(_Undo), structlog.contextvars.bound_contextvars(is_preview=True), transaction():
        found.append(_apply(order_id, reading))
        raise _Undo
    return found[0]


def _apply(order_id: int, reading: Reading | None) -> Difference:
    # What others commit meanwhile must not look like a consequence of this order.
    hold_snapshot()
    before = _take_picture(order_id)
    last_message_id = db.session.scalar(select(func.max(Message.id))) or 0
    if reading is None:
        apply_free_order(order_id)
    else:
        _store_found_sessions(reading)
        apply_reading(order_id, reading)
    db.session.flush()
    mails = db.session.execute(
        select(Message.key, Message.template).where(Message.id > last_message_id).order_by(Message.id)
    )
    return _subtract(
        order_id,
        before,
        _take_picture(order_id),
        mails=tuple(Mail(key=key, template=template) for key, template in mails),
        reading=reading,
    )


def _store_found_sessions(reading: Reading) -> None:
    for attempt_id, facts in reading.found_sessions.items():
        attempt = db.session.get_one(CheckoutAttempt, attempt_id)
        attempt.stripe_checkout_session_id = attempt.stripe_checkout_session_id or facts.id
    db.session.flush()


def _take_picture(order_id: int) -> _Picture:
    order = db.session.get_one(Order, order_id, populate_existing=True)
    entries = db.session.scalars(select(LedgerEntry).where(LedgerEntry.order_id == order_id))
    seats = db.session.execute(
        select(OrderItem.title, Seat.position, Seat.status)
        .join(OrderItem, OrderItem.id == Seat.order_item_id)
        .where(OrderItem.order_id == order_id)
    )
    return _Picture(
        public_id=order.public_id,
        number=order.number,
        columns={
            column.key: getattr(order, column.key)
            for column in inspect(Order).columns
            if column.key is not None and column.key not in BOOKKEEPING
        },
        entries=frozenset(
            NewEntry(kind=each.kind, stripe_object_id=each.stripe_object_id, amount=each.amount, currency=each.currency)
            for each in entries
        ),
        seats={(title, position): status for title, position, status in seats},
        refunds=_read_keys(select(RefundRequest.request_key).where(RefundRequest.order_id == order_id)),
        findings=_read_keys(select(Finding.key).where(Finding.order_id == order_id, Finding.resolved_at.is_(None))),
    )


def _read_keys(query: Select[str]) -> frozenset[str]:
    return frozenset(db.session.scalars(query))


def _subtract(
    order_id: int, before: _Picture, after: _Picture, *, mails: tuple[Mail, ...], reading: Reading | None
) -> Difference:
    state = str(after.columns["state"])
    # The sessions that settle() closes once the order is.
    leftovers = () if reading is None or state in OPEN_STATES else reading.sessions
    return Difference(
        order_id=order_id,
        order_public_id=after.public_id,
        order_number=format_order_number(after.number),
        state_before=str(before.columns["state"]),
        state_after=state,
        columns=tuple(name for name, value in after.columns.items() if value != before.columns[name]),
        entries=tuple(sorted(after.entries - before.entries, key=lambda each: (each.kind, each.stripe_object_id))),
        seats=tuple(
            SeatChange(title=title, position=position, before=before.seats.get((title, position), ""), after=status)
            for (title, position), status in sorted(after.seats.items())
            if before.seats.get((title, position)) != status
        ),
        mails=mails,
        refunds=tuple(sorted(after.refunds - before.refunds)),
        findings=tuple(sorted(after.findings - before.findings)),
        resolved=tuple(sorted(before.findings - after.findings)),
        found_sessions=tuple(each.id for each in reading.found_sessions.values()) if reading is not None else (),
        closed_sessions=tuple(each.id for each in leftovers if each.status == "open"),
    )
