"""A learner's own courses: what is open, how far they came, and which lesson is next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from app.catalog.course_pages import ALL_STATUSES
from app.catalog.models import Course, Lesson
from app.catalog.services import CourseCard, list_course_cards
from app.db import db
from app.enrollment.services import NO_PROGRESS, find_opening, get_progress, list_open_since

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryCourse:
    """An open course; next_slug is the lesson to go on with, None when every lesson is done.

    next_opens_at: that lesson's day (UTC) where it is still to come; None when it is open.
    """

    card: CourseCard
    done: int
    total: int
    next_slug: str | None
    next_title: str | None
    next_minutes: int
    next_opens_at: datetime | None
    last_opened_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstLesson:
    """Where a course begins."""

    course_slug: str
    lesson_slug: str


def get_library(*, user_id: int) -> list[LibraryCourse]:
    """Every course open to this person, the one opened last first."""
    since = list_open_since(user_id=user_id)
    course_ids = sorted(since)
    progress = get_progress(user_id=user_id, course_ids=course_ids)
    lessons: dict[int, list[Any]] = {course_id: [] for course_id in course_ids}
    for row in db.session.execute(
        select(
            Lesson.course_id, Lesson.id, Lesson.slug, Lesson.title, Lesson.minutes, Lesson.is_preview, Lesson.drip_days
        )
        .where(Lesson.course_id.in_(course_ids), Lesson.deleted_at.is_(None))
        .order_by(Lesson.position)
    ):
        lessons[row.course_id].append(row)
    library = []
    # Whoever has a course keeps it, also one that was taken off the shop.
    for card in list_course_cards(course_ids, statuses=ALL_STATUSES):
        own = progress.get(card.course_id, NO_PROGRESS)
        left = [lesson for lesson in lessons[card.course_id] if lesson.id not in own.done_lesson_ids]
        opens_at = {
            lesson.id: find_opening(
                drip_days=None if lesson.is_preview else lesson.drip_days, since=since[card.course_id]
            )
            for lesson in left
        }
        # What is open comes first: a lesson whose day is to come is no next step while another one is there.
        ready = [lesson for lesson in left if opens_at[lesson.id] is None] or sorted(
            left, key=lambda lesson: opens_at[lesson.id] or LONG_AGO
        )
        following = next((lesson for lesson in ready if lesson.id == own.last_lesson_id), ready[0] if ready else None)
        library.append(
            LibraryCourse(
                card=card,
                done=len(lessons[card.course_id]) - len(left),
                total=len(lessons[card.course_id]),
                next_slug=following.slug if following else None,
                next_title=following.title if following else None,
                next_minutes=following.minutes if following else 0,
                next_opens_at=opens_at[following.id] if following else None,
                last_opened_at=own.last_opened_at,
            )
        )
    return sorted(library, key=lambda each: each.last_opened_at or LONG_AGO, reverse=True)


def find_first_lesson(course_ids: Sequence[int]) -> FirstLesson | None:
    """The first lesson of the first of these courses, for "Start lesson 1"."""
    row = db.session.execute(
        select(Course.slug, Lesson.slug.label("lesson_slug"))
        .join(Lesson, Lesson.course_id == Course.id)
        .where(Course.id.in_(list(course_ids)), Lesson.deleted_at.is_(None))
        .order_by(Course.id, Lesson.position)
        .limit(1)
    ).one_or_none()
    return None if row is None else FirstLesson(course_slug=row.slug, lesson_slug=row.lesson_slug)


def find_course_slug(course_ids: Sequence[int]) -> str | None:
    """The address of the first of these courses that has a page."""
    return db.session.scalar(
        select(Course.slug)
        .where(Course.id.in_(list(course_ids)), Course.status != "draft")
        .order_by(Course.id)
        .limit(1)
    )


def list_course_slugs(course_ids: Sequence[int]) -> dict[int, str]:
    """Course slugs by id, for the covers of order lines."""
    rows = db.session.execute(select(Course.id, Course.slug).where(Course.id.in_(list(course_ids))))
    return {row.id: row.slug for row in rows}
