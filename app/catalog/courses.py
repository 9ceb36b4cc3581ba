"""Making and saving courses. A course file says everything an author decides; saving it twice changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import record_audit
from app.catalog.course_files import CourseFile
from app.catalog.course_rows import (
    as_file,
    claiming,
    ensure_category,
    insert_course,
    list_facts,
    load_course,
    record_changes,
    refuse_reserved_headings,
    refuse_taken_slug,
    with_kept_slugs,
    write_course,
    write_curriculum,
    write_product,
)
from app.catalog.models import Course
from app.db import db, retry_conflicts, transaction
from app.errors import InvalidInput, NotFound
from app.front_matter import SLUG
from app.markdown import slugify_heading

Outcome = Literal["created", "changed", "unchanged"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedCourse:
    """What saving a file did."""

    course_id: int
    slug: str
    outcome: Outcome


@retry_conflicts
def create_course(*, title: str, category_id: int, slug: str | None = None) -> Course:
    """A new draft with its product, to be filled in. Raises SlugTaken, InvalidInput; not safe to call twice."""
    slug = slug or slugify_heading(title)[:120].strip("-")
    if not SLUG.fullmatch(slug):
        raise InvalidInput("Use lower-case letters, digits and single hyphens.", field="slug")
    with transaction() as session, claiming(slug):
        refuse_taken_slug(session, slug=slug, course_id=None)
        course = insert_course(session, slug=slug, title=title, category_id=category_id, status="draft")
        made = {"title": title, "slug": slug}
        record_audit(action="course.created", subject_type="course", subject_id=course.public_id, after=made)
        return course


def save_course_file(file: CourseFile) -> SavedCourse:
    """Save one course; see save_course_files()."""
    return save_course_files([file])[0]


@retry_conflicts
def save_course_files(files: Sequence[CourseFile]) -> list[SavedCourse]:
    """Make or bring in line the courses with these slugs, all or none of them.

    Found by slug, or by one of its old_slugs: then it moves, and the old address answers 301. Lessons are known by
    their slug and keep their learners' progress. Prices that differ are replaced, prices left out retire; an unknown
    category is made. Files that say what is there already change no row. Raises SlugTaken, InvalidInput.
    """
    with transaction() as session:
        return [_save(session, file) for file in files]


def plan_course_files(files: Sequence[CourseFile]) -> list[SavedCourse]:
    """What save_course_files() would do; nothing is kept."""
    with transaction() as session:
        saved = [_save(session, file) for file in files]
        session.rollback()
    return saved


def get_course_file(slug: str) -> CourseFile:
    """The course as the file that would make it. Raises NotFound."""
    course = load_course(db.session(), Course.slug == slug)
    if course is None:
        raise NotFound(f"There is no course at “{slug}”.")
    return as_file(db.session(), course)


def list_course_slugs() -> list[str]:
    """Every course's slug, drafts and archived ones too, in the catalog's order."""
    statement = select(Course.slug).where(Course.deleted_at.is_(None)).order_by(Course.position, Course.id)
    return list(db.session().scalars(statement))


def list_course_ids_by_slug(slugs: Sequence[str]) -> dict[str, int]:
    """The ids of the courses at these slugs; unknown ones are left out."""
    rows = db.session().execute(select(Course.slug, Course.id).where(Course.slug.in_(slugs)))
    return {row.slug: row.id for row in rows}


def list_course_slugs_by_id(course_ids: Sequence[int]) -> dict[int, str]:
    """The slugs of the courses with these ids."""
    rows = db.session().execute(select(Course.id, Course.slug).where(Course.id.in_(course_ids)))
    return {row.id: row.slug for row in rows}


@retry_conflicts
def ensure_categories(names: Sequence[str]) -> dict[str, int]:
    """The ids of the topics with these names; missing ones are made, after the others, in the order given."""
    if not names:
        return {}
    with transaction() as session:
        return {name: ensure_category(session, name) for name in names}


def _save(session: Session, file: CourseFile) -> SavedCourse:
    refuse_reserved_headings(file)
    course = load_course(session, Course.slug == file.slug)
    if course is None and file.old_slugs:
        course = load_course(session, Course.slug.in_(file.old_slugs))
    refuse_taken_slug(session, slug=file.slug, course_id=course.id if course else None)
    category_id = ensure_category(session, file.category)
    outcome: Outcome = "changed"
    if course is None:
        made = insert_course(session, slug=file.slug, title=file.title, category_id=category_id, status="draft")
        course, outcome = load_course(session, Course.id == made.id), "created"
    if course is None:
        raise NotFound
    before = as_file(session, course)
    if outcome == "changed" and before == with_kept_slugs(session, file, course):
        return SavedCourse(course_id=course.id, slug=course.slug, outcome="unchanged")
    write_course(session, course, file, category_id)
    write_curriculum(session, course, file.sections)
    write_product(session, course, file)
    record_changes("course.imported", course, list_facts(before), list_facts(file))
    session.flush()
    return SavedCourse(course_id=course.id, slug=course.slug, outcome=outcome)
