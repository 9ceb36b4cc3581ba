"""The settings in force: the environment's with the rows over them, in one query."""

from collections.abc import Mapping
from dataclasses import replace
from threading import Lock
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from app.config import Settings
from app.db import db, in_transaction
from app.setting_rules import SETTINGS
from app.settings.models import ShopSettings

log = structlog.get_logger()

_QUERY = select(ShopSettings.section, ShopSettings.changed).order_by(ShopSettings.section)
_lock = Lock()
# By the environment's settings: what was read last, for as long as the database is away.
_last_known: tuple[Settings, Settings] | None = None


def read_settings(base: Settings) -> Settings:
    """base with what was changed over it; while the database is away, what was read last, else base alone."""
    try:
        rows = db.session.execute(_QUERY, execution_options={"autoflush": False}).all()
    except PendingRollbackError:
        return _recall(base)
    except DBAPIError as error:
        if in_transaction():
            raise
        # The next statement shall meet the database itself, not our failed one.
        db.session.rollback()
        log.warning("settings_unread", error=type(error.orig).__name__)
        return _recall(base)
    return _remember(base, combine(base, [row.changed for row in rows]))


def combine(base: Settings, changes: list[dict[str, Any]]) -> Settings:
    """base with these values in place of its own; names that are none of ours any more do not count."""
    values = {name: value for changed in changes for name, value in changed.items() if name in SETTINGS}
    return replace(base, **from_json(values)) if values else base


def to_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of Settings as a row keeps them."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def from_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """A row's values as Settings has them."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _remember(base: Settings, found: Settings) -> Settings:
    global _last_known  # noqa: PLW0603 - one memory for the process is the point
    with _lock:
        # The same object again for equal values: pages that were made of it are found without comparing field by field.
        if _last_known is None or _last_known[0] is not base or _last_known[1] != found:
            _last_known = (base, found)
        return _last_known[1]


def _recall(base: Settings) -> Settings:
    with _lock:
        return _last_known[1] if _last_known is not None and _last_known[0] is base else base
