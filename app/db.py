"""The database's ground rules: Base, UTC times, transaction(), insert_once(), and SQLite made safe.

Reads happen in the session's own read transaction; every write happens inside transaction(), which on SQLite takes the
write lock at once. A read that turns into a write later would fail with "database is locked" in spite of the timeout
if another writer came between (tried, payments.md section 0.1, hole 9).
"""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, Dialect, MetaData, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from app.errors import AppError

ID_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
ID_LENGTH = 22  # 128 bits in base 58
LOCK_WAIT_SECONDS = 5
CONFLICT_ATTEMPTS = 5
# serialization_failure, deadlock_detected, lock_not_available
POSTGRESQL_CONFLICTS = frozenset({"40001", "40P01", "55P03"})

# Why nothing may be written now; None where it may. Whoever sets it answers for taking it away again.
_refusal: ContextVar[AppError | None] = ContextVar("refusal", default=None)

P = ParamSpec("P")
R = TypeVar("R")


class Base(DeclarativeBase):
    """Every model's base. Constraints are named so that migrations can drop them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(
    model_class=Base,
    session_options={"expire_on_commit": False},
)


class UTCDateTime(TypeDecorator[datetime]):
    """A moment. Refuses naive datetimes going in; always timezone-aware UTC coming out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored: take the time from app.clock")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class DatabaseBusy(AppError):
    """Somebody else held SQLite's write lock for longer than we wait; nothing was written."""

    code = "database_busy"
    status = 503
    title = "We’re busy for a moment"
    sentence = "Nothing was lost. Try again in a few seconds."
    retry_after_seconds = 5


class NestedTransaction(RuntimeError):
    """transaction() was opened inside transaction(): the inner function is not a use case of its own."""


def make_public_id(prefix: str) -> str:
    """A random, unguessable id for the outside: "ord_" and 22 characters (128 bits)."""
    return f"{prefix}_" + "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))


def refuse_writes(refusal: AppError | None) -> None:
    """From here on transaction() raises this refusal in place of writing; None lets it write again."""
    _refusal.set(refusal)


def in_transaction() -> bool:
    """Whether a transaction() is open in this context; the gateway refuses the network then."""
    return bool(db.session().info.get("is_writing"))


def after_commit(action: Callable[[], None]) -> None:
    """Run action once the open transaction() has committed; never when it rolls back."""
    if not in_transaction():
        raise RuntimeError("after_commit() belongs inside transaction()")
    db.session().info["after_commit"].append(action)


@contextmanager
def transaction() -> Iterator[Session]:
    """One write: commits at the end, rolls back on any exception, then runs what after_commit() collected.

    Takes SQLite's write lock at the start and waits for it; refuses to nest; must hold no network call. Rows read
    before it may be stale: read again what you change. Pair it with retry_conflicts: PostgreSQL may find a deadlock.
    """
    refusal = _refusal.get()
    if refusal is not None:
        raise refusal
    session: Session = db.session()
    if session.info.get("is_writing"):
        raise NestedTransaction("transaction() inside transaction()")
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("rows were changed outside transaction()")
    # Ends the read transaction, so that what follows reads the present state; forgets what was read before.
    session.rollback()
    _begin_write(session)
    session.info["is_writing"] = True
    actions: list[Callable[[], None]] = []
    session.info["after_commit"] = actions
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info["is_writing"] = False
        session.info["after_commit"] = []
    for action in actions:
        action()


def hold_snapshot() -> None:
    """Let everything read in the transaction() just begun be of one moment; on SQLite it is, for nobody else writes."""
    session = db.session()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


def _begin_write(session: Session) -> None:
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            session.connection(execution_options={"is_write": True})
        except OperationalError as error:
            session.rollback()
            if not is_conflict(error):
                raise
            if time.monotonic() > deadline:
                raise DatabaseBusy from error
        else:
            return


def is_conflict(error: DBAPIError) -> bool:
    """Whether the database refused only because of someone else's work at the same time."""
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state in POSTGRESQL_CONFLICTS
    return "database is locked" in str(error.orig) or "database table is locked" in str(error.orig)


def retry_conflicts(function: Callable[P, R]) -> Callable[P, R]:
    """Call the use case again when its transaction lost against another (deadlock, serialization, lock).

    A with block cannot run twice, so the whole function does: what it does outside its transaction must be repeatable.
    """

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, CONFLICT_ATTEMPTS + 1):
            try:
                return function(*args, **kwargs)
            except DBAPIError as error:
                if attempt == CONFLICT_ATTEMPTS or not is_conflict(error):
                    raise
                time.sleep(secrets.randbelow(50 * attempt) / 1000)
        raise AssertionError("unreachable")

    return wrapper


def insert_once(model: type[Base], values: dict[str, Any], *, unique: Sequence[str]) -> int | str | None:
    """Insert a row unless one with the same unique columns is there; the database decides.

    Returns the new row's primary key, or None when it was there before. Call it inside transaction().
    """
    session = db.session()
    dialect = session.get_bind().dialect.name
    primary_key = next(iter(model.__table__.primary_key))
    dialect_insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    statement = dialect_insert(model).values(**values).on_conflict_do_nothing(index_elements=list(unique))
    found: int | str | None = session.execute(statement.returning(primary_key)).scalar_one_or_none()
    return found


def init_app(app: Flask) -> None:
    """Bind the database to the app and make SQLite durable and honest about locks."""
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)


def prepare_engine(engine: Engine) -> None:
    """What every engine needs before its first connection, also one beside the app's own."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "do_connect", _open_what_is_there)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)


def _open_what_is_there(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
    """Never make a database: where the file is away for a moment, an empty one would hide it for good (F30).

    Only the migrations make one.
    """
    path = str(arguments[0])
    if path != ":memory:":
        arguments[0] = f"file:{quote(path)}?mode=rw"
        options["uri"] = True


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # Without this the driver opens transactions by itself, too late and too weak (see the module's head).
    connection.isolation_level = None
    cursor = connection.cursor()
    # FULL: an event answered 2xx must survive a power cut (R1); NORMAL may lose the last commits in WAL mode.
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={LOCK_WAIT_SECONDS * 1000}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    is_write = connection.get_execution_options().get("is_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")
