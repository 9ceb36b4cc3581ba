"""What readers get: published posts whose time has come. Drafts, the future and the trash do not exist here."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select

from app import clock
from app.blog.models import Post, PostCourse, PostSlug
from app.blog.working_copies import WorkingCopy, find_working_copy
from app.db import UTCDateTime, db
from app.errors import NotFound
from app.markdown import Heading, render_markdown

PAGE_SIZE = 10
MOST_POSTS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class PostCard:
    """What a list shows of a post; the topic is known by key only."""

    post_id: int
    public_id: str
    slug: str
    title: str
    excerpt: str
    category_id: int
    author_name: str
    published_at: datetime
    revised_at: datetime | None
    reading_minutes: int
    cover_path: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PostText:
    """A post with its text as safe HTML."""

    card: PostCard
    body_html: str
    headings: tuple[Heading, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PostPreview:
    """A post that may not be public. is_unsaved: it holds words that somebody has typed and not saved."""

    post: PostText
    is_public: bool
    is_unsaved: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PostList:
    """One page of posts; number counts from 1, pages is at least 1."""

    items: tuple[PostCard, ...]
    total: int
    number: int
    pages: int


_now = bindparam("now", type_=UTCDateTime())
# A scheduled post appears when its time comes; nobody has to be there to publish it.
_IS_PUBLIC = (Post.status.in_(("published", "scheduled")), Post.published_at <= _now, Post.deleted_at.is_(None))
_COLUMNS = (
    Post.id.label("post_id"), Post.public_id, Post.slug, Post.title, Post.excerpt, Post.category_id, Post.author_name,
    Post.published_at, Post.revised_at, Post.reading_minutes, Post.cover_path,
)  # fmt: skip
_NEWEST = select(*_COLUMNS).where(*_IS_PUBLIC).order_by(Post.published_at.desc(), Post.id.desc())
_PAGE = _NEWEST.limit(bindparam("limit")).offset(bindparam("offset"))
_PAGE_OF_CATEGORY = _PAGE.where(Post.category_id == bindparam("category_id"))
_COUNTS = (
    select(Post.category_id, func.count(Post.id).label("post_count")).where(*_IS_PUBLIC).group_by(Post.category_id)
)
_TEXT = select(*_COLUMNS, Post.body_html, Post.contents).where(*_IS_PUBLIC, Post.slug == bindparam("slug"))
_IDS = select(Post.id, Post.slug).where(*_IS_PUBLIC, Post.slug.in_(bindparam("slugs", expanding=True)))
_OF_COURSE = (
    _NEWEST.join(PostCourse, PostCourse.post_id == Post.id)
    .where(PostCourse.course_id == bindparam("course_id"))
    .limit(bindparam("limit"))
)
_COURSES = (
    select(PostCourse.course_id, PostCourse.position)
    .where(PostCourse.post_id == bindparam("post_id"))
    .order_by(PostCourse.position)
)
_OTHERS = _NEWEST.where(Post.id != bindparam("post_id")).limit(bindparam("limit"))
_OLD_SLUG = (
    select(Post.slug).join(PostSlug, PostSlug.post_id == Post.id).where(PostSlug.slug == bindparam("slug"), *_IS_PUBLIC)
)


def list_posts(*, category_id: int | None = None, page: int = 1) -> PostList:
    """One page of posts, newest first. Raises NotFound for a page beyond the last one."""
    counts = count_posts()
    total = sum(counts.values()) if category_id is None else counts.get(category_id, 0)
    pages = max(1, -(-total // PAGE_SIZE))
    if not 1 <= page <= pages:
        raise NotFound
    parameters: dict[str, Any] = {"now": clock.now(), "limit": PAGE_SIZE, "offset": (page - 1) * PAGE_SIZE}
    if category_id is None:
        rows = db.session().execute(_PAGE, parameters)
    else:
        rows = db.session().execute(_PAGE_OF_CATEGORY, {**parameters, "category_id": category_id})
    return PostList(items=tuple(_read_card(row) for row in rows), total=total, number=page, pages=pages)


def list_newest_posts(*, limit: int) -> tuple[PostCard, ...]:
    """The newest posts, at most limit and never more than a hundred."""
    rows = db.session().execute(_PAGE, {"now": clock.now(), "limit": min(limit, MOST_POSTS), "offset": 0})
    return tuple(_read_card(row) for row in rows)


def list_posts_before(
    *, limit: int, published_at: datetime | None = None, post_id: int = 0, category_id: int | None = None
) -> tuple[PostCard, ...]:
    """At most limit posts, newest first, behind the one published then with that id (none: from the start)."""
    statement = _NEWEST.limit(min(limit, MOST_POSTS))
    if published_at is not None:
        statement = statement.where(
            (Post.published_at < published_at) | ((Post.published_at == published_at) & (Post.id < post_id))
        )
    if category_id is not None:
        statement = statement.where(Post.category_id == category_id)
    return tuple(_read_card(row) for row in db.session().execute(statement, {"now": clock.now()}))


def count_posts() -> dict[int, int]:
    """How many posts each topic has, by the topic's id."""
    return {row.category_id: row.post_count for row in db.session().execute(_COUNTS, {"now": clock.now()})}


