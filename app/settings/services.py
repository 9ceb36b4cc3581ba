"""Changing the shop's settings: one section at a time, checked as the environment's are, with undo and reset."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import select, update

from app import clock
from app.audit import current_actor, record_audit
from app.config import Settings, forget_settings
from app.db import after_commit, db, insert_once, retry_conflicts, transaction
from app.errors import AppError, InvalidInput, NotFound
from app.setting_rules import SECTIONS, list_problems
from app.settings.in_force import combine, to_json
from app.settings.models import ShopSettings

log = structlog.get_logger()


class SettingsChanged(AppError):
    """Somebody saved the same section after the asker had opened it."""

    code = "settings_changed"
    status = 409
    title = "Somebody was faster"
    sentence = "These settings were saved by somebody else since you opened them. Nothing of yours is saved yet."


@dataclass(frozen=True, kw_only=True, slots=True)
class SectionView:
    """A section as it is. values are in force, base the environment's, changed the names that differ from it.

    changed_at is UTC, None while nobody ever changed it; changed_by is a public id, "" for a program.
    """

    section: str
    version: int
    values: dict[str, Any]
    base: dict[str, Any]
    changed: tuple[str, ...]
    can_undo: bool
    changed_at: datetime | None
    changed_by: str


def get_section(section: str) -> SectionView:
    """A section with both sides of each setting. Raises NotFound."""
    settings = _list_settings(section)
    base = _base()
    row = db.session.get(ShopSettings, section, populate_existing=True)
    in_force = combine(base, [row.changed] if row is not None else [])
    return SectionView(
        section=section,
        version=row.version if row is not None else 0,
        values={name: getattr(in_force, name) for name in settings},
        base={name: getattr(base, name) for name in settings},
        changed=tuple(name for name in settings if row is not None and name in row.changed),
        can_undo=row is not None and row.previous is not None,
        changed_at=row.changed_at if row is not None and row.version else None,
        changed_by=row.changed_by if row is not None else "",
    )


def change_section(*, section: str, values: Mapping[str, Any], version: int) -> bool:
    """Put values of a section in force; settings that are not named keep theirs. False when nothing differs.

    What equals the environment's follows it from then on. version is the one the asker saw. Raises NotFound,
    InvalidInput (field: the setting), SettingsChanged; nothing has changed then.
    """
    unknown = sorted(set(values) - set(_list_settings(section)))
    if unknown:
        raise InvalidInput("This section has no such setting.", field=unknown[0])
    for setting, sentence in list_problems(dict(values)):
        raise InvalidInput(sentence, field=setting.name)
    base = _base()
    named = {name: value for name, value in values.items() if value != getattr(base, name)}
    return _write(section, version=version, named=to_json(named), kept_from=frozenset(values))


def reset_section(*, section: str, version: int) -> bool:
    """Let the whole section follow the environment again. False when it did. Raises NotFound, SettingsChanged."""
    return _write(section, version=version, named={}, kept_from=frozenset(_list_settings(section)))


@retry_conflicts
def undo_section(*, section: str, version: int) -> None:
    """Bring back what was in force before the last change; a second undo takes the first one back.

    Raises NotFound when there is nothing to undo, SettingsChanged.
    """
    _list_settings(section)
    with transaction() as session:
        row = session.get(ShopSettings, section, populate_existing=True)
        if row is None or row.previous is None:
            raise NotFound
        _replace(row, row.previous, version=version, action="settings.undone")


@retry_conflicts
def _write(section: str, *, version: int, named: dict[str, Any], kept_from: frozenset[str]) -> bool:
    """Replace the settings of kept_from by the named ones."""
    _list_settings(section)
    with transaction() as session:
        first = {"section": section, "version": 0, "changed": {}, "changed_by": "", "changed_at": clock.now()}
        insert_once(ShopSettings, first, unique=["section"])
        row = session.get_one(ShopSettings, section, populate_existing=True)
        wanted = {name: value for name, value in row.changed.items() if name not in kept_from} | named
        if wanted == row.changed:
            return False
        action = "settings.changed" if wanted else "settings.reset"
        _replace(row, wanted, version=version, action=action)
        return True


def _replace(row: ShopSettings, wanted: dict[str, Any], *, version: int, action: str) -> None:
    """The change itself: the version decides which of two at once it is. Inside transaction()."""
    base = _base()
    old, new = combine(base, [row.changed]), combine(base, [wanted])
    changed = db.session.execute(
        update(ShopSettings)
        .where(ShopSettings.section == row.section, ShopSettings.version == version)
        .values(
            version=version + 1,
            changed=wanted,
            previous=row.changed,
            changed_by=current_actor().id,
            changed_at=clock.now(),
        )
        .returning(ShopSettings.version)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if changed is None:
        raise SettingsChanged
    names = [name for name in _list_settings(row.section) if getattr(old, name) != getattr(new, name)]
    record_audit(
        action=action,
        subject_type="settings",
        subject_id=row.section,
        before=to_json({name: getattr(old, name) for name in names}),
        after=to_json({name: getattr(new, name) for name in names}),
    )
    section = row.section
    after_commit(forget_settings)
    after_commit(lambda: log.info("settings_changed", section=section, names=names))


def list_changed_sections() -> set[str]:
    """The sections that differ from the environment."""
    rows = db.session.execute(select(ShopSettings.section, ShopSettings.changed))
    return {row.section for row in rows if row.changed}


def _list_settings(section: str) -> tuple[str, ...]:
    if section not in SECTIONS:
        raise NotFound
    return tuple(setting.name for setting in SECTIONS[section])


def _base() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings
