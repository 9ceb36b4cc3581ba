"""Two people saved the same thing: what each of them wrote, field by field, and who of them changed it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select

from app.accounts.models import User
from app.audit import AuditEntry
from app.db import db
from app.formatting import datetime_short

MINE, THEIRS = "mine", "theirs"
LABELS = {
    "title": "Title", "slug": "Web address", "promise": "One-line promise", "summary": "Summary",
    "description": "Description", "category": "Topic", "level": "Level", "author": "Author",
    "author_bio": "About the author", "outcomes": "What people will be able to do", "good_fit": "A good fit if you…",
    "not_fit": "Probably not if you…", "includes": "This course includes", "faq": "Questions and answers",
    "access_days": "Days of access", "capacity": "Seats", "is_featured": "Show first in the catalog",
    "is_open": "Open for enrollment", "status": "Status", "publish_at": "Publish at", "section": "Section",
    "body": "Text", "minutes": "Minutes", "is_preview": "Free preview", "drip_days": "Opens after (days)",
    "excerpt": "Short summary", "published_at": "Date", "courses": "Related courses",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """A field on which the two differ. keep: the side to propose, "" where both changed it and somebody must choose."""

    name: str
    label: str
    mine: str
    theirs: str
    keep: str


def digest_fields(edit: Any) -> str:
    """A short mark of each field's value, for the form to carry: tells later who changed what."""
    return json.dumps({name: _digest(value) for name, value in asdict(edit).items()})


def compare_sides(mine: Any, theirs: Any, base: str) -> list[Side]:
    """The fields that differ between two edits of the same kind; base is digest_fields() of what both began with."""
    marks = _read_marks(base)
    before, after = asdict(theirs), asdict(mine)
    sides = []
    for name, value in after.items():
        if value == before[name]:
            continue
        keep = ""
        if marks.get(name) == _digest(value):
            keep = THEIRS
        elif marks.get(name) == _digest(before[name]):
            keep = MINE
        sides.append(
            Side(name=name, label=LABELS[name], mine=_show(value), theirs=_show(before[name]), keep=keep),
        )  # fmt: skip
    return sides


def list_kept_fields(form: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """What a sent conflict page decides: the fields whose other side stays, and those nobody chose for."""
    asked = {name.removeprefix("asked-") for name in form if name.startswith("asked-")}
    chosen = {name: form.get(f"keep-{name}", "") for name in asked}
    return {name for name, side in chosen.items() if side == THEIRS}, {n for n, side in chosen.items() if not side}


def find_last_change(subject_id: str) -> str:
    """Who changed the thing last and when: "Ana Lopes, Nov 22, 16:48"; "" where the log has nothing."""
    row = db.session.execute(
        select(User.name, User.email, AuditEntry.created_at)
        .select_from(AuditEntry)
        .join(User, User.public_id == AuditEntry.actor_id)
        .where(AuditEntry.subject_id == subject_id, AuditEntry.actor_kind == "user")
        .order_by(AuditEntry.id.desc())
        .limit(1)
    ).one_or_none()
    return f"{row.name or row.email}, {datetime_short(row.created_at)}" if row is not None else ""


def _read_marks(text: str) -> dict[str, str]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _digest(value: Any) -> str:
    return hashlib.blake2b(repr(value).encode(), digest_size=4).hexdigest()


def _show(value: Any) -> str:
    if value is None or value == "":
        return "Nothing"
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, tuple):
        return "\n".join(": ".join(each) if isinstance(each, tuple) else str(each) for each in value) or "Nothing"
    return datetime_short(value) if hasattr(value, "astimezone") else str(value)
