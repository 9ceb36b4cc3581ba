"""Sections and lessons, one change at a time. Lessons are known by their row, so learners keep their progress.

Each use case locks the course's row: of two changes at once the second sees what the first one made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from app import clock
from app.audit import record_audit
from app.catalog.course_files import (
    LONGEST_LESSON_TITLE,
    LONGEST_SECTION_TITLE,
    LONGEST_SLUG,
    MOST_LESSONS,
    LessonFile,
    find_reserved_heading,
)
from app.catalog.course_rows import lesson_as_file, write_lesson_text
from app.catalog.models import Course, Lesson, Section
from app.db import db, retry_conflicts, transaction
from app.errors import AppError, InvalidInput, NotFound
from app.markdown import slugify_heading

Order = list[tuple[Section, list[Lesson]]]
GONE = "There is no such section or lesson any more."


class LessonChanged(AppError):
    """Somebody else saved the lesson since it was opened; nothing was written."""

    code = "lesson_changed"
    status = 409
    title = "Somebody else saved this lesson"
    sentence = "Compare both versions and choose what stays."


@dataclass(frozen=True, kw_only=True, slots=True)
class LessonEdit:
    """What the lesson's form decides. section is a public id; body is Markdown; drip_days none: open at once."""

    title: str
    section: str
    body: str
    minutes: int
    is_preview: bool
    drip_days: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class EditedLesson:
    """A lesson as its editor shows it."""

    public_id: str
    slug: str
    version: int
    edit: LessonEdit


