"""Courses opened by staff without a payment: a grant with a reason, its giver and perhaps an end; closed, opened again.

A person has at most one such grant of a course at a time, so account and course name it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Select, and_, or_, select, update
from sqlalchemy.orm import aliased

from app import clock
from app.accounts.models import User
from app.accounts.services import add_user
from app.audit import record_audit
from app.catalog.models import Course
from app.db import db, insert_once, retry_conflicts, transaction
from app.enrollment.models import Enrollment, Grant
from app.errors import AppError, InvalidInput, NotFound
from app.mail.services import queue_message
from app.paging import Page, read_page

log = structlog.get_logger()

BY_HAND = and_(Grant.seat_id.is_(None), Grant.membership_id.is_(None))
LONGEST_REASON = 200


class AlreadyGiven(AppError):
    """The person has the course without payment already."""

    code = "already_given"
    status = 409
    title = "They have this course already"
    sentence = "It’s open to this address without payment already. Close that first to give it anew."


@dataclass(frozen=True, kw_only=True, slots=True)
class FreeSeat:
    """A course somebody has, or had, without payment; times UTC. state is "open", "closed" or "over"."""

    user_public_id: str
    email: str
    name: str
    course_public_id: str
    course_title: str
    reason: str
    given_by: str
    given_at: datetime
    expires_at: datetime | None
    state: str


@retry_conflicts
def give_course(
    *, email: str, name: str, course_public_id: str, reason: str, expires_at: datetime | None, given_by_id: int
) -> str:
    """Open a course to an address (normalized) without payment and tell it; gives the account's public id.

    The account is made if need be, unproved: nobody gets in before they open a link mailed to the address. expires_at
    is UTC, None: for good. Raises NotFound (course), InvalidInput (reason, expires_at), AlreadyGiven.
    """
    if not reason.strip():
        raise InvalidInput("Say why they get it: the reason is kept.", field="reason")
    moment = clock.now()
    if expires_at is not None and expires_at <= moment:
        raise InvalidInput("Choose a day that is still to come.", field="expires_on")
    with transaction() as session:
        course = session.scalar(select(Course).where(Course.public_id == course_public_id))
        if course is None:
            raise NotFound("There is no such course.", field="course")
        add_user(session, email=email, name=name, password_hash=None, is_confirmed=False)
        # The account's row lets one of two admins at once be first.
        user = session.scalars(select(User).where(User.email == email).with_for_update()).one()
        if session.scalar(_select_live(user.id, course.id)) is not None:
            raise AlreadyGiven(field="email")
        session.add(
            Grant(
                user_id=user.id, course_id=course.id, reason=reason.strip()[:LONGEST_REASON], granted_by_id=given_by_id,
                granted_at=moment, expires_at=expires_at,
            )
        )  # fmt: skip
        insert_once(
            Enrollment,
            {"user_id": user.id, "course_id": course.id, "created_at": moment},
            unique=["user_id", "course_id"],
        )
        queue_message(
            key=f"given:{user.public_id}:{course.public_id}:{moment.strftime('%Y%m%d%H%M%S%f')}",
            template="course_given",
            to_address=email,
            data={
                "title": course.title,
                "expires_at": expires_at.isoformat() if expires_at is not None else "",
                "is_new": user.confirmed_at is None,
                "courses_url": {"path": "/account/courses", "purpose": "", "value": ""},
            },
        )
        _audit("access.given", user, course, reason=reason.strip(), after={"expires_at": _write(expires_at)})
        log.info("course_given", user=user.public_id, course=course.public_id)
        return user.public_id


@retry_conflicts
def close_free_seat(*, user_public_id: str, course_public_id: str, reason: str) -> bool:
    """Take a course given without payment back; what was bought stays. False when it is closed already. NotFound."""
    with transaction() as session:
        user, course = _get_pair(user_public_id, course_public_id)
        closed = session.scalars(
            update(Grant)
            .where(Grant.user_id == user.id, Grant.course_id == course.id, BY_HAND, Grant.revoked_at.is_(None))
            .values(revoked_at=clock.now())
            .returning(Grant.id)
        ).all()
        if closed:
            _audit("access.closed", user, course, reason=reason, before={"open": True}, after={"open": False})
        return bool(closed)


@retry_conflicts
def reopen_free_seat(*, user_public_id: str, course_public_id: str, reason: str) -> bool:
    """Open it again, until its old end; False when it is open. Raises NotFound, InvalidInput once that end is past."""
    with transaction() as session:
        user, course = _get_pair(user_public_id, course_public_id)
        last = session.scalars(
            select(Grant)
            .where(Grant.user_id == user.id, Grant.course_id == course.id, BY_HAND)
            .order_by(Grant.id.desc())
            .limit(1)
            .execution_options(populate_existing=True)
        ).one_or_none()
        if last is None:
            raise NotFound
        if last.revoked_at is None:
            return False
        if last.expires_at is not None and last.expires_at <= clock.now():
            raise InvalidInput("Its last day is past. Enroll them anew with another one.")
        last.revoked_at = None
        _audit("access.reopened", user, course, reason=reason, before={"open": False}, after={"open": True})
        return True


def select_free_seats(text: str = "") -> Select[Any]:
    """The statement of list_free_seats(): newest first; text is how an address begins."""
    giver = aliased(User)
    columns: list[Any] = [Grant, User, Course, giver.name, giver.email]
    query = (
        select(*columns)
        .join(User, User.id == Grant.user_id)
        .join(Course, Course.id == Grant.course_id)
        .outerjoin(giver, giver.id == Grant.granted_by_id)
        .where(BY_HAND)
        .order_by(Grant.id.desc())
    )
    return (
        query.where(or_(User.email.startswith(text.lower(), autoescape=True), User.name.icontains(text)))
        if text
        else query
    )


def list_free_seats(*, text: str, number: int) -> Page[FreeSeat]:
    """A page of the courses given without payment, newest first."""
    page = read_page(select_free_seats(text), number=number)
    rows = [_shape(*row) for row in page.rows]
    return Page(rows=rows, total=page.total, number=page.number, size=page.size)


def _shape(grant: Grant, user: User, course: Course, giver_name: str | None, giver_email: str | None) -> FreeSeat:
    is_over = grant.expires_at is not None and grant.expires_at <= clock.now()
    return FreeSeat(
        user_public_id=user.public_id,
        email=user.email,
        name=user.name,
        course_public_id=course.public_id,
        course_title=course.title,
        reason=grant.reason,
        given_by=giver_name or giver_email or "",
        given_at=grant.granted_at,
        expires_at=grant.expires_at,
        state="closed" if grant.revoked_at is not None else "over" if is_over else "open",
    )


def _select_live(user_id: int, course_id: int) -> Select[int]:
    return select(Grant.id).where(
        Grant.user_id == user_id,
        Grant.course_id == course_id,
        BY_HAND,
        Grant.revoked_at.is_(None),
        or_(Grant.expires_at.is_(None), Grant.expires_at > clock.now()),
    )


def _get_pair(user_public_id: str, course_public_id: str) -> tuple[User, Course]:
    """The account, locked, and the course. Raises NotFound."""
    user = db.session.scalar(select(User).where(User.public_id == user_public_id).with_for_update())
    course = db.session.scalar(select(Course).where(Course.public_id == course_public_id))
    if user is None or course is None:
        raise NotFound
    return user, course


def _audit(
    action: str,
    user: User,
    course: Course,
    *,
    reason: str,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    record_audit(
        action=action, subject_type="user", subject_id=user.public_id, before=before,
        after={"course": course.public_id, **(after or {})}, reason=reason,
    )  # fmt: skip


def _write(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
