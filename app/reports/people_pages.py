"""One learner for the back-office's page: purchases, courses with the reasons they have them, mails, moves, notes.

Only reads, and only from the database. What was bought with their address as a guest is theirs here, as it is for
whoever proves the address.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import aliased, selectinload

from app import clock
from app.accounts.by_staff import Note, list_user_notes
from app.accounts.models import User, UserSession
from app.accounts.permissions import list_permissions
from app.catalog.models import Course, Lesson, Product
from app.checkout.models import Order, OrderItem, OrderNote
from app.checkout.move_models import OrderMove
from app.checkout.numbers import format_order_number
from app.db import db
from app.enrollment.models import Enrollment, Grant, Seat
from app.enrollment.services import NO_PROGRESS, get_progress
from app.errors import NotFound
from app.mail.models import Message
from app.newsletter.models import Subscriber
from app.reports.access import AccessTrace, explain_courses
from app.reports.audit_log import Activity, list_subject_activity
from app.reports.order_lists import CHARGED, OrderListRow, shape_order_row
from app.reports.order_timelines import MAIL_WORDS, TEAM_NOTE
from app.reports.people_lists import bought_by, name_state

MOST_ORDERS = 50
MOST_MAILS = 30
MOST_ACTIVITY = 10
WORDS = {
    **MAIL_WORDS,
    "sign_in_link": "Sign-in link",
    "confirm_address": "Link to confirm the address",
    "address_known": "Notice that the account exists",
    "reset_password": "Password reset",
    "password_changed": "Notice of the new password",
    "course_given": "Notice of the course given",
    "newsletter_confirm": "Newsletter: confirmation",
    "newsletter_welcome": "Newsletter: welcome",
    "staff_invited": "Invitation to the back-office",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonGrant:
    """A reason for a course. state: "open", "paused", "over", "closed"; order_public_id "" without an order."""

    origin: str
    detail: str
    order_public_id: str
    state: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonCourse:
    """A course they have, or had; done and total are lessons. is_open: whether they may open it now."""

    public_id: str
    title: str
    is_open: bool
    done: int
    total: int
    last_opened_at: datetime | None
    last_lesson: str
    grants: tuple[PersonGrant, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingSeat:
    """A seat set aside for their address that nobody took."""

    public_id: str
    title: str
    order_public_id: str
    order_number: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonMail:
    """A mail to their address. state: "sent", "failed", "waiting"."""

    what: str
    state: str
    at: datetime
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonMove:
    """A purchase that went, or goes, from or to their address."""

    order_public_id: str
    order_number: str
    from_email: str
    to_email: str
    status: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonPage:
    """A person as their page shows them; times UTC, amounts in minor units by currency."""

    id: int
    public_id: str
    name: str
    email: str
    state: str
    roles: tuple[str, ...]
    joined_at: datetime
    confirmed_at: datetime | None
    last_seen_at: datetime | None
    sign_in_count: int
    order_count: int
    paid_amounts: tuple[tuple[str, int], ...]
    orders: tuple[OrderListRow, ...]
    courses: tuple[PersonCourse, ...]
    seats: tuple[WaitingSeat, ...]
    mails: tuple[PersonMail, ...]
    moves: tuple[PersonMove, ...]
    notes: tuple[Note, ...]
    activity: tuple[Activity, ...]
    newsletter: str
    newsletter_since: datetime | None


def get_person(public_id: str) -> User:
    """An account as it is now. Raises NotFound."""
    user = db.session.scalar(select(User).where(User.public_id == public_id).execution_options(populate_existing=True))
    if user is None:
        raise NotFound("There is no such person.")
    return user


def get_person_page(public_id: str) -> PersonPage:
    """Everything the page shows, in a fixed number of reads. Raises NotFound."""
    user = get_person(public_id)
    order_ids = list(db.session.scalars(select(Order.id).where(bought_by(user))))
    sums = _sum_paid(order_ids)
    moments = _read_sign_ins(user.id)
    subscriber = db.session.scalar(select(Subscriber).where(Subscriber.email == user.email))
    return PersonPage(
        id=user.id,
        public_id=user.public_id,
        name=user.name,
        email=user.email,
        state=name_state(user),
        roles=tuple(role.name for role in user.roles if list_permissions([role])),
        joined_at=user.created_at,
        confirmed_at=user.confirmed_at,
        last_seen_at=moments[0],
        sign_in_count=moments[1],
        order_count=sum(count for _, count, _ in sums),
        paid_amounts=tuple((currency, int(amount or 0)) for currency, _, amount in sums),
        orders=tuple(_list_orders(order_ids)),
        courses=tuple(_list_courses(user.id)),
        seats=tuple(_list_waiting_seats(user.email)),
        mails=tuple(_list_mails(user.email)),
        moves=tuple(_list_moves(user.email, order_ids)),
        notes=tuple(_list_notes(user.id, order_ids)),
        activity=tuple(list_subject_activity(subject_type="user", subject_id=public_id, limit=MOST_ACTIVITY)),
        newsletter=subscriber.status if subscriber is not None else "",
        newsletter_since=subscriber.confirmed_at if subscriber is not None else None,
    )


def explain_person(public_id: str) -> list[AccessTrace]:
    """Why they may, or may not, open each course they have, had, were invited to or bought. Raises NotFound."""
    user = get_person(public_id)
    items = select(OrderItem).join(Order, Order.id == OrderItem.order_id).where(bought_by(user))
    snapshots = [item.courses for item in db.session.scalars(items)]
    snapshots += db.session.scalars(select(Seat.courses).where(Seat.invited_email == user.email)).all()
    course_ids = {course["course_id"] for courses in snapshots for course in courses}
    course_ids |= set(db.session.scalars(select(Grant.course_id).where(Grant.user_id == user.id)))
    titles = db.session.scalars(select(Course.id).where(Course.id.in_(course_ids)).order_by(Course.title, Course.id))
    known = list(titles)
    return explain_courses(course_ids=known, user_id=user.id, email=user.email) if known else []


def _sum_paid(order_ids: Sequence[int]) -> list[Any]:
    return list(
        db.session.execute(
            select(Order.currency, func.count(), func.sum(CHARGED))
            .where(Order.id.in_(order_ids), Order.number.is_not(None))
            .group_by(Order.currency)
            .order_by(Order.currency)
        ).all()
    )


def _read_sign_ins(user_id: int) -> tuple[datetime | None, int]:
    """When they signed in last, and in how many browsers they are signed in now."""
    own = UserSession.user_id == user_id
    live = [own, UserSession.revoked_at.is_(None), UserSession.expires_at > clock.now()]
    last = db.session.scalar(select(UserSession.created_at).where(own).order_by(UserSession.id.desc()).limit(1))
    return last, db.session.scalar(select(func.count(UserSession.id)).where(*live)) or 0


def _list_orders(order_ids: Sequence[int]) -> list[OrderListRow]:
    rows = db.session.scalars(
        select(Order)
        .options(selectinload(Order.items))
        .where(Order.id.in_(order_ids))
        .order_by(Order.id.desc())
        .limit(MOST_ORDERS)
    )
    return [shape_order_row(order) for order in rows]


def _list_courses(user_id: int) -> list[PersonCourse]:
    grants: dict[int, list[PersonGrant]] = {}
    titles: dict[int, tuple[str, str]] = {}
    for row in db.session.execute(_select_grants(user_id)):
        grants.setdefault(row.Grant.course_id, []).append(_shape_grant(row, user_id))
        titles[row.Grant.course_id] = (row.public_id, row.course_title)
    progress = get_progress(user_id=user_id, course_ids=list(grants))
    lessons: dict[int, int] = dict(
        db.session.execute(
            select(Lesson.course_id, func.count())
            .where(Lesson.course_id.in_(grants), Lesson.deleted_at.is_(None))
            .group_by(Lesson.course_id)
        ).all()
    )
    last: dict[int, str] = dict(
        db.session.execute(
            select(Enrollment.course_id, Lesson.title)
            .join(Lesson, Lesson.id == Enrollment.last_lesson_id)
            .where(Enrollment.user_id == user_id)
        ).all()
    )
    courses = [
        PersonCourse(
            public_id=titles[course_id][0],
            title=titles[course_id][1],
            is_open=any(each.state == "open" for each in own),
            done=len(progress.get(course_id, NO_PROGRESS).done_lesson_ids),
            total=lessons.get(course_id, 0),
            last_opened_at=progress.get(course_id, NO_PROGRESS).last_opened_at,
            last_lesson=last.get(course_id, ""),
            grants=tuple(own),
        )
        for course_id, own in grants.items()
    ]
    return sorted(courses, key=lambda each: (not each.is_open, each.title.casefold()))


def _select_grants(user_id: int) -> Select[Any]:
    """A person's grants with what they came from, the newest first."""
    giver = aliased(User)
    columns: list[Any] = [
        Grant, Course.public_id, Course.title.label("course_title"), OrderItem.title.label("item_title"),
        Product.kind, Order.public_id.label("order_public_id"), Order.number, Order.purpose, Order.user_id,
        Order.email, Seat.invited_email, giver.name.label("giver_name"), giver.email.label("giver_email"),
    ]  # fmt: skip
    return (
        select(*columns)
        .join(Course, Course.id == Grant.course_id)
        .outerjoin(Seat, Seat.id == Grant.seat_id)
        .outerjoin(OrderItem, OrderItem.id == Seat.order_item_id)
        .outerjoin(Product, Product.id == OrderItem.product_id)
        .outerjoin(Order, Order.id == OrderItem.order_id)
        .outerjoin(giver, giver.id == Grant.granted_by_id)
        .where(Grant.user_id == user_id)
        .order_by(Grant.id.desc())
    )


