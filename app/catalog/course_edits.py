"""The editor's side of a course: everything its main form decides, read and saved with a version.

The curriculum has its own use cases (curriculum.py): they name rows, so two people can work on it at once.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.catalog.course_files import CourseFile
from app.catalog.course_rows import (
    as_file,
    claiming,
    ensure_category,
    find_own_product,
    list_facts,
    list_old_slugs,
    load_course,
    lock_own_product,
    record_changes,
    refuse_reserved_headings,
    refuse_taken_slug,
    write_course,
    write_product,
)
from app.catalog.models import Course, Product
from app.db import db, retry_conflicts, transaction
from app.errors import AppError, InvalidInput, NotFound

SCHEDULED = "scheduled"
# Fields that the form and a course's file share by name.
SHARED = (
    "title", "slug", "promise", "summary", "description", "category", "level", "author", "author_bio", "outcomes",
    "good_fit", "not_fit", "includes", "faq", "access_days", "capacity", "is_featured",
)  # fmt: skip


class CourseChanged(AppError):
    """Somebody else saved the course since it was opened; nothing was written."""

    code = "course_changed"
    status = 409
    title = "Somebody else saved this course"
    sentence = "Compare both versions and choose what stays."


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseEdit:
    """What the main form decides. status "scheduled" is a draft with publish_at (UTC); faq are (question, answer)."""

    title: str
    slug: str
    promise: str
    summary: str
    description: str
    category: str
    level: str
    author: str
    author_bio: str
    outcomes: tuple[str, ...]
    good_fit: tuple[str, ...]
    not_fit: tuple[str, ...]
    includes: tuple[str, ...]
    faq: tuple[tuple[str, str], ...]
    access_days: int | None
    capacity: int | None
    is_featured: bool
    is_open: bool
    status: str
    publish_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class EditedCourse:
    """A course as the editor shows it: the form's values and what stands around them."""

    course_id: int
    public_id: str
    product_id: int
    product_public_id: str
    version: int
    edit: CourseEdit
    cover_path: str | None
    old_slugs: tuple[str, ...]
    published_at: datetime | None
    updated_at: datetime
    taken_seats: int
    stripe_product_id: str | None


def get_edited_course(*, public_id: str) -> EditedCourse:
    """The course as it is now. Raises NotFound, also for a deleted one."""
    session = db.session()
    course = load_course(session, Course.public_id == public_id)
    if course is None:
        raise NotFound("There is no such course, or it was deleted.")
    product = find_own_product(session, course.id)
    if product is None:
        raise NotFound
    return EditedCourse(
        course_id=course.id,
        public_id=course.public_id,
        product_id=product.id,
        product_public_id=product.public_id,
        version=course.version,
        edit=_read_edit(as_file(session, course), course, product),
        cover_path=course.cover_path,
        old_slugs=list_old_slugs(session, course.id),
        published_at=course.published_at,
        updated_at=course.updated_at,
        taken_seats=product.taken_seats,
        stripe_product_id=product.stripe_product_id,
    )


@retry_conflicts
def save_course_edit(*, public_id: str, version: int, edit: CourseEdit) -> list[str]:
    """Save the form; gives the names of what changed. Saving what is there already changes no row.

    version is the one the form was opened with. Raises CourseChanged, SlugTaken, InvalidInput, NotFound.
    """
    with transaction() as session, claiming(edit.slug):
        course = lock_course(session, public_id)
        if course.version != version:
            raise CourseChanged
        product = lock_own_product(session, course.id)
        if product is None:
            raise NotFound
        before = as_file(session, course)
        old_edit = _read_edit(before, course, product)
        if edit == old_edit:
            return []
        _check_schedule(edit, old_edit)
        after = _apply(before, edit)
        refuse_reserved_headings(after)
        refuse_taken_slug(session, slug=after.slug, course_id=course.id)
        write_course(session, course, after, ensure_category(session, after.category))
        write_product(session, course, after)
        product.status = "active" if edit.is_open else "archived"
        course.publish_at = edit.publish_at if edit.status == SCHEDULED else None
        facts = [{**list_facts(file), **_list_extras(each)} for file, each in ((before, old_edit), (after, edit))]
        return record_changes("course.changed", course, *facts)


@retry_conflicts
def set_cover(*, public_id: str, cover_path: str | None) -> str | None:
    """Give a course an uploaded cover (MediaFile.path), or None for the drawn one; gives the former.

    The version stays: a picture and a text that two people save at once do not contradict each other.
    """
    with transaction() as session:
        course = lock_course(session, public_id)
        former = course.cover_path
        if former != cover_path:
            course.cover_path, course.updated_at = cover_path, clock.now()
            record_changes("course.cover_changed", course, {"cover": former}, {"cover": cover_path})
        return former


def lock_course(session: Session, public_id: str) -> Course:
    """The course with all that as_file() reads, its row locked. Raises NotFound, also for a deleted one."""
    locked = session.scalar(select(Course.id).where(Course.public_id == public_id).with_for_update())
    course = load_course(session, Course.id == locked) if locked is not None else None
    if course is None:
        raise NotFound("There is no such course, or it was deleted.")
    return course


def _read_edit(file: CourseFile, course: Course, product: Product) -> CourseEdit:
    return CourseEdit(
        **{name: getattr(file, name) for name in SHARED},
        is_open=product.status == "active",
        status=SCHEDULED if course.publish_at is not None else course.status,
        publish_at=course.publish_at,
    )


def _apply(file: CourseFile, edit: CourseEdit) -> CourseFile:
    status = "draft" if edit.status == SCHEDULED else edit.status
    return replace(file, **{name: getattr(edit, name) for name in SHARED}, status=status)


def _list_extras(edit: CourseEdit) -> dict[str, Any]:
    return {"is_open": edit.is_open, "publish_at": edit.publish_at.isoformat() if edit.publish_at else None}


def _check_schedule(edit: CourseEdit, former: CourseEdit) -> None:
    if edit.status != SCHEDULED or edit.publish_at == former.publish_at:
        return
    if edit.publish_at is None or edit.publish_at <= clock.now():
        raise InvalidInput("Choose a day and time to come.", field="publish_at")
