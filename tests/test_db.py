"""The database's ground rules, on the suite's database; what only SQLite needs is asked of SQLite."""

import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text, update
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import IntegrityError, OperationalError

from app import clock, queue
from app.catalog.models import Category
from app.checkout.models import Finding
from app.db import (
    CONFLICT_ATTEMPTS,
    DatabaseBusy,
    NestedTransaction,
    UTCDateTime,
    after_commit,
    db,
    in_transaction,
    insert_once,
    is_conflict,
    make_public_id,
    retry_conflicts,
    transaction,
)
from tests.databases import DATABASE

PATIENCE_SECONDS = 30
only_sqlite = pytest.mark.skipif(DATABASE != "sqlite", reason="a rule of SQLite's")


def add_category(slug: str, *, position: int = 0) -> None:
    db.session().add(Category(slug=slug, name=slug, position=position))


def slugs() -> list[str]:
    """Read back on a connection that knows nothing of the session's."""
    with db.engine.connect() as connection:
        return sorted(connection.execute(select(Category.slug)).scalars())


def in_thread(app: Flask, function: Any) -> threading.Thread:
    def run() -> None:
        with app.app_context():
            try:
                function()
            finally:
                db.session.remove()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


# Times


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="naive datetime"):
        UTCDateTime().process_bind_param(datetime(2026, 1, 1), DefaultDialect())  # noqa: DTZ001 - naive on purpose


