"""The disk is full, or the power fails while SQLite writes (F35, F36); and what copies of a file in use are worth."""

import os
import random
import shutil
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from resource import RLIMIT_FSIZE, prlimit
from typing import Any

import pytest
from sqlalchemy import event as listeners
from sqlalchemy import text

from app.db import db
from tests.benchmarks.webhooks import deliver, make_event
from tests.checkout.conftest import Shop
from tests.databases import DATABASE
from tests.factories import make_course, make_user
from tests.journeys.people import Person, Truth
from tests.running import RunningShop, wait_until

pytestmark = pytest.mark.skipif(DATABASE != "sqlite", reason="about SQLite's file; PostgreSQL looks after its own")

COURSE = "/courses/ai-lead-engine-accelerator"
IMAGES = 12
WRITERS = 4


# The disk is full: F35


def test_event_is_refused_while_there_is_no_room_and_taken_when_there_is(shop: Shop) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    event = next(each for each in shop.events() if each["type"] == "checkout.session.completed")
    large = {**event, "padding": "x" * 400_000}
    pages = give_back_free_pages()

    def forbid_growth(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    listeners.listen(db.engine, "connect", forbid_growth)
    try:
        answers = [shop.post(large) for _ in range(3)]
        assert shop.client.get("/courses").status_code == 200
    finally:
        listeners.remove(db.engine, "connect", forbid_growth)
        close_connections()

    assert {(answer.status_code, answer.headers["Retry-After"]) for answer in answers} == {(503, "5")}
    assert db.session.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
    assert db.session.execute(text("SELECT count(*) FROM stripe_events")).scalar_one() == 0
    assert shop.send(large) == 200
    shop.work()
    assert shop.order(started).state == "paid"


@pytest.mark.journey
def test_web_and_worker_whose_files_may_not_grow_refuse_and_recover(running_shop: RunningShop, database: Truth) -> None:
    person = Person(running_shop)
    session_id = person.begin(COURSE)
    pids = [running_shop.find_server_pid("web"), running_shop.processes["worker"].pid]
    for pid in pids:
        prlimit(pid, RLIMIT_FSIZE, (1024, prlimit(pid, RLIMIT_FSIZE)[1]))
    try:
        refused = [deliver(running_shop, make_event(200 + number, "cs_test_full")).status for number in range(3)]
        person.pay(session_id)
        came_back = person.come_back(session_id).status_code
        page = person.get(COURSE).status_code
    finally:
        for pid in pids:
            hard = prlimit(pid, RLIMIT_FSIZE)[1]
            prlimit(pid, RLIMIT_FSIZE, (hard, hard))

    assert (refused, came_back, page) == ([503] * 3, 503, 200)
    assert deliver(running_shop, make_event(210, "cs_test_full")).status == 200
    assert [row.id for row in database.all("SELECT id FROM stripe_events WHERE object_id = 'cs_test_full'")] == [
        "evt_bench00000210"
    ]
    wait_until(lambda: database.order(session_id).state == "paid", 60)
    wait_until(lambda: database.unfinished() == 0, 60)
    assert (database.counts(session_id)["receipts"], database.counts(session_id)["seats"]) == (1, 1)
    assert database.one("PRAGMA integrity_check")[0] == "ok"


@pytest.mark.journey
def test_log_on_a_full_disk_costs_the_log_and_nothing_else(running_shop: RunningShop, database: Truth) -> None:
    for name in ("web", "worker"):
        running_shop.terminate(name)
    with logs_nowhere(running_shop, "web", "worker"):
        running_shop.start("web", "worker")
        person = Person(running_shop)
        session_id = person.begin(COURSE)
        person.pay(session_id)

        wait_until(lambda: database.order(session_id).state == "paid", 60)
        wait_until(lambda: database.unfinished() == 0, 60)
        assert len(person.mails("Your receipt")) == 1
        codes = [running_shop.terminate(name) for name in ("web", "worker")]
    assert codes[0] == 0


@contextmanager
def logs_nowhere(shop: RunningShop, *names: str) -> Iterator[None]:
    """Whatever these processes write to their output fails for want of room."""
    for name in names:
        log = shop.folder / f"{name}.log"
        log.rename(log.with_suffix(".kept"))
        log.symlink_to("/dev/full")
    yield
    for name in names:
        log = shop.folder / f"{name}.log"
        log.unlink()
        log.with_suffix(".kept").rename(log)


def give_back_free_pages() -> int:
    """How many pages the file then has: those that earlier tests' rows left free would take the event in."""
    close_connections()
    with closing(sqlite3.connect(str(db.engine.url.database), isolation_level=None)) as connection:
        connection.execute("VACUUM")
        return int(connection.execute("PRAGMA page_count").fetchone()[0])


def close_connections() -> None:
    db.session.remove()
    db.engine.dispose()


# The power fails: F36


@pytest.mark.journey
def test_image_of_file_and_log_at_any_instant_opens_clean_and_holds_what_was_answered(
    running_shop: RunningShop, database: Truth, tmp_path: Path
) -> None:
    path = Path(str(database.engine.url.database))
    seeded, missed_by_copies = random.Random(36), 0
    with events_arriving(running_shop) as answered:
        for number in range(IMAGES):
            wanted = len(answered) + seeded.randint(1, 15)
            wait_until(lambda count=wanted: len(answered) >= count, 60)
            with stopped(running_shop.find_server_pid("web"), running_shop.processes["worker"].pid):
                expected = set(answered)
                image = copy_database(path, tmp_path / f"image{number}")
            # What was being written when the power failed may be anything.
            with Path(f"{image}-wal").open("ab") as log:
                log.write(seeded.randbytes(seeded.randint(0, 9_000)))
            assert expected <= read_event_ids(image)
            missed_by_copies += not expected <= read_event_ids(shutil.copy(path, tmp_path / "alone.sqlite"))

    assert missed_by_copies > 0, "a copy of the file without its log would have done: this test proves nothing"


@pytest.mark.journey
def test_backup_made_by_sqlite_itself_while_events_arrive_holds_what_was_answered(
    running_shop: RunningShop, database: Truth, tmp_path: Path
) -> None:
    path = Path(str(database.engine.url.database))
    with events_arriving(running_shop) as answered:
        for number in range(3):
            wanted = len(answered) + 10
            wait_until(lambda count=wanted: len(answered) >= count, 60)
            expected = set(answered)
            backup = tmp_path / f"backup{number}.sqlite"
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as target:
                source.backup(target)
            assert expected <= read_event_ids(backup)


@contextmanager
def events_arriving(shop: RunningShop) -> Iterator[list[str]]:
    """Events that come without a pause; gives the list that grows by each that was answered 200."""
    answered: list[str] = []
    stopping = threading.Event()
    first = 10_000 * (1 + sum(1 for _ in shop.folder.glob("arrived*")))
    (shop.folder / f"arrived{first}").touch()

    def keep_delivering(lane: int) -> None:
        number = first + lane
        while not stopping.is_set():
            answer = deliver(shop, make_event(number, "cs_test_power"))
            if answer.status == 200:
                answered.append(answer.event_id)
            number += WRITERS

    threads = [threading.Thread(target=keep_delivering, args=(lane,), daemon=True) for lane in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield answered
    finally:
        stopping.set()
        for thread in threads:
            thread.join(60)


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Nothing more is written by these processes while the block lasts."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        for pid in pids:
            wait_until(lambda each=pid: Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def copy_database(path: Path, target: Path) -> Path:
    shutil.copy(path, target)
    shutil.copy(f"{path}-wal", f"{target}-wal")
    return target


def read_event_ids(path: str | Path) -> set[str]:
    """The events in a database that must be whole."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {row[0] for row in connection.execute("SELECT id FROM stripe_events")}