def get_post(slug: str) -> PostText:
    """A post with its text. Raises NotFound for drafts, posts of the future and old slugs."""
    row = db.session().execute(_TEXT, {"slug": slug, "now": clock.now()}).one_or_none()
    if row is None:
        raise NotFound
    return _read_text(row, published_at=row.published_at)


def get_post_preview(public_id: str, *, user_id: int = 0) -> PostPreview:
    """A post as its page would show it, published or not, with what this person has typed and not saved.

    Raises NotFound for the trash.
    """
    statement = select(*_COLUMNS, Post.body_html, Post.contents, Post.status)
    row = db.session().execute(statement.where(Post.public_id == public_id, Post.deleted_at.is_(None))).one_or_none()
    if row is None:
        raise NotFound
    moment = clock.now()
    is_public = row.status in {"published", "scheduled"} and row.published_at is not None and row.published_at <= moment
    # A draft without a day would be published now.
    post = _read_text(row, published_at=row.published_at or moment)
    copy = find_working_copy(post_id=row.post_id, user_id=user_id) if user_id else None
    if copy is not None:
        post = _with_typed(post, copy)
    return PostPreview(post=post, is_public=is_public, is_unsaved=copy is not None)


def find_post_ids(slugs: Collection[str]) -> dict[str, int]:
    """The ids of the public posts at these slugs, by slug."""
    if not slugs:
        return {}
    rows = db.session().execute(_IDS, {"slugs": list(slugs), "now": clock.now()})
    return {row.slug: row.id for row in rows}


def find_post_by_old_slug(slug: str) -> str | None:
    """The present slug of the public post that once lived at slug; None when none did."""
    return db.session().scalars(_OLD_SLUG, {"slug": slug, "now": clock.now()}).one_or_none()


def list_posts_for_course(course_id: int, *, limit: int = 3) -> tuple[PostCard, ...]:
    """The newest posts that lead to a course."""
    rows = db.session().execute(_OF_COURSE, {"course_id": course_id, "limit": limit, "now": clock.now()})
    return tuple(_read_card(row) for row in rows)


def list_other_posts(post_id: int, *, limit: int = 3) -> tuple[PostCard, ...]:
    """The newest posts but this one."""
    rows = db.session().execute(_OTHERS, {"post_id": post_id, "limit": limit, "now": clock.now()})
    return tuple(_read_card(row) for row in rows)


def list_course_ids_for_post(post_id: int) -> tuple[tuple[int, int], ...]:
    """(course id, position) of the courses a post leads to, in order."""
    rows = db.session().execute(_COURSES, {"post_id": post_id})
    return tuple((row.course_id, row.position) for row in rows)


def _read_text(row: Any, *, published_at: datetime) -> PostText:
    headings = tuple(Heading(level=entry["level"], id=entry["id"], text=entry["text"]) for entry in row.contents)
    card = replace(_read_card(row), published_at=published_at)
    return PostText(card=card, body_html=row.body_html, headings=headings)


def _with_typed(post: PostText, copy: WorkingCopy) -> PostText:
    typed = {name: values[0].replace("\r\n", "\n") for name, values in copy.fields.items() if values}
    rendered = render_markdown(typed.get("body", ""))
    card = replace(
        post.card, title=typed.get("title", ""), excerpt=typed.get("excerpt", ""), author_name=typed.get("author", ""),
        reading_minutes=rendered.reading_minutes,
    )  # fmt: skip
    return PostText(card=card, body_html=rendered.html, headings=rendered.headings)


def _read_card(row: Any) -> PostCard:
    return PostCard(
        post_id=row.post_id,
        public_id=row.public_id,
        slug=row.slug,
        title=row.title,
        excerpt=row.excerpt,
        category_id=row.category_id,
        author_name=row.author_name,
        published_at=row.published_at,
        revised_at=row.revised_at,
        reading_minutes=row.reading_minutes,
        cover_path=row.cover_path,
    )
