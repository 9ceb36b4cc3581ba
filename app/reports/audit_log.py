"""The activity log as people read it: who did what to which thing, what was there before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, or_, select

from app.accounts.models import ApiKey, User
from app.audit import AuditEntry
from app.db import db
from app.paging import Page, read_page


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One value that differs: as text, "" for none."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Activity:
    """One entry. actor: a name to read; subject_id: a public id."""

    id: int
    at: datetime
    actor: str
    action: str
    subject_type: str
    subject_id: str
    reason: str
    changes: tuple[Change, ...]


def list_activity(
    *, actor: str = "", subject_type: str = "", q: str = "", since: datetime | None = None,
    before: datetime | None = None, page: int = 1,
) -> Page[Activity]:  # fmt: skip
    """The newest entries first. actor: a public id, "system" or "stripe"; q: an id, or the start of an action."""
    found = read_page(select_activity(actor, subject_type, q, since, before), number=page)
    names = _read_names(found.rows)
    return Page(
        rows=[_shape(entry, names) for entry in found.rows], total=found.total, number=found.number, size=found.size
    )


def list_subject_activity(*, subject_type: str, subject_id: str, limit: int = 50) -> list[Activity]:
    """What was done to one thing, newest first."""
    rows = (
        db.session()
        .scalars(
            select(AuditEntry)
            .where(AuditEntry.subject_type == subject_type, AuditEntry.subject_id == subject_id)
            .order_by(AuditEntry.id.desc())
            .limit(limit)
        )
        .all()
    )
    names = _read_names(rows)
    return [_shape(entry, names) for entry in rows]


def select_activity(
    actor: str, subject_type: str, q: str, since: datetime | None, before: datetime | None
) -> Select[AuditEntry]:
    """The statement behind list_activity()."""
    statement = select(AuditEntry).order_by(AuditEntry.id.desc())
    if actor in {"system", "stripe"}:
        statement = statement.where(AuditEntry.actor_kind == actor)
    elif actor:
        statement = statement.where(AuditEntry.actor_id == actor)
    if subject_type:
        statement = statement.where(AuditEntry.subject_type == subject_type)
    if q:
        statement = statement.where(or_(
            AuditEntry.subject_id == q, AuditEntry.actor_id == q, AuditEntry.action.startswith(q, autoescape=True)
        ))  # fmt: skip
    if since is not None:
        statement = statement.where(AuditEntry.created_at >= since)
    if before is not None:
        statement = statement.where(AuditEntry.created_at < before)
    return statement


def list_actors() -> list[tuple[str, str]]:
    """Whom the log knows, as (value, name): people and keys by name, the system and Stripe last."""
    ids = db.session().scalars(
        select(AuditEntry.actor_id).where(AuditEntry.actor_kind.in_(("user", "api_key"))).distinct()
    )
    names = _names_of(list(ids))
    return [*sorted(names.items(), key=lambda pair: pair[1].casefold()), ("system", "The system"), ("stripe", "Stripe")]


def list_subject_types() -> list[str]:
    """The kinds of things that were changed."""
    return sorted(db.session().scalars(select(AuditEntry.subject_type).distinct()))


def read_day(text: str, zone: str, *, is_end: bool = False) -> datetime | None:
    """The moment (UTC) a day begins in the shop's zone, or the day after it where is_end; None for "".

    None too for a moment beyond the calendar: nothing lies behind it.
    """
    if not text:
        return None
    try:
        day = datetime.fromisoformat(text).date() + timedelta(days=1 if is_end else 0)
        return datetime.combine(day, time.min, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    except OverflowError:
        return None


def name_actors(entries: Sequence[AuditEntry]) -> dict[int, str]:
    """Who wrote each entry, as a name to read, by the entry's id."""
    names = _read_names(entries)
    return {entry.id: _name_actor(entry, names) for entry in entries}


def _name_actor(entry: AuditEntry, names: Mapping[str, str]) -> str:
    words = {"system": "The system", "stripe": "Stripe"}
    return names.get(entry.actor_id) or (
        entry.actor_id.capitalize() if entry.actor_id else words.get(entry.actor_kind, "")
    )


def _shape(entry: AuditEntry, names: Mapping[str, str]) -> Activity:
    actor = _name_actor(entry, names)
    before, after = entry.before or {}, entry.after or {}
    return Activity(
        id=entry.id, at=entry.created_at, actor=actor, action=entry.action, subject_type=entry.subject_type,
        subject_id=entry.subject_id, reason=entry.reason,
        changes=tuple(
            Change(name=name.replace("_", " "), before=_word(before.get(name)), after=_word(after.get(name)))
            for name in [*before, *(name for name in after if name not in before)]
        ),
    )  # fmt: skip


def _word(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_word(each) for each in value)
    return str(value)


def _read_names(entries: Any) -> dict[str, str]:
    return _names_of([entry.actor_id for entry in entries if entry.actor_kind in {"user", "api_key"}])


def _names_of(public_ids: list[str]) -> dict[str, str]:
    wanted = set(public_ids)
    people = db.session().execute(select(User.public_id, User.name, User.email).where(User.public_id.in_(wanted)))
    names = {row.public_id: row.name or row.email for row in people}
    keys = db.session().execute(select(ApiKey.public_id, ApiKey.name).where(ApiKey.public_id.in_(wanted)))
    return names | {row.public_id: f"API key “{row.name}”" for row in keys}
