"""Revisions: a post as it was after each save. What is typed and not saved makes none (working_copies.py)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import undefer

from app import clock
from app.accounts.models import User
from app.audit import SYSTEM, Actor, current_actor
from app.blog.models import Post, PostRevision
from app.db import db
from app.errors import NotFound

# The oldest go: a post that is saved every day keeps half a year.
MOST_REVISIONS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Revision:
    """One save. who: a person's name, "" for programs; content as post_rows.py lists a post's facts, {} in a list."""

    number: int
    note: str
    who: str
    created_at: datetime
    content: dict[str, Any]


def list_revisions(post_id: int, *, limit: int = MOST_REVISIONS) -> list[Revision]:
    """The newest saves first, without their texts."""
    rows = db.session().execute(
        select(PostRevision, User.name, User.email)
        .outerjoin(User, (User.public_id == PostRevision.actor_id) & (PostRevision.actor_kind == "user"))
        .where(PostRevision.post_id == post_id)
        .order_by(PostRevision.number.desc())
        .limit(limit)
    )
    return [_read(row, {}) for row in rows]


def get_revision(post_id: int, number: int) -> Revision:
    """One save with its text. Raises NotFound."""
    row = (
        db.session()
        .execute(
            select(PostRevision, User.name, User.email)
            .outerjoin(User, (User.public_id == PostRevision.actor_id) & (PostRevision.actor_kind == "user"))
            .where(PostRevision.post_id == post_id, PostRevision.number == number)
            .options(undefer(PostRevision.content))
        )
        .one_or_none()
    )
    if row is None:
        raise NotFound("There is no such revision. Old ones make room for new ones.")
    return _read(row, row.PostRevision.content)


def find_last_number(post_id: int) -> int:
    """The number of the newest revision, 0 without any."""
    return db.session().scalar(select(func.max(PostRevision.number)).where(PostRevision.post_id == post_id)) or 0


def has_saved_since(post_id: int, *, version: int, actor_id: str) -> bool:
    """Whether this person has saved the post after it had this version."""
    return bool(
        db.session().scalar(
            select(PostRevision.id)
            .where(
                PostRevision.post_id == post_id, PostRevision.version > version, PostRevision.actor_id == actor_id
            )
            .limit(1)
        )
    )  # fmt: skip


def add_revision(post: Post, content: dict[str, Any], *, note: str = "") -> int:
    """Keep the post as it is now; gives the number. Inside transaction(), with the post's row locked or new."""
    number = find_last_number(post.id) + 1
    _insert(post.id, number, content, note=note, version=post.version, actor=current_actor(), moment=clock.now())
    session = db.session()
    session.execute(
        delete(PostRevision).where(PostRevision.post_id == post.id, PostRevision.number <= number - MOST_REVISIONS)
    )
    return number


def ensure_first_revision(post_id: int, content: dict[str, Any], *, version: int, created_at: datetime) -> int:
    """A post that is older than its revisions begins with what it was before this save; gives the newest number."""
    last = find_last_number(post_id)
    if last:
        return last
    _insert(post_id, 1, content, note="As it was before", version=version, actor=SYSTEM, moment=created_at)
    return 1


def _insert(
    post_id: int, number: int, content: dict[str, Any], *, note: str, version: int, actor: Actor, moment: datetime
) -> None:
    session = db.session()
    session.add(
        PostRevision(
            post_id=post_id, number=number, version=version, note=note, content=content, actor_kind=actor.kind,
            actor_id=actor.id, created_at=moment,
        )
    )  # fmt: skip
    session.flush()


def _read(row: Any, content: dict[str, Any]) -> Revision:
    revision = row.PostRevision
    return Revision(
        number=revision.number, note=revision.note, who=row.name or row.email or "", created_at=revision.created_at,
        content=content,
    )  # fmt: skip
