"""The editor's side of a post: made, read and saved with a version, its cover, and a revision brought back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app import clock
from app.blog.models import Post
from app.blog.post_files import LONGEST_SLUG, PostFile
from app.blog.post_rows import (
    ResolvedPost,
    StoredPost,
    as_stored,
    claiming,
    insert_post,
    load_post,
    lock_post,
    record_save,
    refuse_taken_slug,
    write_post,
)
from app.blog.revisions import find_last_number, get_revision
from app.blog.working_copies import drop_working_copy
from app.db import db, retry_conflicts, transaction
from app.errors import AppError, InvalidInput, NotFound
from app.front_matter import SLUG
from app.markdown import slugify_heading

DRAFT, SCHEDULED, PUBLISHED, ARCHIVED = "draft", "scheduled", "published", "archived"
SHOWN = frozenset({SCHEDULED, PUBLISHED})


class PostChanged(AppError):
    """Somebody else saved the post since it was opened; nothing was written."""

    code = "post_changed"
    status = 409
    title = "Somebody else saved this post"
    sentence = "Compare both versions and choose what stays."


@dataclass(frozen=True, kw_only=True, slots=True)
class EditedPost:
    """A post as the editor needs it. state is what it is now: a scheduled one whose time has come is published."""

    post_id: int
    public_id: str
    stored: StoredPost
    state: str
    reading_minutes: int


def tell_state(status: str, published_at: datetime | None) -> str:
    """What a post is at this moment: "draft", "scheduled", "published" or "archived"."""
    if status not in SHOWN:
        return status
    return PUBLISHED if published_at is not None and published_at <= clock.now() else SCHEDULED


def get_edited_post(*, public_id: str) -> EditedPost:
    """The post as it is now. Raises NotFound, also for one in the trash."""
    session = db.session()
    post = load_post(session, Post.public_id == public_id)
    if post is None:
        raise NotFound("There is no such post, or it lies in the trash.")
    return EditedPost(
        post_id=post.id,
        public_id=post.public_id,
        stored=as_stored(session, post),
        state=tell_state(post.status, post.published_at),
        reading_minutes=post.reading_minutes,
    )


@retry_conflicts
def create_post(*, title: str, category_id: int, author: str) -> str:
    """A new draft; gives its public id. Raises PostSlugTaken, InvalidInput; not safe to call twice."""
    slug = slugify_heading(title)[:LONGEST_SLUG].strip("-")
    if not SLUG.fullmatch(slug):
        raise InvalidInput("Use at least one letter or digit.", field="title")
    file = PostFile(title=title, slug=slug, category="", body="", status=DRAFT, author=author)
    with transaction() as session, claiming(slug):
        refuse_taken_slug(session, slug=slug, post_id=None)
        post = insert_post(session, title=title, slug=slug, category_id=category_id)
        write_post(session, post, ResolvedPost(file=file, category_id=category_id, course_ids=()))
        record_save(session, post, None, action="post.created", note="Made")
        return post.public_id


@retry_conflicts
def save_post_edit(*, public_id: str, version: int, post: ResolvedPost, user_id: int) -> list[str]:
    """Save the form; gives the names of what changed. Saving what is there already changes no row.

    version is the one the form was opened with. The person's working copy has served its purpose. A public post whose
    words change counts as revised. Raises PostChanged, PostSlugTaken, InvalidInput, NotFound.
    """
    with transaction() as session, claiming(post.file.slug):
        row = lock_post(session, public_id)
        if row.version != version:
            raise PostChanged
        before = as_stored(session, row)
        file = _settle(post.file, before.file)
        drop_working_copy(session, post_id=row.id, user_id=user_id)
        if (file, post.category_id, post.course_ids) == (before.file, before.category_id, before.course_ids):
            return []
        refuse_taken_slug(session, slug=file.slug, post_id=row.id)
        write_post(session, row, replace(post, file=file))
        return record_save(session, row, before, action=name_action(before.file.status, file.status))


@retry_conflicts
def set_post_cover(*, public_id: str, cover_path: str | None) -> None:
    """Give a post an uploaded cover (MediaFile.path), or None for the drawn one.

    The version stays: a picture and a text that two people save at once do not contradict each other.
    """
    with transaction() as session:
        row = lock_post(session, public_id)
        before = as_stored(session, row)
        if row.cover_path != cover_path:
            row.cover_path, row.updated_at = cover_path, clock.now()
            record_save(session, row, before, action="post.cover_changed", note="Cover changed")


@retry_conflicts
def restore_revision(*, public_id: str, number: int, known_course_ids: Sequence[int]) -> int:
    """Bring back the words, topic, courses and cover of a revision; address, state and dates stay as they are.

    Makes a new revision, so it can be taken back the same way: gives the number of the one before. Courses that are
    not among known_course_ids are gone. Raises NotFound.
    """
    with transaction() as session:
        row = lock_post(session, public_id)
        before = as_stored(session, row)
        content, last = get_revision(row.id, number).content, find_last_number(row.id)
        words = {name: content[name] for name in ("title", "excerpt", "body", "author")}
        file = _revise(replace(before.file, **words), before.file)
        course_ids = tuple(each for each in content["course_ids"] if each in known_course_ids)
        write_post(session, row, ResolvedPost(file=file, category_id=content["category_id"], course_ids=course_ids))
        row.cover_path = content["cover"]
        record_save(session, row, before, action="post.restored_revision", note=f"Restored from revision {number}")
        return last


def name_action(former: str, status: str) -> str:
    """What the audit log calls a save."""
    if former == status:
        return "post.changed"
    return {DRAFT: "post.unpublished"}.get(status, f"post.{status}")


def _settle(file: PostFile, before: PostFile) -> PostFile:
    """The form's file with what it does not decide, and its state and day made one."""
    moment = clock.now()
    status, day = file.status, file.published_at
    if status == PUBLISHED and day is None:
        day = before.published_at if before.published_at and before.published_at <= moment else moment
    if status == PUBLISHED and day is not None and day > moment:
        raise InvalidInput("This day is still to come. Choose an earlier one, or “Schedule”.", field="published_at")
    if status == SCHEDULED and day is None:
        raise InvalidInput("Choose when to publish it.", field="published_at")
    if status == SCHEDULED and day is not None and day <= moment:
        if day != before.published_at or before.status not in SHOWN:
            raise InvalidInput("Choose a day and time to come.", field="published_at")
        # Its time came while the form was open.
        status = before.status
    settled = replace(file, status=status, published_at=day, old_slugs=before.old_slugs, category="", courses=())
    return _revise(settled, before)


def _revise(file: PostFile, before: PostFile) -> PostFile:
    was_public = tell_state(before.status, before.published_at) == PUBLISHED
    is_public = tell_state(file.status, file.published_at) == PUBLISHED
    words, former = ((each.title, each.excerpt, each.body) for each in (file, before))
    is_revised = was_public and is_public and words != former
    return replace(file, revised_at=clock.now() if is_revised else before.revised_at)
