"""The back-office's list of posts, narrowed and ordered, one page at a time; with topics, courses and warnings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, case, false, func, select

from app import clock
from app.blog.models import Post, PostCourse
from app.blog.post_edits import ARCHIVED, DRAFT, PUBLISHED, SCHEDULED, SHOWN, tell_state
from app.catalog.models import Category, Course
from app.catalog.search import LONGEST_SEARCH
from app.db import db
from app.paging import PAGE_SIZE, Page, clamp_page, count_rows
from app.reports.post_warnings import list_post_warnings, select_post_ids_to_check
from app.word_search import find_words, match_words

# The columns of ix_posts_words, in its order.
SEARCHED = (Post.title.expression, Post.slug.expression, Post.excerpt.expression)

TO_CHECK, TRASH = "check", "trash"


@dataclass(frozen=True, kw_only=True, slots=True)
class PostRow:
    """A post in the list. state as tell_state() says; courses are titles in their order."""

    public_id: str
    slug: str
    title: str
    state: str
    topic: str
    author: str
    reading_minutes: int
    published_at: datetime | None
    updated_at: datetime
    courses: tuple[str, ...]
    warnings: tuple[str, ...]


def count_post_views() -> dict[str, int]:
    """How many posts each saved view holds; "" is all of them but the trash."""
    is_public, is_deleted = case((_is_public(), 1), else_=0), Post.deleted_at.is_not(None)
    rows = db.session().execute(
        select(Post.status, is_public, is_deleted, func.count(Post.id)).group_by(Post.status, is_public, is_deleted)
    )
    counts = dict.fromkeys(("", PUBLISHED, SCHEDULED, DRAFT, ARCHIVED, TRASH), 0)
    for status, public, deleted, count in rows:
        state = (PUBLISHED if public else SCHEDULED) if status in SHOWN else status
        counts[TRASH if deleted else state] += count
    counts[""] = sum(counts[state] for state in (PUBLISHED, SCHEDULED, DRAFT, ARCHIVED))
    counts[TO_CHECK] = count_rows(find_post_rows(view=TO_CHECK))
    return counts


def list_post_rows(
    *, view: str = "", q: str = "", topic: str = "", course: str = "", sort: str = "updated",
    is_descending: bool = True, page: int = 1, counts: Mapping[str, int] | None = None,
) -> Page[PostRow]:  # fmt: skip
    """One page. topic and course are slugs; sort is updated, title or created; counts saves counting a view again."""
    known = None if q or topic or course or counts is None else counts.get(view)
    total = count_rows(find_post_rows(view=view, q=q, topic=topic, course=course)) if known is None else known
    number = clamp_page(page, total=total)
    rows = db.session().execute(
        select_post_rows(
            view=view, q=q, topic=topic, course=course, sort=sort, is_descending=is_descending, number=number
        )
    ).all()  # fmt: skip
    ids = [row.id for row in rows]
    courses, warnings = _list_courses(ids), list_post_warnings(ids)
    return Page(
        rows=[_read(row, courses.get(row.id, []), warnings.get(row.id, [])) for row in rows], total=total, number=number
    )


def select_post_rows(
    *, view: str = "", q: str = "", topic: str = "", course: str = "", sort: str = "updated",
    is_descending: bool = True, number: int = 1,
) -> Select[Any]:  # fmt: skip
    """The rows of one page; topics are read for the few posts on it only."""
    matching = _sort(find_post_rows(view=view, q=q, topic=topic, course=course), sort, is_descending=is_descending)
    found = matching.limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE).subquery()
    columns: tuple[Any, ...] = (
        Post.id, Post.public_id, Post.slug, Post.title, Post.status, Post.author_name, Post.reading_minutes,
        Post.published_at, Post.updated_at, Category.name.label("topic"),
    )  # fmt: skip
    rows = select(*columns).join(Category, Category.id == Post.category_id).join(found, found.c.id == Post.id)
    return _sort(rows, sort, is_descending=is_descending)


def find_post_rows(*, view: str = "", q: str = "", topic: str = "", course: str = "") -> Select[Any]:
    """The ids of the posts that match every filter."""
    statement: Select[Any] = select(Post.id).where(*_view(view))
    if q.strip():
        words = find_words(q[:LONGEST_SEARCH])
        statement = statement.where(match_words(words, *SEARCHED) if words else false())
    if topic:
        topic_id = select(Category.id).where(Category.slug == topic).scalar_subquery()
        statement = statement.where(Post.category_id == topic_id)
    if course:
        leading = select(PostCourse.post_id).join(Course, Course.id == PostCourse.course_id)
        statement = statement.where(Post.id.in_(leading.where(Course.slug == course)))
    return statement


def _sort(statement: Select[Any], sort: str, *, is_descending: bool) -> Select[Any]:
    """In an order that an index has."""
    columns = {"title": (Post.title, Post.id), "created": (Post.id,)}.get(sort, (Post.updated_at, Post.id))
    return statement.order_by(*(column.desc() if is_descending else column.asc() for column in columns))


def _is_public() -> Any:
    return and_(Post.status.in_(SHOWN), Post.published_at.is_not(None), Post.published_at <= clock.now())


def _view(view: str) -> tuple[Any, ...]:
    if view == TRASH:
        return (Post.deleted_at.is_not(None),)
    alive = Post.deleted_at.is_(None)
    if view == PUBLISHED:
        return (alive, _is_public())
    if view == SCHEDULED:
        return (alive, Post.status.in_(SHOWN), Post.published_at > clock.now())
    if view == TO_CHECK:
        return (alive, Post.id.in_(select_post_ids_to_check()))
    return (alive, Post.status == view) if view else (alive,)


def _list_courses(post_ids: list[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    rows = db.session().execute(
        select(PostCourse.post_id, Course.title)
        .join(Course, Course.id == PostCourse.course_id)
        .where(PostCourse.post_id.in_(post_ids), Course.deleted_at.is_(None))
        .order_by(PostCourse.post_id, PostCourse.position)
    )
    for row in rows:
        found.setdefault(row.post_id, []).append(row.title)
    return found


def _read(row: Any, courses: list[str], warnings: list[str]) -> PostRow:
    return PostRow(
        public_id=row.public_id, slug=row.slug, title=row.title, state=tell_state(row.status, row.published_at),
        topic=row.topic, author=row.author_name, reading_minutes=row.reading_minutes, published_at=row.published_at,
        updated_at=row.updated_at, courses=tuple(courses), warnings=tuple(warnings),
    )  # fmt: skip
