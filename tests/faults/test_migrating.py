"""A migration on PostgreSQL while somebody uses its tables (F25): it waits three seconds at a time and lets others go first."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import inspect

from app import create_app
from app.config import PROJECT_ROOT, Settings
from app.db import db
from tests.databases import DATABASE, make_database_url
from tests.faults.test_process import ADDITIVE_MIGRATION
from tests.running import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(DATABASE != "postgresql", reason="SQLite has one lock, for which everybody waits five seconds"),
]

PATIENCE = "5s"
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"


@pytest.fixture
def app(tmp_path: Path, settings: Settings) -> Iterator[Flask]:
    """A shop with a database of its own, migrated."""
    app = create_app(replace(settings, database_url=make_database_url(tmp_path, "migrating")))
    with app.app_context():
        upgrade()
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shop's migrations and one more."""
    folder = tmp_path / "migrations"
    shutil.copytree(PROJECT_ROOT / "migrations", folder)
    head = ScriptDirectory(str(folder)).get_current_head()
    (folder / "versions" / "9999_later.py").write_text(ADDITIVE_MIGRATION.format(head=head))
    return folder


@contextmanager
def migrating_beside_a_long_reader(app: Flask, folder: Path) -> Iterator[psycopg.Connection]:
    """A transaction that has read orders stays open until a migration waits for it; then somebody else may read."""
    url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    failures: list[BaseException] = []

    def migrate() -> None:
        with app.app_context():
            try:
                upgrade(directory=str(folder))
            except BaseException as error:
                failures.append(error)
                raise

    with psycopg.connect(url) as long, psycopg.connect(url, autocommit=True) as other:
        long.execute("SELECT count(*) FROM orders")
        thread = threading.Thread(target=migrate, daemon=True)
        thread.start()
        wait_until(lambda: other.execute(WAITING).fetchone() != (0,), 30)
        try:
            other.execute(f"SET statement_timeout = '{PATIENCE}'")
            yield other
        finally:
            long.rollback()
            thread.join(60)
    assert not thread.is_alive()
    assert failures == []


def test_who_comes_after_a_waiting_migration_waits_less_than_five_seconds(app: Flask, folder: Path) -> None:
    with migrating_beside_a_long_reader(app, folder) as other:
        assert other.execute("SELECT count(*) FROM orders").fetchone() == (0,)

    assert "later_count" in {column["name"] for column in inspect(db.engine).get_columns("orders")}


def test_control_without_its_short_patience_everybody_waits_behind_it(app: Flask, folder: Path) -> None:
    environment = folder / "env.py"
    environment.write_text(environment.read_text().replace('LONGEST_WAIT = "3s"', 'LONGEST_WAIT = "0"'))

    with migrating_beside_a_long_reader(app, folder) as other, pytest.raises(psycopg.errors.QueryCanceled):
        other.execute("SELECT count(*) FROM orders")
