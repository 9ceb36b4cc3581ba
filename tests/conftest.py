"""One migrated database per worker, emptied between tests; a clock and rate limits that tests control."""

import gc
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from app import clock, create_app
from app.accounts.passwords import ARGON2_OPTIONS
from app.config import Settings, forget_settings, load_settings
from app.db import Base, db
from app.extensions import limiter
from app.sandbox.config import SandboxConfig
from app.sandbox.server import ServerThread
from tests.databases import DATABASE, make_database_url, make_folder
from tests.stripe_contract import list_violations

os.environ["APP_ENV"] = "test"
# A busy machine is no fault of the code: Hypothesis's own limits are times by the wall clock.
hypothesis_settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("untimed")
# What a hash costs is meant for thieves of the database; it was a tenth of what tests with people cost.
PRODUCT_ARGON2_OPTIONS = dict(ARGON2_OPTIONS)
ARGON2_OPTIONS.update({"argon2__memory_cost": 64, "argon2__time_cost": 1})
# Filled by the migration and never changed by the shop.
KEPT_TABLES = {"roles", "invoice_counters"}
HAS_ROWS = "SELECT '{0}' WHERE EXISTS (SELECT 1 FROM \"{0}\")"
# A sequence that was never used has no last value.
RESTART_SEQUENCES = """
    SELECT setval(oid, 1, false) FROM pg_class WHERE CASE WHEN relkind = 'S' AND relname <> 'roles_id_seq'
    THEN pg_sequence_last_value(oid) IS NOT NULL END
"""
# What stands between a test and the suite's database.
DATABASE_FIXTURES = {"settings", "running_shop"}
DATABASE_MARKERS = {"journey", "simulation", "crash"}


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was imported and collected lives to the end: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


class MovableClock:
    """Real time plus what a test has moved it by, or a moment it froze."""

    def __init__(self) -> None:
        self.offset = timedelta()
        self.frozen: datetime | None = None

    def __call__(self) -> datetime:
        return self.frozen or datetime.now(UTC) + self.offset

    def advance(self, **span: float) -> None:
        self.offset += timedelta(**span)
        if self.frozen is not None:
            self.frozen += timedelta(**span)

    def freeze(self, moment: datetime) -> None:
        self.frozen = moment


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL leave out what reaches no database (money, Markdown, settings ...): it is the same test as on SQLite."""
    if DATABASE == "sqlite":
        return
    reaching = [item for item in items if _reaches_database(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(reaching)])
    items[:] = reaching


def _reaches_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    return bool(fixtures & DATABASE_FIXTURES) or any(item.get_closest_marker(name) for name in DATABASE_MARKERS)


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[ServerThread]:
    """The worker's sandbox, where nothing happens by itself; it records what it says for Stripe's contract."""
    folder = make_folder()
    config = SandboxConfig(
        port=0, database=folder / "sandbox.sqlite", traffic=folder / "traffic.jsonl", webhook_url="", background=False
    )
    server = ServerThread(config)
    yield server
    server.stop()
    assert list_violations(folder / "traffic.jsonl") == []


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory, sandbox_server: ServerThread) -> Settings:
    folder: Path = tmp_path_factory.mktemp("instance")
    return replace(
        load_settings(folder),
        app_env="test",
        database_url=make_database_url(folder),
        public_url="http://localhost",
        stripe_webhook_secrets=("whsec_" + "t" * 32,),
        stripe_api_base=sandbox_server.url,
    )


@pytest.fixture(scope="session")
def migrated_app(settings: Settings) -> Iterator[Flask]:
    application = create_app(settings)
    with application.app_context():
        upgrade()
        yield application
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def app(migrated_app: Flask) -> Iterator[Flask]:
    """The application over an empty database, inside an application context."""
    limiter.reset()
    yield migrated_app
    db.session.rollback()
    empty_database()
    db.session.remove()
    forget_settings()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def moving_clock() -> Iterator[MovableClock]:
    source = MovableClock()
    clock.set_source(source)
    yield source
    clock.set_source(None)


def empty_database() -> None:
    """Back to how the migrations left it, ids included.

    Asks first which tables hold a row and which sequences were used: most tests touch a few of forty, and emptying all
    of them costs PostgreSQL more than most tests do.
    """
    tables = [table.name for table in reversed(Base.metadata.sorted_tables) if table.name not in KEPT_TABLES]
    with db.engine.connect().execution_options(is_write=True) as connection, connection.begin():
        run = connection.exec_driver_sql
        with_rows = set(run(" UNION ALL ".join(HAS_ROWS.format(table) for table in tables)).scalars())
        for table in tables:
            if table in with_rows:
                run(f'DELETE FROM "{table}"')
        if DATABASE == "postgresql":
            run(RESTART_SEQUENCES)
        run("UPDATE invoice_counters SET last_number = 1000 WHERE last_number <> 1000")
