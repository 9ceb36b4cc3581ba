"""Working copies: what somebody types into the editor is kept on the server, and changes nothing that visitors see.

One for each person and post, so two people never write into each other's. A save takes it away (post_edits.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import User
from app.blog.models import Post, PostWorkingCopy
from app.blog.revisions import has_saved_since
from app.db import db, retry_conflicts, transaction
from app.errors import NotFound


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkingCopy:
    """What was typed: a list of texts by each field's name, on which version of the post, until when (UTC)."""

    version: int
    fields: Mapping[str, Sequence[str]]
    saved_at: datetime


@retry_conflicts
def keep_working_copy(
    *, public_id: str, user_id: int, version: int, fields: Mapping[str, Sequence[str]]
) -> datetime | None:
    """Keep what somebody typed instead of what they had typed before; gives when.

    None, and nothing is kept, where they have saved the post meanwhile: a copy that arrives late must not bring back
    what the save made an end of. Raises NotFound.
    """
    moment = clock.now()
    dialect_insert = sqlite.insert if db.engine.dialect.name == "sqlite" else postgresql.insert
    with transaction() as session:
        # The post's row is the lock: a save that is under way comes first, and this copy then knows of it.
        statement = select(Post.id).where(Post.public_id == public_id, Post.deleted_at.is_(None)).with_for_update()
        post_id = session.scalar(statement)
        actor_id = session.scalar(select(User.public_id).where(User.id == user_id))
        if post_id is None or actor_id is None:
            raise NotFound("There is no such post, or it lies in the trash.")
        if has_saved_since(post_id, version=version, actor_id=actor_id):
            return None
        values: dict[str, Any] = {"version": version, "fields": dict(fields), "saved_at": moment}
        insert = dialect_insert(PostWorkingCopy).values(post_id=post_id, user_id=user_id, **values)
        session.execute(insert.on_conflict_do_update(index_elements=["post_id", "user_id"], set_=values))
    return moment


def find_working_copy(*, post_id: int, user_id: int) -> WorkingCopy | None:
    """What this person has typed and not saved."""
    row = db.session().get(PostWorkingCopy, (post_id, user_id))
    return WorkingCopy(version=row.version, fields=row.fields, saved_at=row.saved_at) if row is not None else None


def list_other_writers(*, post_id: int, user_id: int) -> list[tuple[str, datetime]]:
    """Who else has unsaved work on the post, and since when it is kept."""
    rows = db.session().execute(
        select(User.name, User.email, PostWorkingCopy.saved_at)
        .join(User, User.id == PostWorkingCopy.user_id)
        .where(PostWorkingCopy.post_id == post_id, PostWorkingCopy.user_id != user_id)
        .order_by(PostWorkingCopy.saved_at.desc())
    )
    return [(row.name or row.email, row.saved_at) for row in rows]


@retry_conflicts
def discard_working_copy(*, public_id: str, user_id: int) -> None:
    """Forget what this person has typed; nothing to forget is no error."""
    with transaction() as session:
        post_id = session.scalar(select(Post.id).where(Post.public_id == public_id))
        if post_id is not None:
            drop_working_copy(session, post_id=post_id, user_id=user_id)


def drop_working_copy(session: Session, *, post_id: int, user_id: int) -> None:
    """discard_working_copy() for callers that are inside transaction()."""
    session.execute(
        delete(PostWorkingCopy).where(PostWorkingCopy.post_id == post_id, PostWorkingCopy.user_id == user_id)
    )
