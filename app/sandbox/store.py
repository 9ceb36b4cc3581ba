"""Where the sandbox remembers: one SQLite file that survives a kill at any moment.

Every change is one short `BEGIN IMMEDIATE` transaction, so an object, the events it causes, their deliveries and the
answer kept for an idempotency key are all there or none of them. One lock in this process hands out the right to write
in order of asking, which is quicker and fairer than SQLite's own waiting. WAL with synchronous=NORMAL: a killed process
loses nothing (a power cut may lose the last moments, which no stand-in for Stripe has to survive). Where speed matters
more, the file may go without waiting for the disk at all, or the whole store may live in memory and end with it.
"""

import json
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.sandbox.clock import Clock
from app.sandbox.documents import Document

IN_MEMORY = ":memory:"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, object TEXT NOT NULL, created INTEGER NOT NULL,
    json TEXT NOT NULL, private TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS objects_kind ON objects (object, seq);
CREATE INDEX IF NOT EXISTS objects_payment ON objects (object, json_extract(json, '$.payment_intent'));
CREATE INDEX IF NOT EXISTS objects_charge ON objects (object, json_extract(json, '$.charge'));
CREATE INDEX IF NOT EXISTS objects_customer ON objects (object, json_extract(json, '$.customer'));
CREATE INDEX IF NOT EXISTS objects_lookup ON objects (object, json_extract(json, '$.lookup_key'));
CREATE TABLE IF NOT EXISTS idempotency_keys (
    key TEXT PRIMARY KEY, address TEXT NOT NULL, digest TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
    request_id TEXT NOT NULL, created INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS idempotency_keys_age ON idempotency_keys (created);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL, endpoint_id TEXT NOT NULL, type TEXT NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL, last_status INTEGER,
    last_error TEXT, created REAL NOT NULL, delivered_at REAL);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, next_at);
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event_id);
CREATE TABLE IF NOT EXISTS levers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, settings TEXT NOT NULL, remaining INTEGER);
CREATE TABLE IF NOT EXISTS timers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, due_at REAL NOT NULL, action TEXT NOT NULL, object_id TEXT NOT NULL,
    settings TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS timers_due ON timers (due_at);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_KEPT_SETTINGS = ("account_id", "clock_offset_seconds")
_TABLES = ("objects", "idempotency_keys", "deliveries", "levers", "timers")


@dataclass(frozen=True)
class Cause:
    """The API request that a change comes from; both None for what happens by itself."""

    request_id: str | None = None
    idempotency_key: str | None = None


@dataclass
class Transaction:
    """One consistent view, and in a write the only one that changes anything."""

    connection: sqlite3.Connection
    clock: Clock
    cause: Cause = field(default_factory=Cause)
    events: list[Document] = field(default_factory=list)  # emitted here, told to others once committed

    def now(self) -> int:
        """The sandbox's time in whole seconds."""
        return self.clock.now()

    def precise_now(self) -> float:
        return self.clock.precise_now()

    def rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        return self.connection.execute(statement, values).fetchall()

    def row(self, statement: str, *values: object) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self.connection.execute(statement, values).fetchone()
        return found

    def run(self, statement: str, *values: object) -> int:
        """Executes and gives the number of changed rows."""
        return self.connection.execute(statement, values).rowcount

    def insert_row(self, statement: str, *values: object) -> int:
        """Executes and gives the new row's number."""
        return self.connection.execute(statement, values).lastrowid or 0

    def insert(self, document: Document, private: Document | None = None) -> Document:
        """A new object. `private` is what the sandbox knows of it and Stripe never shows."""
        self.run(
            "INSERT INTO objects (id, object, created, json, private) VALUES (?, ?, ?, ?, ?)",
            document["id"],
            document["object"],
            document.get("created", 0),
            json.dumps(document),
            json.dumps(private or {}),
        )
        return document

    def save(self, document: Document) -> Document:
        self.run("UPDATE objects SET json = ? WHERE id = ?", json.dumps(document), document["id"])
        return document

    def find(self, kind: str, identifier: str) -> Document | None:
        row = self.row("SELECT json FROM objects WHERE id = ? AND object = ?", identifier, kind)
        return None if row is None else _load(row["json"])

    def get(self, kind: str, identifier: str) -> Document:
        """For an id that one of our own objects names. Raises LookupError if the state is broken."""
        found = self.find(kind, identifier)
        if found is None:
            raise LookupError(f"{kind} {identifier} is gone")
        return found

    def private(self, identifier: str) -> Document:
        row = self.row("SELECT private FROM objects WHERE id = ?", identifier)
        return {} if row is None else _load(row["private"])

    def save_private(self, identifier: str, private: Document) -> None:
        self.run("UPDATE objects SET private = ? WHERE id = ?", json.dumps(private), identifier)

    def where(self, kind: str, field_name: str, value: object) -> list[Document]:
        """All objects of a kind whose field equals the value, oldest first."""
        return [
            _load(row["json"])
            for row in self.rows(
                f"SELECT json FROM objects WHERE object = ? AND json_extract(json, '$.{field_name}') = ? ORDER BY seq",  # noqa: S608 (field names are ours)
                kind,
                value,
            )
        ]

    def delete(self, identifier: str) -> None:
        self.run("DELETE FROM objects WHERE id = ?", identifier)

    def setting(self, name: str) -> str | None:
        row = self.row("SELECT value FROM settings WHERE name = ?", name)
        return None if row is None else str(row["value"])

    def save_setting(self, name: str, value: str) -> None:
        self.run("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", name, value)

    @contextmanager
    def undone_on_error(self) -> Iterator[None]:
        """What fails inside leaves no trace; the transaction around it goes on."""
        self.connection.execute("SAVEPOINT attempt")
        before = len(self.events)
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK TO attempt")
            del self.events[before:]
            raise
        finally:
            self.connection.execute("RELEASE attempt")


