"""The audit log: who changed what, written with the change."""

from typing import Any, Literal

from app import clock
from app.accounts.models import AuditEntry
from app.db import db

ActorKind = Literal["user", "api_key", "stripe", "system"]


def record_audit(
    *,
    actor_kind: ActorKind,
    action: str,
    subject_type: str,
    subject_id: str,
    actor_id: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
) -> AuditEntry:
    """Add an entry to the caller's open transaction, so that there is never a change without its entry."""
    entry = AuditEntry(
        actor_kind=actor_kind,
        actor_id=actor_id,
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
