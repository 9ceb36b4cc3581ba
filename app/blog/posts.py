"""Saving posts: everything a reader sees is rendered here, once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, undefer

from app import clock
from app.blog.models import Post, PostCourse, PostSlug
from app.blog.post_files import PostFile
from app.db import db, make_public_id, retry_conflicts, transaction
from app.errors import AppError, NotFound
from app.markdown import render_markdown

Outcome = Literal["created", "changed", "unchanged"]


class PostSlugTaken(AppError):
    """Another post lives, or once lived, at this address."""

    code = "slug_taken"
    status = 409
    title = "This address is taken"

    def __init__(self, slug: str) -> None:
        super().__init__(f"Another post lives at “{slug}”. Choose another address.", field="slug")


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedPost:
    """A post's file with what it names found: the topic's id and the courses' ids in their order."""

    file: PostFile
    category_id: int
    course_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedPost:
    """What saving a file did."""

    post_id: int
    slug: str
    outcome: Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredPost:
    """A post as its file would say it; category and courses are left to the caller, who knows their names."""

    file: PostFile
    category_id: int
    course_ids: tuple[int, ...]


def save_post_file(post: ResolvedPost) -> SavedPost:
    """Save one post; see save_post_files()."""
    return save_post_files([post])[0]


@retry_conflicts
def save_post_files(posts: Sequence[ResolvedPost]) -> list[SavedPost]:
    """Make or bring in line the posts with these slugs, all or none of them.

    Found by slug, or by one of its old_slugs: then it moves, and the old address answers 301. HTML, contents, words
    and reading time are made here. Posts that say what is there already change no row. Raises PostSlugTaken.
    """
    with transaction() as session:
        return [_save(session, post) for post in posts]


def plan_post_files(posts: Sequence[ResolvedPost]) -> list[SavedPost]:
    """What save_post_files() would do; nothing is kept."""
    with transaction() as session:
        saved = [_save(session, post) for post in posts]
        session.rollback()
    return saved


def get_stored_post(slug: str) -> StoredPost:
    """The post as a file. Raises NotFound."""
    session = db.session()
    post = _load(session, Post.slug == slug)
    if post is None:
        raise NotFound(f"There is no post at “{slug}”.")
    return _as_stored(session, post)


def list_post_slugs() -> list[str]:
    """Every post's slug, drafts too, oldest first."""
    return list(db.session().scalars(select(Post.slug).order_by(Post.published_at, Post.id)))


def _save(session: Session, resolved: ResolvedPost) -> SavedPost:
    file = resolved.file
    post = _load(session, Post.slug == file.slug)
    if post is None and file.old_slugs:
        post = _load(session, Post.slug.in_(file.old_slugs))
    _refuse_taken(session, slug=file.slug, post_id=post.id if post else None)
    if post is None:
        moment = clock.now()
        post = Post(
            public_id=make_public_id("pst"), slug=file.slug, title=file.title, category_id=resolved.category_id,
            body_markdown="", body_html="", contents=[], created_at=moment, updated_at=moment,
        )  # fmt: skip
        session.add(post)
        session.flush()
        outcome: Outcome = "created"
    else:
        kept = tuple(sorted({*file.old_slugs, *_old_slugs(session, post.id)} - {file.slug}))
        wanted = (replace(file, old_slugs=kept, category="", courses=()), resolved.category_id, resolved.course_ids)
        stored = _as_stored(session, post)
        if (stored.file, stored.category_id, stored.course_ids) == wanted:
            return SavedPost(post_id=post.id, slug=post.slug, outcome="unchanged")
        outcome = "changed"
    _write(session, post, resolved)
    session.flush()
    return SavedPost(post_id=post.id, slug=post.slug, outcome=outcome)


def _write(session: Session, post: Post, resolved: ResolvedPost) -> None:
    file = resolved.file
    former = {*file.old_slugs, post.slug} - {file.slug} - set(_old_slugs(session, post.id))
    session.execute(delete(PostSlug).where(PostSlug.slug == file.slug))
    for slug in sorted(former):
        _refuse_taken(session, slug=slug, post_id=post.id)
        session.add(PostSlug(slug=slug, post_id=post.id))
    if post.body_markdown != file.body or not post.body_html:
        rendered = render_markdown(file.body)
        post.body_markdown, post.body_html = file.body, rendered.html
        post.contents = [
            {"level": heading.level, "id": heading.id, "text": heading.text} for heading in rendered.headings
        ]
        post.reading_minutes = rendered.reading_minutes
    post.slug, post.title, post.excerpt, post.author_name = file.slug, file.title, file.excerpt, file.author
    post.category_id, post.status = resolved.category_id, file.status
    post.published_at, post.revised_at = file.published_at, file.revised_at
    post.version = (post.version or 0) + 1
    post.updated_at = clock.now()
    session.execute(delete(PostCourse).where(PostCourse.post_id == post.id))
    for position, course_id in enumerate(resolved.course_ids):
        session.add(PostCourse(post_id=post.id, course_id=course_id, position=position))


def _load(session: Session, condition: object) -> Post | None:
    statement = select(Post).where(condition).order_by(Post.id).limit(1)  # type: ignore[arg-type]
    return session.scalars(
        statement.options(undefer(Post.body_markdown), undefer(Post.body_html), undefer(Post.contents))
    ).one_or_none()


def _old_slugs(session: Session, post_id: int) -> tuple[str, ...]:
    return tuple(sorted(session.scalars(select(PostSlug.slug).where(PostSlug.post_id == post_id))))


def _refuse_taken(session: Session, *, slug: str, post_id: int | None) -> None:
    owner = session.scalar(select(Post.id).where(Post.slug == slug))
    former = session.scalar(select(PostSlug.post_id).where(PostSlug.slug == slug))
    if any(other is not None and other != post_id for other in (owner, former)):
        raise PostSlugTaken(slug)


def _as_stored(session: Session, post: Post) -> StoredPost:
    course_ids = session.scalars(
        select(PostCourse.course_id).where(PostCourse.post_id == post.id).order_by(PostCourse.position)
    )
    return StoredPost(
        file=PostFile(
            title=post.title,
            slug=post.slug,
            old_slugs=_old_slugs(session, post.id),
            category="",
            status=post.status,
            published_at=post.published_at,
            revised_at=post.revised_at,
            author=post.author_name,
            excerpt=post.excerpt,
            body=post.body_markdown,
        ),
        category_id=post.category_id,
        course_ids=tuple(course_ids),
    )
