"""A post's rows: read as a file, written from one. Used inside transaction() by whoever saves a post.

One way of writing for the import of a file, the editor and a restored revision: slugs keep their history, texts are
rendered when they are saved, and each save leaves a revision and an entry in the audit log.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, undefer

from app import clock
from app.audit import record_audit
from app.blog.catalog_names import find_topic_name, list_course_names
from app.blog.models import Post, PostCourse, PostLink, PostPrice, PostSlug
from app.blog.post_files import PostFile
from app.blog.price_mentions import find_linked_courses, find_price_mentions, has_mentions
from app.blog.revisions import add_revision, ensure_first_revision
from app.config import current_settings
from app.db import make_public_id
from app.errors import AppError, NotFound
from app.markdown import render_markdown

# What a revision says of a save that changed the state.
NOTES = {
    "post.published": "Published",
    "post.scheduled": "Scheduled",
    "post.unpublished": "Made a draft",
    "post.archived": "Archived",
}


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
class StoredPost:
    """A post as its file would say it; category and courses are left to the caller, who knows their names."""

    file: PostFile
    category_id: int
    course_ids: tuple[int, ...]
    cover_path: str | None
    version: int
    updated_at: datetime


@contextmanager
def claiming(slug: str) -> Iterator[None]:
    """Raises PostSlugTaken where the database finds that another post took the slug at the same moment."""
    try:
        yield
    except IntegrityError as error:
        raise PostSlugTaken(slug) from error


def load_post(session: Session, condition: object) -> Post | None:
    """The first post that fits, with its text; the trash is not looked through."""
    statement = select(Post).where(condition, Post.deleted_at.is_(None)).order_by(Post.id).limit(1)  # type: ignore[arg-type]
    return session.scalars(
        statement.options(undefer(Post.body_markdown), undefer(Post.body_html), undefer(Post.contents))
    ).one_or_none()


def lock_post(session: Session, public_id: str) -> Post:
    """The post with its text, its row locked. Raises NotFound, also for one in the trash."""
    locked = session.scalar(select(Post.id).where(Post.public_id == public_id).with_for_update())
    post = load_post(session, Post.id == locked) if locked is not None else None
    if post is None:
        raise NotFound("There is no such post, or it lies in the trash.")
    return post


def insert_post(session: Session, *, title: str, slug: str, category_id: int) -> Post:
    """A bare draft."""
    moment = clock.now()
    post = Post(
        public_id=make_public_id("pst"), slug=slug, title=title, category_id=category_id, body_markdown="",
        body_html="", contents=[], version=0, created_at=moment, updated_at=moment,
    )  # fmt: skip
    session.add(post)
    session.flush()
    return post


def write_post(session: Session, post: Post, resolved: ResolvedPost) -> None:
    """Everything an author decides; counts the version up. Raises PostSlugTaken."""
    file = resolved.file
    former = {*file.old_slugs, post.slug} - {file.slug} - set(list_old_slugs(session, post.id))
    session.execute(delete(PostSlug).where(PostSlug.slug == file.slug))
    for slug in sorted(former):
        refuse_taken_slug(session, slug=slug, post_id=post.id)
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
    touch(post)
    session.execute(delete(PostCourse).where(PostCourse.post_id == post.id))
    for position, course_id in enumerate(resolved.course_ids):
        session.add(PostCourse(post_id=post.id, course_id=course_id, position=position))
    write_mentions(session, post)


def touch(post: Post) -> None:
    """Count the version up: whoever opened the post before is told."""
    post.version += 1
    post.updated_at = clock.now()


def record_save(session: Session, post: Post, before: StoredPost | None, *, action: str, note: str = "") -> list[str]:
    """Leave a revision and an audit entry of what differs, if anything does; gives the names of what does.

    before: None for a post that has just been made.
    """
    session.flush()
    after = as_stored(session, post)
    facts = _list_facts(after)
    former = _list_facts(before) if before is not None else {}
    names = [name for name, value in facts.items() if value != former.get(name)]
    if not names:
        return []
    last = 0
    if before is not None:
        last = ensure_first_revision(post.id, former, version=before.version, created_at=before.updated_at)
    number = add_revision(post, facts, note=note or NOTES.get(action, ""))
    record_audit(
        action=action,
        subject_type="post",
        subject_id=post.public_id,
        before=_tell_facts(session, former, names, revision=last) if before is not None else None,
        after=_tell_facts(session, facts, names, revision=number),
    )
    return names


def list_old_slugs(session: Session, post_id: int) -> tuple[str, ...]:
    """The addresses that lead to the post by a redirect."""
    return tuple(sorted(session.scalars(select(PostSlug.slug).where(PostSlug.post_id == post_id))))


def refuse_taken_slug(session: Session, *, slug: str, post_id: int | None) -> None:
    """Raises PostSlugTaken when another post lives, or once lived, at slug. What lies in the trash makes room."""
    _make_room(session, slug)
    owner = session.scalar(select(Post.id).where(Post.slug == slug))
    former = session.scalar(select(PostSlug.post_id).where(PostSlug.slug == slug))
    if any(other is not None and other != post_id for other in (owner, former)):
        raise PostSlugTaken(slug)


def as_stored(session: Session, post: Post) -> StoredPost:
    """The post as its file, with what the file does not say."""
    course_ids = session.scalars(
        select(PostCourse.course_id).where(PostCourse.post_id == post.id).order_by(PostCourse.position)
    )
    return StoredPost(
        file=PostFile(
            title=post.title,
            slug=post.slug,
            old_slugs=list_old_slugs(session, post.id),
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
        cover_path=post.cover_path,
        version=post.version,
        updated_at=post.updated_at,
    )


def _list_facts(stored: StoredPost) -> dict[str, Any]:
    """What a revision keeps, as JSON takes it."""
    file = stored.file
    return {
        "title": file.title,
        "slug": file.slug,
        "excerpt": file.excerpt,
        "body": file.body,
        "author": file.author,
        "status": file.status,
        "published_at": file.published_at.isoformat() if file.published_at else None,
        "revised_at": file.revised_at.isoformat() if file.revised_at else None,
        "category_id": stored.category_id,
        "course_ids": list(stored.course_ids),
        "cover": stored.cover_path,
    }


def write_mentions(session: Session, post: Post) -> None:
    """Note which courses the text links to, and which amounts it names beside courses, by their present names."""
    for model in (PostPrice, PostLink):
        session.execute(delete(model).where(model.post_id == post.id))
    if not has_mentions(post.body_markdown):
        return
    names = list_course_names(session)
    mentions = find_price_mentions(post.body_markdown, names, site_currency=current_settings().site_currency)
    for each in mentions:
        session.add(PostPrice(post_id=post.id, course_id=each.course_id, currency=each.currency, amount=each.amount))
    for course_id in find_linked_courses(post.body_markdown, names):
        session.add(PostLink(post_id=post.id, course_id=course_id))


def _tell_facts(session: Session, facts: dict[str, Any], names: list[str], *, revision: int) -> dict[str, Any]:
    """Some facts as the audit log shows them: with names for keys, and the text as the revision that holds it."""
    told = {name: facts[name] for name in names if name not in {"body", "category_id", "course_ids"}}
    if "body" in names:
        told["body"] = f"revision {revision}"
    if "category_id" in names:
        told["topic"] = find_topic_name(session, facts["category_id"])
    if "course_ids" in names:
        slugs = {each.course_id: each.slug for each in list_course_names(session)}
        told["courses"] = [slugs.get(course_id, "deleted") for course_id in facts["course_ids"]]
    return told


def _make_room(session: Session, slug: str) -> None:
    trashed = select(Post.id).where(Post.deleted_at.is_not(None))
    session.execute(delete(PostSlug).where(PostSlug.slug == slug, PostSlug.post_id.in_(trashed)))
    owner_id = session.scalar(trashed.where(Post.slug == slug))
    if owner_id is not None:
        session.execute(update(Post).where(Post.id == owner_id).values(slug=f"{slug[:130]}-deleted-{owner_id}"))
