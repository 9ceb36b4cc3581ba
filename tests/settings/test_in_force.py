"""What was changed counts over the environment: at once, once a request, and without a database as far as is known."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

import app.settings.in_force as in_force_module
from app import clock
from app.audit import AuditEntry
from app.config import Settings, current_settings, forget_settings
from app.db import db, transaction
from app.errors import InvalidInput, NotFound
from app.queue import run_task, task
from app.settings.models import ShopSettings
from app.settings.services import SettingsChanged, change_section, get_section, reset_section, undo_section
from tests.accounts.people import Browser
from tests.queries import count_queries

SEEN: list[str] = []


@task("tests.read_shop_name")
def read_shop_name(_row_id: int) -> None:
    SEEN.append(current_settings().site_name)


@pytest.fixture
def seen() -> Iterator[list[str]]:
    SEEN.clear()
    yield SEEN
    SEEN.clear()


def rename(name: str, version: int = 0) -> bool:
    return change_section(section="brand", values={"site_name": name}, version=version)


def read_row(section: str = "brand") -> ShopSettings | None:
    db.session.remove()
    return db.session.get(ShopSettings, section)


def list_audited() -> list[tuple[str, str, object, object]]:
    db.session.remove()
    return [
        (each.action, each.subject_id, each.before, each.after)
        for each in db.session.query(AuditEntry).order_by(AuditEntry.id)
    ]


def test_without_a_change_the_environment_counts(app: Flask, settings: Settings) -> None:
    assert current_settings() == settings
    assert get_section("brand").version == 0
    assert (get_section("brand").changed, get_section("brand").can_undo) == ((), False)


def test_a_change_counts_at_once_and_is_in_the_log_with_both_sides(app: Flask, settings: Settings) -> None:
    assert rename("Corner School") is True

    assert current_settings() == replace(settings, site_name="Corner School")
    row = read_row()
    assert row is not None
    assert (row.version, row.changed, row.previous) == (1, {"site_name": "Corner School"}, {})
    assert list_audited() == [
        ("settings.changed", "brand", {"site_name": "NextSkill Lab"}, {"site_name": "Corner School"})
    ]


def test_a_setting_put_back_by_hand_follows_the_environment_again(app: Flask, settings: Settings) -> None:
    change_section(section="refunds", values={"refund_days": 30}, version=0)
    change_section(section="refunds", values={"refund_days": 14}, version=1)

    app.config["SETTINGS"] = replace(settings, refund_days=60)
    try:
        assert current_settings().refund_days == 60
    finally:
        app.config["SETTINGS"] = settings


def test_a_change_that_changes_nothing_leaves_no_trace(app: Flask) -> None:
    rename("Corner School")

    assert rename("Corner School", version=1) is False

    row = read_row()
    assert row is not None
    assert row.version == 1
    assert len(list_audited()) == 1


def test_a_change_names_only_its_own_settings(app: Flask) -> None:
    rename("Corner School")

    change_section(section="brand", values={"logo_path": "a" * 64 + "/480.jpg"}, version=1)

    assert (current_settings().site_name, current_settings().logo_path) == ("Corner School", "a" * 64 + "/480.jpg")


def test_of_two_who_saw_the_same_version_the_second_is_told_and_nothing_of_theirs_counts(app: Flask) -> None:
    rename("Corner School")

    with pytest.raises(SettingsChanged):
        rename("Another School", version=0)

    assert current_settings().site_name == "Corner School"
    assert len(list_audited()) == 1


def test_what_the_environment_would_refuse_is_refused_with_the_same_sentence(app: Flask) -> None:
    with pytest.raises(InvalidInput, match="There is no such time zone") as refused:
        change_section(section="region", values={"site_timezone": "Mars/Base"}, version=0)

    assert refused.value.field == "site_timezone"
    assert read_row("region") is None


def test_a_setting_of_another_section_and_an_unknown_section_are_refused(app: Flask) -> None:
    with pytest.raises(InvalidInput) as refused:
        change_section(section="brand", values={"refund_days": 3}, version=0)
    with pytest.raises(NotFound):
        change_section(section="secrets", values={}, version=0)
    with pytest.raises(NotFound):
        get_section("secrets")
    with pytest.raises(NotFound):
        undo_section(section="brand", version=0)

    assert refused.value.field == "refund_days"
    assert list_audited() == []


def test_an_undo_brings_back_what_was_and_a_second_one_takes_it_back(app: Flask) -> None:
    rename("Corner School")
    rename("Another School", version=1)

    undo_section(section="brand", version=2)
    assert current_settings().site_name == "Corner School"
    undo_section(section="brand", version=3)

    assert current_settings().site_name == "Another School"
    assert [each[0] for each in list_audited()][2:] == ["settings.undone", "settings.undone"]


def test_a_reset_lets_the_environment_count_again(app: Flask, settings: Settings) -> None:
    rename("Corner School")

    assert reset_section(section="brand", version=1) is True

    assert current_settings() == settings
    assert reset_section(section="brand", version=2) is False
    assert list_audited()[1] == (
        "settings.reset", "brand", {"site_name": "Corner School"}, {"site_name": "NextSkill Lab"}
    )  # fmt: skip


def test_a_request_asks_the_database_once_and_the_next_request_asks_anew(app: Flask) -> None:
    with app.test_request_context(), count_queries() as statements:
        app.preprocess_request()
        current_settings()
        current_settings()
    visitor = Browser(app)
    visitor.get("/pages/terms")

    with db.engine.connect().execution_options(is_write=True) as other, other.begin():
        other.execute(
            text(
                "INSERT INTO shop_settings (section, version, changed, changed_by, changed_at)"
                " VALUES ('brand', 1, '{\"site_name\": \"Corner School\"}', '', '2026-11-27 10:00:00+00')"
            )
        )

    assert len([each for each in statements if "shop_settings" in each]) == 1
    assert "Corner School" in visitor.get("/pages/terms").text


def test_a_task_reads_what_counts_when_it_begins(app: Flask, seen: list[str]) -> None:
    run_task("tests.read_shop_name", [1])
    with db.engine.connect().execution_options(is_write=True) as other, other.begin():
        other.execute(
            text(
                "INSERT INTO shop_settings (section, version, changed, changed_by, changed_at)"
                " VALUES ('brand', 1, '{\"site_name\": \"Corner School\"}', '', '2026-11-27 10:00:00+00')"
            )
        )

    run_task("tests.read_shop_name", [1])

    assert seen == ["NextSkill Lab", "Corner School"]


@pytest.fixture
def broken_table(app: Flask) -> Iterator[None]:
    """A database that answers every question about the settings with an error."""

    def fail(_connection: object, _cursor: object, statement: str, *rest: object) -> tuple[str, object]:
        broken = statement.replace("shop_settings", "no_such_table") if "shop_settings" in statement else statement
        return broken, rest[0]

    event.listen(db.engine, "before_cursor_execute", fail, retval=True)
    yield
    event.remove(db.engine, "before_cursor_execute", fail)


def test_while_the_database_is_away_the_last_known_settings_count(app: Flask, request: pytest.FixtureRequest) -> None:
    rename("Corner School")
    assert current_settings().site_name == "Corner School"
    request.getfixturevalue("broken_table")
    forget_settings()

    assert current_settings().site_name == "Corner School"
    assert db.session.scalar(text("SELECT 1")) == 1


def test_a_process_that_never_read_them_goes_by_the_environment(
    app: Flask, settings: Settings, broken_table: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_force_module, "_last_known", None)
    forget_settings()

    assert current_settings() == settings


def test_after_a_failed_write_a_page_about_it_has_the_last_known_settings(app: Flask) -> None:
    rename("Corner School")
    current_settings()
    db.session.add(ShopSettings(section="mail", version=-1, changed={}, changed_by="", changed_at=clock.now()))
    with pytest.raises(IntegrityError):
        db.session.flush()
    forget_settings()

    assert current_settings().site_name == "Corner School"
    db.session.rollback()


def test_inside_a_write_the_failure_is_the_writes_own(app: Flask, broken_table: None) -> None:
    forget_settings()

    with pytest.raises(Exception, match="no_such_table"), transaction():
        current_settings()
