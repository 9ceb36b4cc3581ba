"""One migrated database per worker, emptied between tests; a clock and rate limits that tests control."""

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
from sqlalchemy import text

from app import clock, create_app
from app.config import Settings, load_settings
from app.db import Base, db
from app.extensions import limiter
from app.sandbox.config import SandboxConfig
from app.sandbox.server import ServerThread
from tests.databases import DATABASE, make_database_url
from tests.stripe_contract import list_violations

os.environ["APP_ENV"] = "test"
# A busy machine is no fault of the code: Hypothesis's own limits are times by the wall clock.
hypothesis_settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("untimed")
# Filled by the migration and never changed by the shop.
KEPT_TABLES = {"roles", "invoice_counters"}


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


@pytest.fixture(scope="session")
def sandbox_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    """The worker's sandbox, where nothing happens by itself; it records what it says for Stripe's contract."""
    folder = tmp_path_factory.mktemp("sandbox")
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
    """Back to how the migrations left it."""
    tables = [table for table in reversed(Base.metadata.sorted_tables) if table.name not in KEPT_TABLES]
    with db.engine.connect().execution_options(is_write=True) as connection, connection.begin():
        if DATABASE == "sqlite":
            for table in tables:
                connection.execute(table.delete())
        else:
            names = ", ".join(f'"{table.name}"' for table in tables)
            connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
        connection.execute(text("UPDATE invoice_counters SET last_number = 1000"))
