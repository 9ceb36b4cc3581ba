"""Where the runs happen: a database and an instance folder that go back to empty, the outside, the shop imported once."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import make_url, text

from app import create_app
from app.config import PROJECT_ROOT, SANDBOX_SECRET_KEY, Settings, load_settings
from app.db import Base, db
from tests import databases
from tests.crash_points.children import run_child

WEBHOOK_SECRET = "whsec_" + "c" * 32
KEPT_TABLES = {"roles", "invoice_counters"}
SQLITE_FILES = ("tuition.sqlite", "queue.sqlite")


class World:
    """A shop of its own in a folder. This process never connects to its database: only its forks do."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.database = database
        self.instance = folder / "instance"
        self.letters = folder / "letters"
        self.log = folder / "children.log"
        self._outside = subprocess.Popen(
            [sys.executable, "-m", "tests.crash_points.outside", str(folder)],
            cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._outside.stdout is not None
        self.ports: dict[str, int] = json.loads(self._outside.stdout.readline())
        databases.DATABASE = database
        url = databases.make_database_url(self._make_instance(), f"crash_points_{os.getpid()}")
        self.settings = replace(
            load_settings(self.instance),
            # Not "test": there the shop has no queue, and its steps are crash points too.
            app_env="demo",
            database_url=url if database == "postgresql" else f"sqlite:///{self.instance / SQLITE_FILES[0]}",
            public_url="http://localhost",
            redis_url=None,
            stripe_secret_key=SANDBOX_SECRET_KEY,
            stripe_webhook_secrets=(WEBHOOK_SECRET,),
            stripe_api_base=f"http://127.0.0.1:{self.ports['stripe']}",
            mail_url=f"smtp://127.0.0.1:{self.ports['mail']}",
            reconcile_interval_seconds=900,
        )
        self.app = create_app(self.settings)
        run_child(self._migrate, log=self.log)
        self._keep_empty_files()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._outside.stdin is not None
        self._outside.stdin.close()
        self._outside.wait(10)
        if self.database == "postgresql":
            self._drop_database()

    def make_app(self, **changes: Any) -> Flask:
        """The shop with other settings; for a child."""
        settings: Settings = replace(self.settings, **changes)
        return create_app(settings)

    def empty(self) -> None:
        """Before a run: nothing bought, nothing mailed, nothing queued."""
        for path in [*self.letters.glob("*"), *(self.instance / "mail").glob("*")]:
            path.unlink()
        if self.database == "sqlite":
            for name in SQLITE_FILES:
                for end in ("-wal", "-shm"):
                    (self.instance / f"{name}{end}").unlink(missing_ok=True)
                shutil.copyfile(self.folder / "empty" / name, self.instance / name)

    def empty_tables(self) -> None:
        """The part of empty() for PostgreSQL, which only a child can do."""
        if self.database == "sqlite":
            return
        self.app.extensions["huey"].flush()
        tables = [table for table in reversed(Base.metadata.sorted_tables) if table.name not in KEPT_TABLES]
        with db.engine.begin() as connection:
            for table in tables:
                connection.execute(table.delete())
            connection.execute(text("UPDATE invoice_counters SET last_number = 1000"))

    def _drop_database(self) -> None:
        url = make_url(self.settings.database_url)
        server = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{url.database}" WITH (FORCE)')

    def _make_instance(self) -> Path:
        self.instance.mkdir()
        return self.instance

    def _migrate(self, _diary: object) -> None:
        with self.app.app_context():
            upgrade()
            db.session.remove()
            db.engine.dispose()

    def _keep_empty_files(self) -> None:
        if self.database != "sqlite":
            return
        (self.folder / "empty").mkdir()
        for name in SQLITE_FILES:
            assert not (self.instance / f"{name}-wal").exists(), "a file with a log beside it is no whole database"
            shutil.copyfile(self.instance / name, self.folder / "empty" / name)
