"""What staff do to a learner's account: close and open it, sign it out, write a note. Never to one with more rights."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import User, UserNote
from app.accounts.permissions import list_permissions
from app.accounts.revocation import end_sessions
from app.accounts.services import end_access
from app.audit import record_audit
from app.db import db, retry_conflicts, transaction
from app.errors import AppError, InvalidInput, NotFound

LONGEST_NOTE = 2000
LONGEST_REASON = 200
MOST_NOTES = 50


class NotTheirs(AppError):
    """Staff may not do this to that account."""

    code = "not_theirs"
    status = 409
    title = "That isn’t yours to do"
    sentence = "They are staff. Take them off the staff page first."


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A note about a person; at is UTC."""

    text: str
    by: str
    at: datetime


@retry_conflicts
def close_account(*, user_public_id: str, reason: str) -> bool:
    """Nobody signs in to it from now on, and all who are signed in are out; what was bought stays on record.

    False when it is closed already. Raises NotFound, NotTheirs for staff: there must always be an owner left.
    """
    with transaction() as session:
        user = _lock(session, user_public_id)
        if list_permissions(user.roles):
            raise NotTheirs
        if not user.active:
            return False
        user.active = False
        end_access(session, user_id=user.id)
        record_audit(
            action="user.deactivated", subject_type="user", subject_id=user.public_id,
            before={"active": True}, after={"active": False}, reason=reason.strip()[:LONGEST_REASON],
        )  # fmt: skip
        return True


@retry_conflicts
def open_account(*, user_public_id: str) -> bool:
    """Let the person sign in again, to all that they had; False when they can. Raises NotFound."""
    with transaction() as session:
        user = _lock(session, user_public_id)
        if user.active:
            return False
        user.active = True
        record_audit(
            action="user.reactivated", subject_type="user", subject_id=user.public_id,
            before={"active": False}, after={"active": True},
        )  # fmt: skip
        return True


@retry_conflicts
def sign_out_for_staff(*, user_public_id: str, staff_id: int) -> int:
    """End every sign-in of a person; gives how many. Raises NotFound, NotTheirs for somebody with more rights."""
    with transaction() as session:
        user = _lock(session, user_public_id)
        staff = session.get_one(User, staff_id)
        if not list_permissions(user.roles) <= list_permissions(staff.roles):
            raise NotTheirs("They may do things here that you may not. Ask somebody with those rights.")
        count = end_sessions(session, user_id=user.id)
        if count:
            record_audit(
                action="user.signed_out", subject_type="user", subject_id=user.public_id,
                before={"sign_ins": count}, after={"sign_ins": 0},
            )  # fmt: skip
        return count


@retry_conflicts
def add_user_note(*, user_public_id: str, text: str, staff_id: int) -> None:
    """Write down something about a person. Raises NotFound, InvalidInput (field "text")."""
    cleaned = text.strip()
    if not cleaned:
        raise InvalidInput("Write the note first.", field="text")
    if len(cleaned) > LONGEST_NOTE:
        raise InvalidInput(f"Use at most {LONGEST_NOTE} characters.", field="text")
    with transaction() as session:
        user = _lock(session, user_public_id)
        session.add(UserNote(user_id=user.id, text=cleaned, actor_id=staff_id, created_at=clock.now()))
        record_audit(
            action="user.note_added", subject_type="user", subject_id=user.public_id, after={"text": cleaned}
        )  # fmt: skip


def list_user_notes(*, user_id: int) -> list[Note]:
    """The newest notes about a person first."""
    rows = db.session.execute(
        select(UserNote, User.name, User.email)
        .join(User, User.id == UserNote.actor_id)
        .where(UserNote.user_id == user_id)
        .order_by(UserNote.id.desc())
        .limit(MOST_NOTES)
    ).all()
    return [Note(text=note.text, by=name or email, at=note.created_at) for note, name, email in rows]


def _lock(session: Session, public_id: str) -> User:
    user = session.scalar(
        select(User).where(User.public_id == public_id).with_for_update().execution_options(populate_existing=True)
    )
    if user is None:
        raise NotFound
    return user
