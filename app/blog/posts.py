"""Saving posts from files: everything a reader sees is rendered when it is saved, once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from app.blog.models import Post
from app.blog.post_rows import (
    PostSlugTaken,
    ResolvedPost,
    StoredPost,
    as_stored,
    insert_post,
    list_old_slugs,
    load_post,
    record_save,
    refuse_taken_slug,
    write_mentions,
    write_post,
)
from app.db import db, retry_conflicts, transaction
from app.errors import NotFound

__all__ = ["PostSlugTaken", "ResolvedPost", "SavedPost", "StoredPost"]

Outcome = Literal["created", "changed", "unchanged"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedPost:
    """What saving a file did."""

    post_id: int
    slug: str
    outcome: Outcome


def save_post_file(post: ResolvedPost) -> SavedPost:
    """Save one post; see save_post_files()."""
    return save_post_files([post])[0]


@retry_conflicts
def save_post_files(posts: Sequence[ResolvedPost]) -> list[SavedPost]:
    """Make or bring in line the posts with these slugs, all or none of them.

    Found by slug, or by one of its old_slugs: then it moves, and the old address answers 301. HTML, contents, words
    and reading time are made here, and each post that changes gets a revision. Posts that say what is there already
    change no row. Raises PostSlugTaken.
    """
    with transaction() as session:
        return [_save(session, post) for post in posts]


def plan_post_files(posts: Sequence[ResolvedPost]) -> list[SavedPost]:
    """What save_post_files() would do; nothing is kept."""
    with transaction() as session:
        saved = [_save(session, post) for post in posts]
        session.rollback()
    return saved


def list_post_ids() -> list[int]:
    """Every post but those in the trash."""
    return list(db.session().scalars(select(Post.id).where(Post.deleted_at.is_(None)).order_by(Post.id)))


def list_slugs_by_id(post_ids: Sequence[int]) -> dict[int, str]:
    """The slugs of these posts."""
    rows = db.session().execute(select(Post.id, Post.slug).where(Post.id.in_(post_ids)))
    return {row.id: row.slug for row in rows}


@retry_conflicts
def search_post(post_id: int) -> None:
    """Find anew what a post's text says of courses: they may have been made or renamed since it was saved."""
    with transaction() as session:
        post = session.scalars(
            select(Post).where(Post.id == post_id).options(undefer(Post.body_markdown)).with_for_update()
        ).one_or_none()
        if post is not None:
            write_mentions(session, post)


def get_stored_post(slug: str) -> StoredPost:
    """The post as a file. Raises NotFound."""
    session = db.session()
    post = load_post(session, Post.slug == slug)
    if post is None:
        raise NotFound(f"There is no post at “{slug}”.")
    return as_stored(session, post)


def list_post_slugs() -> list[str]:
    """Every post's slug, drafts too, oldest first."""
    statement = select(Post.slug).where(Post.deleted_at.is_(None)).order_by(Post.published_at, Post.id)
    return list(db.session().scalars(statement))


def _save(session: Session, resolved: ResolvedPost) -> SavedPost:
    file = resolved.file
    post = load_post(session, Post.slug == file.slug)
    if post is None and file.old_slugs:
        post = load_post(session, Post.slug.in_(file.old_slugs))
    refuse_taken_slug(session, slug=file.slug, post_id=post.id if post else None)
    outcome: Outcome = "changed"
    before = None
    if post is None:
        post = insert_post(session, title=file.title, slug=file.slug, category_id=resolved.category_id)
        outcome = "created"
    else:
        before = as_stored(session, post)
        kept = tuple(sorted({*file.old_slugs, *list_old_slugs(session, post.id)} - {file.slug}))
        wanted = (replace(file, old_slugs=kept, category="", courses=()), resolved.category_id, resolved.course_ids)
        if (before.file, before.category_id, before.course_ids) == wanted:
            return SavedPost(post_id=post.id, slug=post.slug, outcome="unchanged")
    write_post(session, post, resolved)
    record_save(session, post, before, action="post.imported", note="Imported from a file")
    session.flush()
    return SavedPost(post_id=post.id, slug=post.slug, outcome=outcome)
