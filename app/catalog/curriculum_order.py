"""Where sections and lessons stand, what is taken out of a course, and how it comes back to its place."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.audit import record_audit
from app.catalog.curriculum import GONE, Order, find_lesson, find_section, lock_row, read_order, write_order
from app.catalog.models import Course, Lesson, Section
from app.db import retry_conflicts, transaction
from app.errors import AppError, NotFound

UP, DOWN = "up", "down"


class CurriculumChanged(AppError):
    """Somebody else added, moved or deleted something since the page was opened; nothing was written."""

    code = "curriculum_changed"
    status = 409
    title = "The curriculum has changed"
    sentence = "Somebody else changed the curriculum. This is how it stands now: move it again."


@retry_conflicts
def move_section(*, course_public_id: str, public_id: str, step: str) -> None:
    """One place up or down; at the end of the list nothing changes. Raises NotFound."""

    def move(order: Order) -> None:
        place = next((at for at, (section, _) in enumerate(order) if section.public_id == public_id), None)
        if place is None:
            raise NotFound(GONE)
        other = place - 1 if step == UP else place + 1
        if 0 <= other < len(order):
            order[place], order[other] = order[other], order[place]

    _rearrange(course_public_id, move)


@retry_conflicts
def move_lesson(*, course_public_id: str, public_id: str, step: str) -> None:
    """One place up or down; the first of a section goes to the end of the section before. Raises NotFound."""

    def move(order: Order) -> None:
        found = ((at, row) for at, (_, lessons) in enumerate(order) for row in lessons if row.public_id == public_id)
        place, lesson = next(found, (-1, None))
        if lesson is None:
            raise NotFound(GONE)
        inside = order[place][1]
        index = inside.index(lesson)
        beside, section = (index - 1, place - 1) if step == UP else (index + 1, place + 1)
        if 0 <= beside < len(inside):
            inside[index], inside[beside] = inside[beside], inside[index]
        elif 0 <= section < len(order):
            inside.remove(lesson)
            target = order[section][1]
            target.insert(len(target) if step == UP else 0, lesson)

    _rearrange(course_public_id, move)


@retry_conflicts
def arrange_curriculum(*, course_public_id: str, wanted: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Put everything in the order wanted: (section, its lessons), public ids.

    Raises CurriculumChanged unless exactly the sections and lessons that are there now are named, once each.
    """

    def arrange(order: Order) -> None:
        sections = {section.public_id: section for section, _ in order}
        lessons = {lesson.public_id: lesson for _, inside in order for lesson in inside}
        named = [lesson for _, inside in wanted for lesson in inside]
        if sorted(section for section, _ in wanted) != sorted(sections) or sorted(named) != sorted(lessons):
            raise CurriculumChanged
        order[:] = [(sections[section], [lessons[lesson] for lesson in inside]) for section, inside in wanted]

    _rearrange(course_public_id, arrange)


@retry_conflicts
def delete_lesson(*, course_public_id: str, public_id: str) -> str:
    """Take a lesson out of the course; restore_lesson() brings it back with its learners' progress. Gives its title."""
    with transaction() as session:
        course = lock_row(session, course_public_id)
        lesson = find_lesson(session, course.id, public_id)
        lesson.deleted_at = clock.now()
        _close_gaps(session, course)
        _record("lesson.deleted", "lesson", public_id, before={"title": lesson.title})
        return lesson.title


@retry_conflicts
def restore_lesson(*, course_public_id: str, public_id: str) -> str:
    """Bring a deleted lesson back to its place in its section; one that is there stays. Gives its title.

    Raises NotFound, also while its section is deleted: the section comes back first.
    """
    with transaction() as session:
        course = lock_row(session, course_public_id)
        lesson = session.scalars(
            select(Lesson)
            .join(Section, Section.id == Lesson.section_id)
            .where(Lesson.course_id == course.id, Lesson.public_id == public_id, Section.deleted_at.is_(None))
        ).one_or_none()
        if lesson is None:
            raise NotFound("Bring its section back first.")
        if lesson.deleted_at is not None:
            order = read_order(session, course.id)
            inside = next(rows for section, rows in order if section.id == lesson.section_id)
            place = sum(row.position < lesson.position for row in inside)
            _revive(session, lesson)
            inside.insert(place, lesson)
            write_order(session, order)
            course.updated_at = clock.now()
            _record("lesson.restored", "lesson", public_id, after={"title": lesson.title})
        return lesson.title


@retry_conflicts
def delete_section(*, course_public_id: str, public_id: str) -> str:
    """Take a section out of the course with its lessons; restore_section() brings both back. Gives its title."""
    with transaction() as session:
        course = lock_row(session, course_public_id)
        section = find_section(session, course.id, public_id)
        lessons = next(rows for each, rows in read_order(session, course.id) if each.id == section.id)
        # One moment for all: whatever had been deleted before stays deleted when the section comes back.
        section.deleted_at = clock.now()
        for lesson in lessons:
            lesson.deleted_at = section.deleted_at
        _close_gaps(session, course)
        facts = {"title": section.title, "lessons": [lesson.title for lesson in lessons]}
        _record("section.deleted", "section", public_id, before=facts)
        return section.title


@retry_conflicts
def restore_section(*, course_public_id: str, public_id: str) -> str:
    """Bring a deleted section back to its place with the lessons that went with it. Gives its title."""
    with transaction() as session:
        course = lock_row(session, course_public_id)
        section = session.scalars(
            select(Section).where(Section.course_id == course.id, Section.public_id == public_id)
        ).one_or_none()
        if section is None:
            raise NotFound(GONE)
        if section.deleted_at is not None:
            order = read_order(session, course.id)
            with_it = select(Lesson).where(
                Lesson.section_id == section.id, Lesson.deleted_at == section.deleted_at
            )  # fmt: skip
            lessons = list(session.scalars(with_it.order_by(Lesson.position)))
            place = sum(each.position < section.position for each, _ in order)
            _revive(session, section)
            for lesson in lessons:
                _revive(session, lesson)
            order.insert(place, (section, lessons))
            write_order(session, order)
            course.updated_at = clock.now()
            facts = {"title": section.title, "lessons": [lesson.title for lesson in lessons]}
            _record("section.restored", "section", public_id, after=facts)
        return section.title


def _revive(session: Session, row: Section | Lesson) -> None:
    """There again, at a number that nobody has until the whole order is written."""
    row.position, row.deleted_at = -1_000_000 - row.id, None
    session.flush()


def _rearrange(course_public_id: str, change: Callable[[Order], None]) -> None:
    with transaction() as session:
        course = lock_row(session, course_public_id)
        order = read_order(session, course.id)
        before = _describe(order)
        change(order)
        after = _describe(order)
        if before != after:
            write_order(session, order)
            course.updated_at = clock.now()
            _record("curriculum.arranged", "course", course_public_id, before=before, after=after)


def _close_gaps(session: Session, course: Course) -> None:
    session.flush()
    write_order(session, read_order(session, course.id))
    course.updated_at = clock.now()


def _describe(order: Order) -> dict[str, Any]:
    return {"order": [[section.title, [lesson.slug for lesson in lessons]] for section, lessons in order]}


def _record(action: str, kind: str, public_id: str, **facts: dict[str, Any]) -> None:
    record_audit(
        action=action, subject_type=kind, subject_id=public_id, before=facts.get("before"), after=facts.get("after")
    )
