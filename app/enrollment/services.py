"""Who may open what, and how far they came. Access is any live grant; nothing here knows about money."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select

from app import clock
from app.db import db, insert_once, retry_conflicts, transaction
from app.enrollment.models import Enrollment, Grant, LessonProgress
from app.errors import NotFound


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far somebody came in a course; last_opened_at is UTC."""

    done_lesson_ids: frozenset[int]
    last_lesson_id: int | None
    last_opened_at: datetime | None


NO_PROGRESS = Progress(done_lesson_ids=frozenset(), last_lesson_id=None, last_opened_at=None)


def list_open_course_ids(*, user_id: int) -> set[int]:
    """The courses somebody may open now, through any live grant."""
    return set(list_open_since(user_id=user_id))


def list_open_since(*, user_id: int) -> dict[int, datetime]:
    """The same courses with the moment (UTC) the earliest live grant began: lessons that open later count from it."""
    moment = clock.now()
    rows = db.session.execute(
        select(Grant.course_id, Grant.granted_at).where(
            Grant.user_id == user_id,
            Grant.revoked_at.is_(None),
            Grant.suspended_at.is_(None),
            or_(Grant.expires_at.is_(None), Grant.expires_at > moment),
        )
    )
    since: dict[int, datetime] = {}
    for row in rows:
        since[row.course_id] = min(row.granted_at, since.get(row.course_id, row.granted_at))
    return since


def find_opening(*, drip_days: int | None, since: datetime) -> datetime | None:
    """When a lesson opens for a grant that began at since (both UTC); None once it is open."""
    opens_at = since + timedelta(days=drip_days or 0)
    return opens_at if opens_at > clock.now() else None


def get_progress(*, user_id: int, course_ids: Sequence[int]) -> dict[int, Progress]:
    """Progress by course, for the courses that were begun or granted."""
    enrollments = db.session.execute(
        select(Enrollment.id, Enrollment.course_id, Enrollment.last_lesson_id, Enrollment.last_opened_at).where(
            Enrollment.user_id == user_id, Enrollment.course_id.in_(course_ids)
        )
    ).all()
    done: dict[int, set[int]] = {row.id: set() for row in enrollments}
    for row in db.session.execute(
        select(LessonProgress.enrollment_id, LessonProgress.lesson_id).where(LessonProgress.enrollment_id.in_(done))
    ):
        done[row.enrollment_id].add(row.lesson_id)
    return {
        row.course_id: Progress(
            done_lesson_ids=frozenset(done[row.id]),
            last_lesson_id=row.last_lesson_id,
            last_opened_at=row.last_opened_at,
        )
        for row in enrollments
    }


@retry_conflicts
def open_lesson(*, user_id: int, course_id: int, lesson_id: int) -> None:
    """Remember the lesson as the one to continue with, and that the course is in use.

    Does nothing for a person to whom the course is not open: a seat that was reassigned a moment ago stays unused.
    """
    with transaction():
        enrollment = _lock_enrollment(user_id=user_id, course_id=course_id)
        if enrollment is not None and course_id in list_open_course_ids(user_id=user_id):
            enrollment.last_lesson_id = lesson_id
            enrollment.last_opened_at = clock.now()


@retry_conflicts
def complete_lesson(*, user_id: int, course_id: int, lesson_id: int) -> None:
    """Mark a lesson as done; marking it again changes nothing.

    Raises NotFound when the course is not open to this person.
    """
    with transaction():
        enrollment = _lock_enrollment(user_id=user_id, course_id=course_id)
        if enrollment is None or course_id not in list_open_course_ids(user_id=user_id):
            raise NotFound
        insert_once(
            LessonProgress,
            {"enrollment_id": enrollment.id, "lesson_id": lesson_id, "completed_at": clock.now()},
            unique=["enrollment_id", "lesson_id"],
        )


def _lock_enrollment(*, user_id: int, course_id: int) -> Enrollment | None:
    """Holds the row until the transaction ends: whoever takes the seat away holds it too while looking at its use."""
    return db.session.scalars(
        select(Enrollment)
        .where(Enrollment.user_id == user_id, Enrollment.course_id == course_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


@retry_conflicts
def reopen_lesson(*, user_id: int, course_id: int, lesson_id: int) -> None:
    """Take the mark "done" off a lesson; one that has none stays as it is."""
    with transaction() as session:
        session.execute(
            delete(LessonProgress).where(
                LessonProgress.lesson_id == lesson_id,
                LessonProgress.enrollment_id.in_(
                    select(Enrollment.id).where(Enrollment.user_id == user_id, Enrollment.course_id == course_id)
                ),
            )
        )
