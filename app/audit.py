"""The audit log: who changed what, written with the change. Who acts is set once, where a request or command begins."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from flask import Flask
from sqlalchemy import JSON, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import Base, UTCDateTime, db

ActorKind = Literal["user", "api_key", "stripe", "system"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who acts. id: the public id of a user or API key, "" for Stripe and the system (worker, command line)."""

    kind: ActorKind
    id: str = ""


SYSTEM = Actor(kind="system")
# A context variable, not a parameter: the use case that changes something is often several calls below the request.
_actor: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


class AuditEntry(Base):
    """Who changed what: a person, an API key, Stripe or the system; values before and after."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_subject", "subject_type", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    actor_kind: Mapped[str] = mapped_column(String(20))
    actor_id: Mapped[str] = mapped_column(String(255), default="")
    action: Mapped[str] = mapped_column(String(80), index=True)
    subject_type: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[str] = mapped_column(String(255))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # none when something was made
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # none when something was removed
    reason: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


def init_app(app: Flask) -> None:
    """Let every request begin, and leave, as nobody's: a server's thread serves many people."""
    app.before_request(_forget_actor)
    app.teardown_request(lambda _error: _forget_actor())


def current_actor() -> Actor:
    """Who acts now; the system where nobody said otherwise."""
    return _actor.get()


def set_actor(actor: Actor) -> None:
    """From here to the end of the request this one acts."""
    _actor.set(actor)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """For as long as the block lasts this one acts."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


def record_audit(
    *,
    action: str,
    subject_type: str,
    subject_id: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
) -> AuditEntry:
    """Add an entry to the caller's open transaction, so that there is never a change without its entry.

    action is "noun.verb" in the past ("course.archived"); before and after hold only what differs, as JSON takes it.
    """
    actor = current_actor()
    entry = AuditEntry(
        actor_kind=actor.kind,
        actor_id=actor.id,
        action=action,
        subject_type=subject_type,
        subject_id=subject_id,
        before=before,
        after=after,
        reason=reason,
        created_at=clock.now(),
    )
    db.session().add(entry)
    return entry


def _forget_actor() -> None:
    _actor.set(SYSTEM)
