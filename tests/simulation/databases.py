"""The shop's database from outside: put back to how a seed finds it, locked against the shop, read by plain SQL."""

import math
import shutil
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.databases import start_postgresql

Row = dict[str, Any]
LOCKED_TABLES = "orders, stripe_events"


def _select(table: str) -> str:
    return f"SELECT * FROM {table} ORDER BY 1"


class Database(ABC):
    """One database that many seeds use one after the other."""

    url: str

    @abstractmethod
    def keep(self) -> None:
        """Remember the present state. Nobody may be connected."""

    @abstractmethod
    def put_back(self) -> None:
        """Return to the state that was kept. Nobody may be connected."""

    @abstractmethod
    def execute(self, statement: str) -> list[Row]:
        """One statement of our own, committed."""

    @abstractmethod
    def tables(self, names: Sequence[str]) -> dict[str, list[Row]]:
        """Every row of these tables, by one connection: opening one reads the whole schema."""

    @abstractmethod
    def lock(self) -> Iterator[None]:
        """Hold the shop's writers off for as long as the context lasts."""

    def table(self, name: str) -> list[Row]:
        return self.tables([name])[name]


class Sqlite(Database):
    """A file beside its copy, and the queue's file beside its own."""

    def __init__(self, folder: Path) -> None:
        self._files = (folder / "shop.sqlite", folder / "queue.sqlite")
        self.url = f"sqlite:///{self._files[0]}"

    def keep(self) -> None:
        for file in self._files:
            with sqlite3.connect(file) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
            shutil.copyfile(file, self._kept(file))

    def put_back(self) -> None:
        for file in self._files:
            for ending in ("-wal", "-shm"):
                Path(f"{file}{ending}").unlink(missing_ok=True)
            shutil.copyfile(self._kept(file), file)

    def execute(self, statement: str) -> list[Row]:
        with self._connect() as connection:
            return [dict(row) for row in connection.execute(statement)]

    def tables(self, names: Sequence[str]) -> dict[str, list[Row]]:
        with self._connect() as connection:
            return {name: [dict(row) for row in connection.execute(_select(name))] for name in names}

    @contextmanager
    def lock(self) -> Iterator[None]:
        connection = sqlite3.connect(self._files[0], timeout=30, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
            yield
        finally:
            connection.close()

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._files[0], timeout=30, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            yield connection
        finally:
            connection.close()

    @staticmethod
    def _kept(file: Path) -> Path:
        return file.with_suffix(".kept")


class Postgresql(Database):
    """A database made anew from a template for each seed, in a cluster that lies in memory where there is some."""

    def __init__(self, name: str) -> None:
        self._server = start_postgresql()
        self._name = f"simulation_{name}"
        self._template = f"simulation_{name}_kept"
        self._recreate("template1")
        self._uri = self._server.get_uri(self._name)
        self.url = self._uri.replace("postgresql://", "postgresql+psycopg://", 1)

    def keep(self) -> None:
        with self._administer() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{self._template}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{self._template}" TEMPLATE "{self._name}"')

    def put_back(self) -> None:
        self._recreate(self._template)

    def execute(self, statement: str) -> list[Row]:
        with psycopg.connect(self._uri, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement)
            return list(cursor) if cursor.description else []

    def tables(self, names: Sequence[str]) -> dict[str, list[Row]]:
        with psycopg.connect(self._uri, autocommit=True, row_factory=dict_row) as connection:
            return {name: list(connection.execute(_select(name))) for name in names}

    @contextmanager
    def lock(self) -> Iterator[None]:
        with psycopg.connect(self._uri) as connection:
            connection.execute(f"LOCK TABLE {LOCKED_TABLES} IN ACCESS EXCLUSIVE MODE")
            yield

    def _recreate(self, template: str) -> None:
        with self._administer() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{self._name}" TEMPLATE "{template}"')

    def _administer(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._server.get_uri("postgres"), autocommit=True)


class Lock:
    """A lock that lasts some seconds while others go on. began and ended are monotonic seconds, ended inf while held."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._database = database
        self._seconds = seconds
        self._is_settled = threading.Event()
        self.began = time.monotonic()
        self.ended = math.inf
        self._thread = threading.Thread(target=self._hold, daemon=True)
        self._thread.start()
        self._is_settled.wait(10)

    def wait(self) -> None:
        self._thread.join()

    def _hold(self) -> None:
        try:
            with self._database.lock():
                self._is_settled.set()
                time.sleep(self._seconds)
        finally:
            self.ended = time.monotonic()
            self._is_settled.set()