@dataclass(frozen=True, kw_only=True, slots=True)
class LessonRow:
    """A lesson in the editor's curriculum."""

    public_id: str
    slug: str
    title: str
    minutes: int
    is_preview: bool
    drip_days: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SectionRow:
    """A section in the editor's curriculum."""

    public_id: str
    title: str
    summary: str
    lessons: tuple[LessonRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class DeletedPart:
    """A deleted section, or a lesson that was deleted by itself; it can be brought back. kind: section or lesson."""

    kind: str
    public_id: str
    title: str
    deleted_at: datetime


def list_curriculum(*, course_id: int) -> tuple[SectionRow, ...]:
    """What stands in the course now, in order."""
    return tuple(
        SectionRow(
            public_id=section.public_id,
            title=section.title,
            summary=section.summary,
            lessons=tuple(
                LessonRow(
                    public_id=each.public_id, slug=each.slug, title=each.title, minutes=each.minutes,
                    is_preview=each.is_preview, drip_days=each.drip_days,
                )
                for each in lessons
            ),
        )
        for section, lessons in read_order(db.session(), course_id)
    )  # fmt: skip


def list_deleted_parts(*, course_id: int) -> list[DeletedPart]:
    """Deleted sections and lessons, the last one first; lessons that went with their section come back with it."""
    session = db.session()
    sections = session.scalars(select(Section).where(Section.course_id == course_id, Section.deleted_at.is_not(None)))
    lessons = session.scalars(
        select(Lesson)
        .join(Section, Section.id == Lesson.section_id)
        .where(Lesson.course_id == course_id, Lesson.deleted_at.is_not(None), Section.deleted_at.is_(None))
    )
    found = [
        DeletedPart(kind=kind, public_id=row.public_id, title=row.title, deleted_at=row.deleted_at)
        for kind, rows in (("section", sections), ("lesson", lessons))
        for row in rows
        if row.deleted_at is not None
    ]
    return sorted(found, key=lambda part: part.deleted_at, reverse=True)


def get_section(*, course_public_id: str, public_id: str) -> SectionRow:
    """A section with its lessons. Raises NotFound."""
    course_id = db.session().scalar(_course_id(course_public_id))
    found = (row for row in list_curriculum(course_id=course_id or 0) if row.public_id == public_id)
    section = next(found, None)
    if section is None:
        raise NotFound(GONE)
    return section


def get_edited_lesson(*, course_public_id: str, public_id: str) -> EditedLesson:
    """A lesson with its text. Raises NotFound."""
    course_id = db.session().scalar(_course_id(course_public_id)) or 0
    lesson = find_lesson(db.session(), course_id, public_id)
    section = db.session().scalar(select(Section.public_id).where(Section.id == lesson.section_id)) or ""
    return EditedLesson(
        public_id=lesson.public_id, slug=lesson.slug, version=lesson.version, edit=_read_edit(lesson, section)
    )


@retry_conflicts
def add_section(*, course_public_id: str, title: str, summary: str = "") -> str:
    """A new section at the end; gives its public id. Not safe to call twice. Raises NotFound."""
    with transaction() as session:
        course = lock_row(session, course_public_id)
        order = read_order(session, course.id)
        section = Section(
            course_id=course.id, position=len(order) + 1, title=title[:LONGEST_SECTION_TITLE], summary=summary
        )
        session.add(section)
        session.flush()
        _record("section.added", "section", section.public_id, after={"title": title, "summary": summary})
        return section.public_id


@retry_conflicts
def save_section(*, course_public_id: str, public_id: str, title: str, summary: str) -> None:
    """Another title or summary; the last to save wins. Raises NotFound."""
    with transaction() as session:
        course = lock_row(session, course_public_id)
        section = find_section(session, course.id, public_id)
        before = {"title": section.title, "summary": section.summary}
        after = {"title": title, "summary": summary}
        if find_reserved_heading(summary):
            raise InvalidInput("Begin headings with ### or more.", field="summary")
        if before != after:
            section.title, section.summary = title, summary
            _record("section.changed", "section", public_id, before=before, after=after)


@retry_conflicts
def add_lesson(*, course_public_id: str, section_public_id: str, title: str) -> str:
    """A new empty lesson at the end of a section; gives its public id. Raises NotFound, InvalidInput."""
    with transaction() as session:
        course = lock_row(session, course_public_id)
        find_section(session, course.id, section_public_id)
        order = read_order(session, course.id)
        if sum(len(lessons) for _, lessons in order) >= MOST_LESSONS:
            raise InvalidInput(f"A course has at most {MOST_LESSONS} lessons.", field="title")
        slug = _find_free_slug(session, course.id, title)
        place = next(lessons for section, lessons in order if section.public_id == section_public_id)
        section = next(section for section, _ in order if section.public_id == section_public_id)
        lesson = Lesson(
            course_id=course.id, section_id=section.id, position=-len(order) - MOST_LESSONS, slug=slug,
            title=title[:LONGEST_LESSON_TITLE],
        )  # fmt: skip
        session.add(lesson)
        session.flush()
        place.append(lesson)
        write_order(session, order)
        _record("lesson.added", "lesson", lesson.public_id, after={"title": title, "section": section.title})
        return lesson.public_id


@retry_conflicts
def save_lesson(*, course_public_id: str, public_id: str, version: int, edit: LessonEdit) -> list[str]:
    """Save a lesson's form; gives the names of what changed. Its address and its learners' progress stay.

    version is the one the form was opened with. Raises LessonChanged, InvalidInput, NotFound.
    """
    with transaction() as session:
        course = lock_row(session, course_public_id)
        lesson = find_lesson(session, course.id, public_id)
        if lesson.version != version:
            raise LessonChanged
        former = session.get_one(Section, lesson.section_id)
        section = find_section(session, course.id, edit.section)
        if find_reserved_heading(edit.body):
            raise InvalidInput("Begin headings with ### or more: # and ## begin lessons in files.", field="body")
        before, after = _facts(_read_edit(lesson, former.title)), _facts(replace(edit, section=section.title))
        names = [name for name in after if before[name] != after[name]]
        if not names:
            return []
        write_lesson_text(
            lesson,
            LessonFile(
                title=edit.title, slug=lesson.slug, body=edit.body, minutes=edit.minutes,
                is_preview=edit.is_preview, drip_days=edit.drip_days,
            ),
        )  # fmt: skip
        if section.id != former.id:
            _move_to_end(session, course.id, lesson, section)
        course.updated_at = clock.now()
        _record(
            "lesson.changed", "lesson", public_id,
            before={name: before[name] for name in names}, after={name: after[name] for name in names},
        )  # fmt: skip
        return names


def lock_row(session: Session, course_public_id: str) -> Course:
    """The course's row, locked until the transaction ends. Raises NotFound."""
    course = session.scalars(
        select(Course).where(Course.public_id == course_public_id, Course.deleted_at.is_(None)).with_for_update()
    ).one_or_none()
    if course is None:
        raise NotFound("There is no such course, or it was deleted.")
    return course


def read_order(session: Session, course_id: int) -> Order:
    """The sections and lessons that are there, in order."""
    sections = session.scalars(
        select(Section).where(Section.course_id == course_id, Section.deleted_at.is_(None)).order_by(Section.position)
    ).all()
    lessons = session.scalars(
        select(Lesson).where(Lesson.course_id == course_id, Lesson.deleted_at.is_(None)).order_by(Lesson.position)
    ).all()
    return [(section, [each for each in lessons if each.section_id == section.id]) for section in sections]


def write_order(session: Session, order: Sequence[tuple[Section, Sequence[Lesson]]]) -> None:
    """Number sections and lessons as they stand in order."""
    lessons = [(section, lesson) for section, inside in order for lesson in inside]
    # Out of the way first: positions are unique, and rows change places one at a time.
    for number, (section, _) in enumerate(order, start=1):
        section.position = -number
    for number, (_, lesson) in enumerate(lessons, start=1):
        lesson.position = -number
    session.flush()
    for number, (section, _) in enumerate(order, start=1):
        section.position = number
    for number, (section, lesson) in enumerate(lessons, start=1):
        lesson.position, lesson.section_id = number, section.id
    session.flush()


def find_section(session: Session, course_id: int, public_id: str) -> Section:
    """A section that is there. Raises NotFound."""
    section = session.scalars(
        select(Section).where(
            Section.course_id == course_id, Section.public_id == public_id, Section.deleted_at.is_(None)
        )
    ).one_or_none()
    if section is None:
        raise NotFound(GONE)
    return section


def find_lesson(session: Session, course_id: int, public_id: str) -> Lesson:
    """A lesson that is there, with its text. Raises NotFound."""
    lesson = session.scalars(
        select(Lesson)
        .where(Lesson.course_id == course_id, Lesson.public_id == public_id, Lesson.deleted_at.is_(None))
        .options(undefer(Lesson.body_markdown), undefer(Lesson.body_html))
    ).one_or_none()
    if lesson is None:
        raise NotFound(GONE)
    return lesson


def _course_id(public_id: str) -> Any:
    return select(Course.id).where(Course.public_id == public_id, Course.deleted_at.is_(None))


def _read_edit(lesson: Lesson, section: str) -> LessonEdit:
    file = lesson_as_file(lesson)
    return LessonEdit(
        title=file.title, section=section, body=file.body, minutes=file.minutes, is_preview=file.is_preview,
        drip_days=file.drip_days,
    )  # fmt: skip


def _facts(edit: LessonEdit) -> dict[str, Any]:
    return {name: getattr(edit, name) for name in ("title", "section", "body", "minutes", "is_preview", "drip_days")}


def _move_to_end(session: Session, course_id: int, lesson: Lesson, section: Section) -> None:
    order = read_order(session, course_id)
    moved = [(each, [row for row in lessons if row.id != lesson.id]) for each, lessons in order]
    next(lessons for each, lessons in moved if each.id == section.id).append(lesson)
    write_order(session, moved)


def _find_free_slug(session: Session, course_id: int, title: str) -> str:
    stem = slugify_heading(title)[: LONGEST_SLUG - 8].strip("-")
    taken = set(session.scalars(select(Lesson.slug).where(Lesson.course_id == course_id)))
    names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _record(action: str, kind: str, public_id: str, **facts: dict[str, Any]) -> None:
    record_audit(
        action=action, subject_type=kind, subject_id=public_id, before=facts.get("before"), after=facts.get("after")
    )
