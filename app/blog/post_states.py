"""What becomes of whole posts: shown, hidden, put under a topic, thrown into the trash and brought back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from app import clock
from app.audit import record_audit
from app.blog.models import Post
from app.blog.post_edits import PUBLISHED, name_action, tell_state
from app.blog.post_rows import as_stored, record_save, touch
from app.db import retry_conflicts, transaction
from app.errors import NotFound


@dataclass(frozen=True, kw_only=True, slots=True)
class FormerPost:
    """What a post was before an action, enough to undo it."""

    public_id: str
    status: str
    published_at: datetime | None
    category_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedPosts:
    """The posts that an action changed, as they were before."""

    before: list[FormerPost] = field(default_factory=list)


@retry_conflicts
def set_post_status(*, public_ids: Sequence[str], status: str) -> ChangedPosts:
    """Publish posts, archive them or make them drafts; those that are so already stay as they are.

    Publishing keeps a day that has passed, and takes this moment instead of none or one to come.
    """

    def change(post: Post) -> None:
        if tell_state(post.status, post.published_at) != status:
            post.status = status
            if status == PUBLISHED and (post.published_at is None or post.published_at > clock.now()):
                post.published_at = clock.now()

    return _change_each(public_ids, change)


@retry_conflicts
def set_post_topic(*, public_ids: Sequence[str], category_id: int) -> ChangedPosts:
    """File posts under a topic; see set_post_status()."""

    def change(post: Post) -> None:
        post.category_id = category_id

    return _change_each(public_ids, change)


@retry_conflicts
def undo_post_changes(*, former: Sequence[FormerPost], status: str = "", category_id: int | None = None) -> int:
    """Make posts what they were, but for those that are no longer what the action made of them; gives how many.

    status or category_id: what that was.
    """
    wanted = {each.public_id: each for each in former}

    def change(post: Post) -> None:
        before = wanted[post.public_id]
        if status and post.status == status:
            post.status, post.published_at = before.status, before.published_at
        if category_id is not None and post.category_id == category_id:
            post.category_id = before.category_id

    return len(_change_each(list(wanted), change).before)


@retry_conflicts
def delete_posts(*, public_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Throw posts into the trash: visitors get 404 at once. Gives (public id, title) of those that lay elsewhere."""
    with transaction() as session:
        posts = [post for post in _lock_all(session, public_ids) if post.deleted_at is None]
        for post in posts:
            post.deleted_at = clock.now()
            touch(post)
            _record(post, "post.deleted", before={"title": post.title})
        return [(post.public_id, post.title) for post in posts]


@retry_conflicts
def restore_posts(*, public_ids: Sequence[str]) -> list[str]:
    """Take posts out of the trash as they were; gives the titles of all of them. Raises NotFound when there is none."""
    with transaction() as session:
        posts = _lock_all(session, public_ids)
        if not posts:
            raise NotFound("There is no such post.")
        for post in posts:
            if post.deleted_at is not None:
                post.deleted_at = None
                touch(post)
                _record(post, "post.restored", after={"title": post.title})
        return [post.title for post in posts]


def _change_each(public_ids: Sequence[str], change: Callable[[Post], None]) -> ChangedPosts:
    changed = ChangedPosts()
    with transaction() as session:
        for post in _lock_all(session, public_ids):
            if post.deleted_at is not None:
                continue
            before, former_id = as_stored(session, post), post.category_id
            status, day = post.status, post.published_at
            change(post)
            if (status, day, former_id) == (post.status, post.published_at, post.category_id):
                continue
            touch(post)
            record_save(session, post, before, action=name_action(status, post.status))
            changed.before.append(
                FormerPost(public_id=post.public_id, status=status, published_at=day, category_id=former_id)
            )
    return changed


def _record(
    post: Post, action: str, *, before: dict[str, str] | None = None, after: dict[str, str] | None = None
) -> None:
    record_audit(action=action, subject_type="post", subject_id=post.public_id, before=before, after=after)


def _lock_all(session: Session, public_ids: Sequence[str]) -> list[Post]:
    """In the order of their ids, so that two at once wait for each other instead of blocking each other."""
    statement = select(Post).where(Post.public_id.in_(list(public_ids))).options(undefer(Post.body_markdown))
    return list(session.scalars(statement.order_by(Post.id).with_for_update()))