class Store:
    """The file, a few open connections to it, its clock, and who wants to hear of committed events.

    The path `:memory:` keeps everything in this process, in one connection that is used by one thread at a time.
    """

    def __init__(self, path: Path, *, is_durable: bool = True) -> None:
        self._is_in_memory = str(path) == IN_MEMORY
        if not self._is_in_memory:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._synchronous = "NORMAL" if is_durable else "OFF"
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue(maxsize=16)
        self._writing = threading.Lock()
        self._only = threading.Lock()
        self.clock = Clock()
        self.listeners: list[Callable[[list[Document]], None]] = []
        with self._connection() as connection:
            connection.executescript(_SCHEMA)
        with self.read() as transaction:
            self.clock.offset_seconds = float(transaction.setting("clock_offset_seconds") or 0.0)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """One snapshot for all that is read inside."""
        with self._connection() as connection:
            connection.execute("BEGIN")
            try:
                yield Transaction(connection, self.clock)
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def write(self, cause: Cause | None = None) -> Iterator[Transaction]:
        """Commits at the end, rolls back on any error; then tells the listeners what was emitted."""
        with self._connection() as connection:
            transaction = Transaction(connection, self.clock, cause or Cause())
            with self._writing:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield transaction
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
                # Still under the lock, so that listeners hear of events in the order of their commits.
                for listener in self.listeners if transaction.events else ():
                    listener(transaction.events)

    def move_clock_to(self, at: float) -> None:
        """Makes it that time (seconds since the epoch), for good. A time that has passed already changes nothing."""
        with self.write() as transaction:
            offset = max(self.clock.offset_seconds, at - time.time())
            transaction.save_setting("clock_offset_seconds", repr(offset))
            self.clock.offset_seconds = offset

    def restore_clock(self) -> None:
        """Back to the machine's time. What was made meanwhile keeps its times, so this belongs after a reset."""
        with self.write() as transaction:
            transaction.save_setting("clock_offset_seconds", "0.0")
            self.clock.offset_seconds = 0.0

    def reset(self) -> None:
        """Forgets everything but the account's id and how far the clock was moved."""
        with self.write() as transaction:
            for table in _TABLES:
                transaction.run(f"DELETE FROM {table}")  # noqa: S608 (names from the tuple above)
            transaction.run("DELETE FROM settings WHERE name NOT IN (?, ?)", *_KEPT_SETTINGS)

    def close(self) -> None:
        while not self._idle.empty():
            self._idle.get_nowait().close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        if self._is_in_memory:
            with self._only, self._pooled() as connection:
                yield connection
        else:
            with self._pooled() as connection:
                yield connection

    @contextmanager
    def _pooled(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._open()
        try:
            yield connection
        finally:
            try:
                self._idle.put_nowait(connection)
            except queue.Full:
                connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={self._synchronous}")
        return connection


def _load(text: str) -> Document:
    loaded: dict[str, Any] = json.loads(text)
    return loaded
