"""A post with the names of what it leads to: as its editor and its file say it. The blog itself knows keys only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.blog.post_edits import PUBLISHED, SCHEDULED, EditedPost, save_post_edit
from app.blog.post_files import PostFile
from app.blog.services import ResolvedPost
from app.catalog import services as catalog
from app.catalog.models import Course
from app.db import db
from app.errors import InvalidInput
from app.reports.post_warnings import read_topic_name

MOST_OFFERED = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class PostEdit:
    """What the editor's form decides. status is the state it shows; courses are slugs, the first beside the text."""

    title: str
    slug: str
    excerpt: str
    body: str
    category: str
    author: str
    status: str
    published_at: datetime | None
    courses: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkedCourse:
    """A course as the editor lists it."""

    slug: str
    title: str
    status: str


def read_edit(post: EditedPost) -> PostEdit:
    """What the form shows of a post as it is now."""
    file = post.stored.file
    slugs = list_course_slugs_by_id(post.stored.course_ids)
    return PostEdit(
        title=file.title,
        slug=file.slug,
        excerpt=file.excerpt,
        body=file.body,
        category=read_topic_name(db.session(), post.stored.category_id),
        author=file.author,
        status=post.state,
        published_at=file.published_at,
        courses=tuple(slugs[course_id] for course_id in post.stored.course_ids if course_id in slugs),
    )


def save_edit(post: EditedPost, *, version: int, edit: PostEdit, user_id: int) -> list[str]:
    """Save the form; see save_post_edit(). A topic that is new is made. Raises InvalidInput for an unknown course."""
    # A scheduled post whose time has come says "published"; as long as it is, its row may stay as it is.
    stored = post.stored.file.status
    is_same_day = edit.published_at == post.stored.file.published_at
    is_same = is_same_day and edit.status == post.state == PUBLISHED and stored == SCHEDULED
    file = PostFile(
        title=edit.title, slug=edit.slug, category=edit.category, body=edit.body, excerpt=edit.excerpt,
        author=edit.author, status=stored if is_same else edit.status, published_at=edit.published_at,
        courses=edit.courses,
    )  # fmt: skip
    return save_post_edit(
        public_id=post.public_id, version=version, post=resolve_posts([file])[0], user_id=user_id
    )  # fmt: skip


def resolve_posts(files: Sequence[PostFile]) -> list[ResolvedPost]:
    """Find the topics and courses that posts name; topics are made, a missing course is refused."""
    course_ids = catalog.list_course_ids_by_slug([slug for file in files for slug in file.courses])
    for file in files:
        missing = next((slug for slug in file.courses if slug not in course_ids), None)
        if missing is not None:
            raise InvalidInput(
                f"{file.slug}, field courses: There is no course “{missing}”. Import it first.", field="courses"
            )
    category_ids = catalog.ensure_categories([file.category for file in files])
    return [
        ResolvedPost(
            file=file,
            category_id=category_ids[file.category],
            course_ids=tuple(course_ids[slug] for slug in file.courses),
        )
        for file in files
    ]


def list_linked_courses(slugs: Sequence[str]) -> list[LinkedCourse]:
    """These courses in their order; unknown ones are left out."""
    found = {course.slug: course for course in _read_courses(select(*_COLUMNS).where(Course.slug.in_(slugs)))}
    return [found[slug] for slug in slugs if slug in found]


def list_offered_courses() -> list[LinkedCourse]:
    """The courses a post can lead to, by title."""
    statement = select(*_COLUMNS).where(Course.status != "archived").order_by(Course.title, Course.id)
    return _read_courses(statement.limit(MOST_OFFERED))


def find_course_slug(text: str) -> str | None:
    """The slug of the course that somebody means: its slug or title, or the one whose title holds what was typed."""
    words = " ".join(text.split())
    for condition in (
        (Course.slug == words.lower()) | (Course.title == words),
        Course.title.icontains(words, autoescape=True),
    ):
        statement = select(Course.slug).where(condition, Course.deleted_at.is_(None)).limit(2)
        found = db.session().scalars(statement).all() if words else []
        if len(found) == 1:
            return found[0]
    return None


def name_revision(content: Mapping[str, Any]) -> dict[str, str]:
    """A revision's facts as people read them; the text itself is left out."""
    titles = db.session().execute(select(Course.id, Course.title).where(Course.id.in_(content["course_ids"])))
    names = {row.id: row.title for row in titles}
    return {
        "title": content["title"],
        "slug": content["slug"],
        "excerpt": content["excerpt"],
        "category": read_topic_name(db.session(), content["category_id"]),
        "author": content["author"],
        "status": str(content["status"]).capitalize(),
        "published_at": content["published_at"] or "",
        "courses": ", ".join(names.get(course_id, "A deleted course") for course_id in content["course_ids"]),
        "cover": "An uploaded picture" if content["cover"] else "Drawn",
    }


def list_course_ids_that_exist(course_ids: Sequence[int]) -> list[int]:
    """Those of these courses that are still there."""
    return list(list_course_slugs_by_id(course_ids))


def list_course_slugs_by_id(course_ids: Sequence[int]) -> dict[int, str]:
    """The slugs of those of these courses that are not deleted."""
    rows = db.session().execute(
        select(Course.id, Course.slug).where(Course.id.in_(course_ids), Course.deleted_at.is_(None))
    )
    return {row.id: row.slug for row in rows}


_COLUMNS = (Course.slug, Course.title, Course.status)


def _read_courses(statement: Any) -> list[LinkedCourse]:
    rows = db.session().execute(statement.where(Course.deleted_at.is_(None)))
    return [LinkedCourse(slug=row.slug, title=row.title, status=row.status) for row in rows]
