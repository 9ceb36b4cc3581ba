"""What becomes of whole courses: shown, archived, planned, put under a topic, copied, deleted and brought back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.audit import record_audit
from app.catalog.course_edits import lock_course
from app.catalog.course_files import LONGEST_SLUG
from app.catalog.course_rows import (
    as_file,
    insert_course,
    load_course,
    record_changes,
    refuse_taken_slug,
    write_course,
    write_curriculum,
    write_product,
    write_status,
)
from app.catalog.holders import CourseInUse, refuse_deleting
from app.catalog.models import Category, Course, CourseSlug
from app.db import db, retry_conflicts, transaction
from app.errors import NotFound

LONGEST_TITLE = 160


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """What an action did to several courses: the public ids of those that changed, by what they were before."""

    before: dict[str, list[str]]

    @property
    def count(self) -> int:
        return sum(len(ids) for ids in self.before.values())


@retry_conflicts
def set_status(*, public_ids: Sequence[str], status: str, only_from: str = "") -> Changed:
    """Publish, archive or hide courses; those that are so already stay as they are, unknown ones are left out.

    only_from: leave courses alone that are no longer in this state, for an undo that must not undo a later change.
    """
    changed = Changed(before={})
    with transaction() as session:
        for course in _lock_all(session, public_ids):
            former = course.status
            if former == status or (only_from and former != only_from):
                continue
            write_status(course, status)
            _touch(course)
            record_changes(f"course.{_verb(status)}", course, {"status": former}, {"status": status})
            changed.before.setdefault(former, []).append(course.public_id)
    return changed


@retry_conflicts
def set_topic(*, public_ids: Sequence[str], category_slug: str, only_from: str = "") -> Changed:
    """File courses under a topic, by its slug; see set_status(). Raises NotFound for an unknown topic."""
    changed = Changed(before={})
    with transaction() as session:
        topics = {row.id: row for row in session.execute(select(Category.id, Category.slug, Category.name))}
        topic = next((row for row in topics.values() if row.slug == category_slug), None)
        if topic is None:
            raise NotFound("There is no such topic.")
        for course in _lock_all(session, public_ids):
            former = topics[course.category_id]
            if former.id == topic.id or (only_from and former.slug != only_from):
                continue
            course.category_id = topic.id
            _touch(course)
            record_changes("course.changed", course, {"category": former.name}, {"category": topic.name})
            changed.before.setdefault(former.slug, []).append(course.public_id)
    return changed


def list_due_course_ids() -> list[int]:
    """Drafts whose time to be published has come."""
    due = select(Course.id).where(Course.publish_at <= clock.now(), Course.deleted_at.is_(None))
    return list(db.session().scalars(due.order_by(Course.publish_at)))


@retry_conflicts
def publish_due_course(*, course_id: int) -> None:
    """Publish a draft whose time has come; one that was published, moved or deleted meanwhile stays as it is."""
    with transaction() as session:
        course = session.scalars(
            select(Course)
            .where(Course.id == course_id, Course.publish_at <= clock.now(), Course.deleted_at.is_(None))
            .with_for_update()
        ).one_or_none()
        if course is None:
            return
        former = course.status
        write_status(course, "published")
        _touch(course)
        record_changes("course.published", course, {"status": former}, {"status": "published"})


@retry_conflicts
def duplicate_course(*, public_id: str) -> Course:
    """A new draft with the same texts and lessons, without price and without learners. Not safe to call twice."""
    with transaction() as session:
        original = lock_course(session, public_id)
        file = as_file(session, original)
        title = f"Copy of {file.title}"[:LONGEST_TITLE]
        slug = _find_free_slug(session, file.slug)
        copy = insert_course(
            session, slug=slug, title=title, category_id=original.category_id, status="draft",
        )  # fmt: skip
        made = load_course(session, Course.id == copy.id)
        if made is None:
            raise NotFound
        file = replace(file, title=title, slug=slug, old_slugs=(), status="draft", is_featured=False, prices=())
        write_course(session, made, file, original.category_id)
        write_curriculum(session, made, file.sections)
        write_product(session, made, file)
        made.cover_path = original.cover_path
        record_audit(
            action="course.created", subject_type="course", subject_id=made.public_id,
            after={"title": title, "slug": slug, "copy_of": original.public_id},
        )  # fmt: skip
        return made


@retry_conflicts
def delete_course(*, public_id: str) -> str:
    """Delete a draft that nobody ever held; restore_course() brings it back. Gives its title.

    Raises CourseInUse for what was sold or given, and for what is not a draft.
    """
    with transaction() as session:
        course = lock_course(session, public_id)
        refuse_deleting(session, course.id)
        if course.status != "draft":
            raise CourseInUse("Only drafts can be deleted. Make it a draft first, or archive it.")
        course.deleted_at, course.publish_at = clock.now(), None
        record_audit(
            action="course.deleted", subject_type="course", subject_id=public_id, before={"title": course.title}
        )
        return course.title


@retry_conflicts
def restore_course(*, public_id: str) -> str:
    """Bring a deleted draft back; one that is there stays as it is. Gives its title. Raises NotFound."""
    with transaction() as session:
        course = session.scalars(select(Course).where(Course.public_id == public_id).with_for_update()).one_or_none()
        if course is None:
            raise NotFound
        if course.deleted_at is not None:
            course.deleted_at = None
            record_audit(
                action="course.restored", subject_type="course", subject_id=public_id, after={"title": course.title}
            )
        return course.title


def _lock_all(session: Session, public_ids: Sequence[str]) -> list[Course]:
    """In the order of their ids, so that two at once wait for each other instead of blocking each other."""
    statement = select(Course).where(Course.public_id.in_(list(public_ids)), Course.deleted_at.is_(None))
    return list(session.scalars(statement.order_by(Course.id).with_for_update()))


def _touch(course: Course) -> None:
    course.version += 1
    course.updated_at = clock.now()


def _verb(status: str) -> str:
    return {"published": "published", "archived": "archived"}.get(status, "unpublished")


def _find_free_slug(session: Session, slug: str) -> str:
    stem = f"{slug[: LONGEST_SLUG - 10].strip('-')}-copy"
    taken = {
        *session.scalars(select(Course.slug).where(Course.slug.startswith(stem))),
        *session.scalars(select(CourseSlug.slug).where(CourseSlug.slug.startswith(stem))),
    }
    free = next(name for number in range(1, len(taken) + 2) if (name := stem + _suffix(number)) not in taken)
    refuse_taken_slug(session, slug=free, course_id=None)
    return free


def _suffix(number: int) -> str:
    return "" if number == 1 else f"-{number}"