def test_a_time_of_another_zone_comes_back_as_the_same_moment_in_utc(app: Flask) -> None:
    moment = datetime(2026, 3, 1, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    with transaction() as session:
        session.add(Finding(key="k", kind="test", detail="", created_at=moment))

    db.session.remove()
    found = db.session.scalars(select(Finding.created_at)).one()

    assert (found, found.tzinfo) == (datetime(2026, 3, 2, 4, 30, tzinfo=UTC), UTC)


def test_an_absent_time_stays_absent(app: Flask) -> None:
    with transaction() as session:
        session.add(Finding(key="k", kind="test", detail="", created_at=clock.now()))

    db.session.remove()

    assert db.session.scalars(select(Finding.resolved_at)).one() is None


# Transactions


def test_a_block_that_ends_commits(app: Flask) -> None:
    with transaction():
        add_category("kept")
        assert in_transaction()

    assert slugs() == ["kept"]
    assert not in_transaction()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_raises_keeps_nothing_and_runs_nothing(app: Flask, error: type[BaseException]) -> None:
    ran: list[str] = []

    def fail() -> None:
        with transaction():
            add_category("lost")
            db.session.flush()
            after_commit(lambda: ran.append("sent"))
            raise error

    with pytest.raises(error):
        fail()

    assert (slugs(), ran, in_transaction()) == ([], [], False)
    with transaction():
        add_category("next")
    assert (slugs(), ran) == (["next"], [])


def test_a_transaction_refuses_to_nest_and_the_outer_one_is_lost_with_it(app: Flask) -> None:
    def nest() -> None:
        with transaction():
            add_category("outer")
            with transaction():
                add_category("inner")

    with pytest.raises(NestedTransaction):
        nest()

    assert slugs() == []


def test_rows_changed_outside_a_transaction_are_refused(app: Flask) -> None:
    add_category("stray")

    with pytest.raises(RuntimeError, match="outside transaction"), transaction():
        pass

    db.session.rollback()
    assert slugs() == []


def test_actions_run_after_the_commit_in_their_order(app: Flask) -> None:
    seen: list[tuple[str, list[str], bool]] = []

    with transaction():
        add_category("row")
        after_commit(lambda: seen.append(("first", slugs(), in_transaction())))
        after_commit(lambda: seen.append(("second", slugs(), in_transaction())))
        db.session.flush()
        assert seen == []

    assert seen == [("first", ["row"], False), ("second", ["row"], False)]


def test_after_commit_outside_a_transaction_is_a_mistake(app: Flask) -> None:
    with pytest.raises(RuntimeError, match="inside transaction"):
        after_commit(lambda: None)


def test_a_transaction_reads_what_others_have_committed_meanwhile(app: Flask) -> None:
    with transaction():
        add_category("a", position=1)
    assert db.session.scalars(select(Category.position)).one() == 1

    def change() -> None:
        with transaction() as session:
            session.execute(update(Category).values(position=2))

    in_thread(app, change).join(PATIENCE_SECONDS)

    with transaction() as session:
        assert session.scalars(select(Category.position)).one() == 2


# Inserting once


def test_insert_once_gives_the_key_and_then_none(app: Flask) -> None:
    values = {"key": "k", "kind": "test", "detail": "first", "created_at": clock.now()}

    with transaction():
        first = insert_once(Finding, values, unique=["key"])
        second = insert_once(Finding, {**values, "detail": "second"}, unique=["key"])

    assert (isinstance(first, int), second) == (True, None)
    assert db.session.scalars(select(Finding.detail)).all() == ["first"]


def test_insert_once_hides_no_other_violation(app: Flask) -> None:
    values = {"key": "k", "kind": None, "detail": "", "created_at": clock.now()}

    with pytest.raises(IntegrityError), transaction():
        insert_once(Finding, values, unique=["key"])


def test_public_ids_have_128_bits_and_no_letters_that_look_alike() -> None:
    ids = {make_public_id("ord") for _ in range(1000)}

    assert len(ids) == 1000
    assert all(len(each) == len("ord_") + 22 and not set(each[4:]) & set("0OIl") for each in ids)


# Conflicts


def make_conflict() -> OperationalError:
    return OperationalError("UPDATE", {}, sqlite3.OperationalError("database is locked"))


def test_a_lost_conflict_is_tried_again_and_a_mistake_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.db.time.sleep", lambda _seconds: None)
    tries: list[int] = []

    @retry_conflicts
    def lose_twice() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise make_conflict()
        return "done"

    assert (lose_twice(), len(tries)) == ("done", 3)

    @retry_conflicts
    def lose_always() -> None:
        tries.append(1)
        raise make_conflict()

    tries.clear()
    with pytest.raises(OperationalError):
        lose_always()
    assert len(tries) == CONFLICT_ATTEMPTS

    @retry_conflicts
    def be_wrong() -> None:
        tries.append(1)
        raise OperationalError("SELECT", {}, sqlite3.OperationalError("no such table: x"))

    tries.clear()
    with pytest.raises(OperationalError):
        be_wrong()
    assert len(tries) == 1


@pytest.mark.parametrize(
    ("sqlstate", "answer"), [("40001", True), ("40P01", True), ("55P03", True), ("23505", False), ("57014", False)]
)
def test_postgresql_conflicts_are_told_by_their_codes(sqlstate: str, *, answer: bool) -> None:
    original = Exception("whatever the text says")
    original.sqlstate = sqlstate  # type: ignore[attr-defined]

    assert is_conflict(OperationalError("UPDATE", {}, original)) is answer


def test_two_read_then_write_transactions_lose_no_update(app: Flask) -> None:
    """F32: a read that becomes a write while another writer commits in between."""
    with transaction():
        add_category("counter", position=0)
    start = threading.Barrier(4)
    errors: list[BaseException] = []

    @retry_conflicts
    def add_one() -> None:
        with transaction() as session:
            row = session.scalars(select(Category).with_for_update()).one()
            row.position += 1

    def work() -> None:
        # A read before it, as a page's first query would be.
        db.session.scalars(select(Category.position)).one()
        start.wait(PATIENCE_SECONDS)
        try:
            for _ in range(5):
                add_one()
        except BaseException as error:
            errors.append(error)
            raise

    threads = [in_thread(app, work) for _ in range(4)]
    for thread in threads:
        thread.join(PATIENCE_SECONDS)

    assert errors == []
    db.session.rollback()
    assert db.session.scalars(select(Category.position)).one() == 20


@only_sqlite
def test_control_without_begin_immediate_the_upgrade_fails_at_once(app: Flask) -> None:
    with transaction():
        add_category("counter", position=0)
    reader = db.engine.connect()
    reader.execute(select(Category.position)).one()
    with transaction() as session:
        session.execute(update(Category).values(position=5))

    with pytest.raises(OperationalError, match="database is locked"):
        reader.execute(update(Category).values(position=1))

    reader.close()
    assert db.session.scalars(select(Category.position)).one() == 5


@only_sqlite
def test_sqlite_is_durable_checks_keys_and_waits(app: Flask) -> None:
    with db.engine.connect() as connection:

        def ask(pragma: str) -> Any:
            return connection.execute(text(f"PRAGMA {pragma}")).scalar_one()

        # 2 is FULL: what was answered 2xx must survive a power cut (F36).
        assert ask("synchronous") == 2
        assert ask("journal_mode") == "wal"
        assert ask("foreign_keys") == 1
        assert ask("busy_timeout") == 5000


def test_a_writer_waits_while_another_holds_the_lock(app: Flask) -> None:
    with transaction():
        add_category("row", position=0)
    has_begun, may_end = threading.Event(), threading.Event()
    order: list[str] = []

    def hold() -> None:
        with transaction() as session:
            session.execute(update(Category).values(position=Category.position + 1))
            has_begun.set()
            assert may_end.wait(PATIENCE_SECONDS)
            order.append("first")

    def follow() -> None:
        may_end.set()
        with transaction() as session:
            session.execute(update(Category).values(position=Category.position * 10))
            order.append("second")

    holder = in_thread(app, hold)
    assert has_begun.wait(PATIENCE_SECONDS)
    follower = in_thread(app, follow)
    for thread in (holder, follower):
        thread.join(PATIENCE_SECONDS)

    assert order == ["first", "second"]
    db.session.rollback()
    assert db.session.scalars(select(Category.position)).one() == 10


@only_sqlite
def test_a_lock_that_stays_is_an_error_and_keeps_nothing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.db.LOCK_WAIT_SECONDS", 0)
    path = Path(str(db.engine.url.database))
    db.session.remove()
    # One connection, so that it is the one whose patience is short.
    db.engine.dispose()
    db.session.execute(text("PRAGMA busy_timeout=10"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(DatabaseBusy) as refused, transaction():
        add_category("never")

    assert (refused.value.status, refused.value.retry_after_seconds) == (503, 5)
    # Readers are not held up by a writer.
    assert slugs() == []
    other.execute("ROLLBACK")
    other.close()
    db.session.remove()
    db.engine.dispose()
    with transaction():
        add_category("later")
    assert slugs() == ["later"]


# Work that follows a commit


def test_a_queue_that_is_down_undoes_nothing_that_was_committed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str, _arguments: list[int]) -> None:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setitem(app.config, "QUEUE_IS_OFF", False)
    monkeypatch.setitem(app.extensions, "huey_run_task", refuse)

    with transaction():
        add_category("kept")
        queue.send_after_commit("some.task", 1)

    assert slugs() == ["kept"]


def test_a_sweep_that_cannot_read_does_not_stop_the_others(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []

    def be_away() -> list[int]:
        raise make_conflict()

    sweeps = [queue.Sweep(task="first", find_ids=be_away), queue.Sweep(task="second", find_ids=lambda: [7])]
    monkeypatch.setattr(queue, "_sweeps", sweeps)
    monkeypatch.setitem(queue._tasks, "second", done.append)

    assert (queue.run_sweeps(), done) == (1, [7])