def _shape_grant(row: Any, user_id: int) -> PersonGrant:
    grant: Grant = row.Grant
    origin, detail = _name_origin(row, user_id)
    return PersonGrant(
        origin=origin,
        detail=detail,
        order_public_id=row.order_public_id or "",
        state=_name_grant_state(grant),
        since=grant.granted_at,
        until=grant.expires_at,
    )


def _name_origin(row: Any, user_id: int) -> tuple[str, str]:
    grant: Grant = row.Grant
    if grant.membership_id is not None:
        return "Membership", ""
    if grant.seat_id is None:
        by = row.giver_name or row.giver_email
        return "Free seat", grant.reason + (f" (by {by})" if by else "")
    name = f"Order {format_order_number(row.number) or row.order_public_id[:12] + '…'}"
    bundle = f" by the bundle {row.item_title}" if row.kind == "bundle" else ""
    if row.purpose == "gift":
        return f"Gift{bundle}", f"{name} of {row.email or 'somebody'}"
    if row.user_id != user_id and row.purpose == "team":
        return f"Team seat{bundle}", f"{name} of {row.email or 'somebody'}"
    return f"Bought{bundle}", name


def _name_grant_state(grant: Grant) -> str:
    if grant.revoked_at is not None:
        return "closed"
    if grant.suspended_at is not None:
        return "paused"
    return "over" if grant.expires_at is not None and grant.expires_at <= clock.now() else "open"


