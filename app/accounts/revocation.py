"""Sign-ins as rows: a cookie opens an account only while its row lives (attack A40, hole 6)."""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import User, UserSession
from app.accounts.site_views import end_views_of_sessions
from app.db import db, retry_conflicts, transaction

SESSION_LIFETIME = timedelta(days=30)
LONGEST_USER_AGENT = 300


@retry_conflicts
def start_session(*, user_id: int, user_agent: str = "") -> str:
    """Make a session row and give its secret for the cookie; only the hash is stored."""
    token = secrets.token_urlsafe(32)
    moment = clock.now()
    with transaction() as session:
        session.add(
            UserSession(
                user_id=user_id,
                token_hash=_hash(token),
                user_agent=user_agent[:LONGEST_USER_AGENT],
                created_at=moment,
                expires_at=moment + SESSION_LIFETIME,
            )
        )
    return token


@retry_conflicts
def revoke_session(*, token: str) -> None:
    """End one session. Safe to call again or with a token that never was."""
    with transaction() as session:
        ended = session.scalars(
            update(UserSession)
            .where(UserSession.token_hash == _hash(token), UserSession.revoked_at.is_(None))
            .values(revoked_at=clock.now())
            .returning(UserSession.id)
        ).all()
        end_views_of_sessions(session, ended)


@retry_conflicts
def revoke_all_sessions(*, user_id: int) -> int:
    """Sign the user out everywhere; returns how many sessions ended."""
    with transaction() as session:
        return end_sessions(session, user_id=user_id)


def end_sessions(session: Session, *, user_id: int) -> int:
    """revoke_all_sessions() for callers with a transaction open."""
    ended = session.scalars(
        update(UserSession)
        .where(UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
        .values(revoked_at=clock.now())
        .returning(UserSession.id)
    ).all()
    end_views_of_sessions(session, ended)
    return len(ended)


def find_session_user(*, token: str, uniquifier: str) -> User | None:
    """The active user of a live session, as the database has it now; None for every reason not to."""
    query = (
        select(User)
        .join(UserSession, UserSession.user_id == User.id)
        .where(*_is_live(clock.now()), UserSession.token_hash == _hash(token))
        .where(User.active.is_(True), User.fs_uniquifier == uniquifier)
        .execution_options(populate_existing=True)
    )
    return db.session.scalar(query)


def find_session_id(*, token: str) -> int | None:
    """The row of the live session that the token opens."""
    return db.session.scalar(
        select(UserSession.id).where(*_is_live(clock.now()), UserSession.token_hash == _hash(token))
    )


def list_sessions(*, user_id: int) -> list[UserSession]:
    """The live sessions of a user, newest first."""
    query = select(UserSession).where(*_is_live(clock.now()), UserSession.user_id == user_id)
    return list(db.session.scalars(query.order_by(UserSession.id.desc()).limit(50)))


def is_session_of(row: UserSession, *, token: str) -> bool:
    """Whether the row is the one that the token opens."""
    return secrets.compare_digest(row.token_hash, _hash(token))


def _is_live(moment: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return UserSession.revoked_at.is_(None), UserSession.expires_at > moment


def _hash(token: str) -> str:
    # The token has 256 random bits: a plain hash cannot be reversed by guessing.
    return hashlib.sha256(token.encode()).hexdigest()
