"""Two owners at once: one change, one message. The control shows what a check before the write would come to."""

from typing import Any

import pytest
from flask import Flask

import app.settings.services as services_module
from app.audit import AuditEntry
from app.config import current_settings, forget_settings
from app.db import db, transaction
from app.settings.models import ShopSettings
from app.settings.services import change_section
from tests.races import Pause, kinds, run_at_once

pytestmark = pytest.mark.slow
NAMES = [f"School {number}" for number in range(6)]


def save_all(app: Flask) -> list[Any]:
    calls = [lambda name=name: change_section(section="brand", values={"site_name": name}, version=1) for name in NAMES]
    return run_at_once(app, *calls)


def count_entries() -> int:
    db.session.rollback()
    return db.session.query(AuditEntry).count()


def test_of_six_who_saw_the_same_version_one_saves_and_five_are_told(app: Flask) -> None:
    change_section(section="brand", values={"site_name": "First"}, version=0)

    outcomes = save_all(app)

    assert kinds(outcomes) == {"bool": 1, "SettingsChanged": 5}, outcomes
    forget_settings()
    assert current_settings().site_name == NAMES[outcomes.index(True)]
    assert count_entries() == 2


def test_six_first_changes_at_once_are_one(app: Flask) -> None:
    calls = [
        lambda name=name: change_section(section="mail", values={"mail_from_name": name}, version=0) for name in NAMES
    ]

    outcomes = run_at_once(app, *calls)

    assert kinds(outcomes) == {"bool": 1, "SettingsChanged": 5}, outcomes


def test_control_a_check_before_the_write_lets_all_six_through(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    change_section(section="brand", values={"site_name": "First"}, version=0)
    pause = Pause(len(NAMES))

    def check_first(section: str, *, version: int, named: dict[str, Any], kept_from: frozenset[str]) -> bool:
        assert db.session.get_one(ShopSettings, section).version == version
        pause.wait()
        with transaction() as session:
            session.get_one(ShopSettings, section, populate_existing=True).changed = named
        return True

    monkeypatch.setattr(services_module, "_write", check_first)

    assert kinds(save_all(app)) == {"bool": 6}