def _list_waiting_seats(email: str) -> list[WaitingSeat]:
    rows = db.session.execute(
        select(Seat.public_id, OrderItem.title, Order.public_id.label("order_public_id"), Order.number)
        .join(OrderItem, OrderItem.id == Seat.order_item_id)
        .join(Order, Order.id == OrderItem.order_id)
        .where(Seat.invited_email == email, Seat.claimed_by_id.is_(None), Seat.status == "active")
        .order_by(Seat.id.desc())
    )
    return [
        WaitingSeat(
            public_id=row.public_id, title=row.title, order_public_id=row.order_public_id,
            order_number=format_order_number(row.number),
        )
        for row in rows
    ]  # fmt: skip


def _list_mails(email: str) -> list[PersonMail]:
    rows = db.session.scalars(
        select(Message).where(Message.to_address == email).order_by(Message.id.desc()).limit(MOST_MAILS)
    )
    return [
        PersonMail(
            what=WORDS.get(mail.template, mail.template.replace("_", " ").capitalize()),
            state="failed" if mail.failed_at is not None else "sent" if mail.sent_at is not None else "waiting",
            at=mail.failed_at or mail.sent_at or mail.created_at,
            error=mail.error or "",
        )
        for mail in rows
    ]


def _list_moves(email: str, order_ids: Sequence[int]) -> list[PersonMove]:
    rows = db.session.execute(
        select(OrderMove, Order.public_id, Order.number, Order.email)
        .join(Order, Order.id == OrderMove.order_id)
        .where(or_(OrderMove.order_id.in_(order_ids), OrderMove.to_email == email))
        .order_by(OrderMove.id.desc())
        .limit(MOST_ORDERS)
    ).all()
    return [
        PersonMove(
            order_public_id=public_id, order_number=format_order_number(number),
            from_email=move.before.get("email") or (order_email if move.moved_at is None else "") or "",
            to_email=move.to_email, status=move.status, at=move.ended_at or move.moved_at or move.created_at,
        )
        for move, public_id, number, order_email in rows
    ]  # fmt: skip


def _list_notes(user_id: int, order_ids: Sequence[int]) -> list[Note]:
    """The team's notes about the person and about their orders, newest first."""
    rows = db.session.execute(
        select(OrderNote, User.name, User.email, Order.number)
        .join(Order, Order.id == OrderNote.order_id)
        .outerjoin(User, User.id == OrderNote.actor_id)
        .where(OrderNote.order_id.in_(order_ids), OrderNote.kind == TEAM_NOTE)
        .order_by(OrderNote.id.desc())
        .limit(MOST_ORDERS)
    ).all()
    of_orders = [
        Note(text=f"{format_order_number(number)}: {note.text}", by=name or email or "", at=note.created_at)
        for note, name, email, number in rows
    ]
    return sorted([*list_user_notes(user_id=user_id), *of_orders], key=lambda each: each.at, reverse=True)
