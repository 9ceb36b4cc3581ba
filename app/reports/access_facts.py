"""Everything a trace of access needs, read with a number of queries that does not grow with what is found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import selectinload

from app import clock
from app.accounts.models import User
from app.catalog.models import Course
from app.checkout.models import Finding, Gift, Order, OrderItem, RefundRequest
from app.db import db
from app.enrollment.models import Grant, Membership, Seat
from app.mail.models import Message

Row = TypeVar("Row")

# A person with more purchases than this is a reseller; the newest decide.
MOST_ORDERS = 100
MOST_MAILS = 500
MAIL_TEMPLATES = ("claim_seat", "gift_seat", "receipt")


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """An account as the chain needs it."""

    id: int
    email: str
    is_active: bool
    confirmed_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Whose access is asked about.

    person: the account judged, None where none is proved. addresses: whose orders and invitations belong to the chain,
    because they are proved or because an admin asks. order_id, seat_id: what a mailed link names.
    """

    person: Person | None
    addresses: tuple[str, ...]
    order_id: int | None
    seat_id: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """The rows of one subject, by key; moment (UTC) is when they were read."""

    moment: datetime
    subject: Subject
    courses: dict[int, Course]
    orders: tuple[Order, ...]
    seats: tuple[Seat, ...]
    grants: tuple[Grant, ...]
    gifts: dict[int, Gift]
    memberships: dict[int, Membership]
    refund_requests: tuple[RefundRequest, ...]
    findings: tuple[Finding, ...]
    messages: tuple[Message, ...]
    people: dict[int, Person]


def load_facts(subject: Subject, *, course_ids: Sequence[int]) -> Facts:
    """Read what belongs to the subject and the courses. Only reads; stale rows of the session are read again."""
    moment = clock.now()
    user_id = subject.person.id if subject.person is not None else None
    courses = {each.id: each for each in _list(select(Course).where(Course.id.in_(course_ids)))}
    own_grants = _list(select(Grant).where(Grant.user_id == user_id, Grant.course_id.in_(course_ids)))
    named_seats = _list(
        select(Seat).where(
            or_(
                Seat.claimed_by_id == user_id if user_id is not None else Seat.id == subject.seat_id,
                Seat.invited_email.in_(subject.addresses),
                Seat.id.in_([grant.seat_id for grant in own_grants if grant.seat_id is not None]),
                Seat.id == subject.seat_id,
            )
        )
    )
    orders = _load_orders(subject, user_id=user_id, item_ids=[seat.order_item_id for seat in named_seats])
    order_ids = [order.id for order in orders]
    bought = [item.id for order in orders if is_buyer(subject, order) for item in order.items]
    first_seats = _list(select(Seat).where(Seat.order_item_id.in_(bought), Seat.position == 1))
    seats = {seat.id: seat for seat in (*named_seats, *first_seats)}
    seat_grants = _list(select(Grant).where(Grant.seat_id.in_(seats), Grant.course_id.in_(course_ids)))
    grants = {grant.id: grant for grant in (*own_grants, *seat_grants)}
    memberships = [grant.membership_id for grant in own_grants if grant.membership_id is not None]
    addresses = {*subject.addresses, *(seat.invited_email for seat in seats.values())}
    addresses |= {order.email for order in orders if is_buyer(subject, order)}
    return Facts(
        moment=moment,
        subject=subject,
        courses=courses,
        orders=tuple(orders),
        seats=tuple(sorted(seats.values(), key=lambda seat: (seat.order_item_id, seat.position))),
        grants=tuple(sorted(grants.values(), key=lambda grant: grant.id)),
        gifts={each.order_id: each for each in _list(select(Gift).where(Gift.order_id.in_(order_ids)))},
        memberships={each.id: each for each in _list(select(Membership).where(Membership.id.in_(memberships)))},
        refund_requests=tuple(
            _list(select(RefundRequest).where(RefundRequest.order_id.in_(order_ids)).order_by(RefundRequest.id))
        ),
        findings=tuple(_list(select(Finding).where(Finding.order_id.in_(order_ids)).order_by(Finding.id))),
        messages=tuple(
            reversed(
                _list(
                    select(Message)
                    .where(Message.to_address.in_([each for each in addresses if each is not None]))
                    .where(Message.template.in_(MAIL_TEMPLATES))
                    .order_by(Message.id.desc())
                    .limit(MOST_MAILS)
                )
            )
        ),
        people=find_people(User.id.in_({seat.claimed_by_id for seat in seats.values() if seat.claimed_by_id})),
    )


def find_people(condition: ColumnElement[bool]) -> dict[int, Person]:
    """The accounts that match, by id; without their roles, which nobody asks for here."""
    rows = db.session.execute(
        select(User.id, User.email, User.active, User.confirmed_at, User.created_at).where(condition)
    )
    return {
        row.id: Person(
            id=row.id,
            email=row.email,
            is_active=row.active,
            confirmed_at=row.confirmed_at,
            created_at=row.created_at,
        )
        for row in rows
    }


def is_buyer(subject: Subject, order: Order) -> bool:
    """Whether the subject may see the order's money: it is theirs by account, by address, or by the link they hold."""
    is_own = subject.person is not None and order.user_id == subject.person.id
    return is_own or order.id == subject.order_id or order.email in subject.addresses


def _load_orders(subject: Subject, *, user_id: int | None, item_ids: Sequence[int]) -> list[Order]:
    own = Order.user_id == user_id if user_id is not None else Order.id == subject.order_id
    orders = _list(
        select(Order)
        .options(selectinload(Order.items), selectinload(Order.entries))
        .where(
            or_(
                own,
                Order.email.in_(subject.addresses),
                Order.id == subject.order_id,
                Order.id.in_(select(OrderItem.order_id).where(OrderItem.id.in_(item_ids))),
            )
        )
        .order_by(Order.id.desc())
        .limit(MOST_ORDERS)
    )
    return orders[::-1]


def _list(query: Select[Row]) -> list[Row]:
    return list(db.session.scalars(query.execution_options(populate_existing=True)))
