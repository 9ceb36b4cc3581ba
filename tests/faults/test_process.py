"""Processes that are stopped, restarted, doubled and starved while people buy (F23, F24, F25, F27)."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from resource import RLIMIT_NOFILE, prlimit

import pytest
import requests
from alembic.script import ScriptDirectory

from app.config import PROJECT_ROOT
from tests.benchmarks.webhooks import deliver, make_event
from tests.faults.front import Front
from tests.journeys.people import Person, Truth, session_id_of
from tests.running import RunningShop, wait_until

pytestmark = pytest.mark.journey

COURSE, OTHER_COURSE = "/courses/ai-lead-engine-accelerator", "/courses/cloud-cost-control"
ONCE = {"payments": 1, "receipts": 1, "seats": 1, "orders_of_number": 1}
BUYERS = 2
PATIENCE_SECONDS = 60
RECEIPT_SENT = "SELECT count(*) FROM messages WHERE key = :key AND sent_at IS NOT NULL"

ADDITIVE_MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade():
    op.create_table("later_things", sa.Column("id", sa.Integer(), primary_key=True))
    for table in ("orders", "stripe_events", "messages"):
        with op.batch_alter_table(table) as batch_op:
            batch_op.add_column(sa.Column("later_note", sa.Text(), nullable=True))
            batch_op.add_column(sa.Column("later_count", sa.Integer(), nullable=False, server_default="0"))
        op.create_index(f"ix_{{table}}_later", table, ["later_count"])


def downgrade():
    for table in ("orders", "stripe_events", "messages"):
        op.drop_index(f"ix_{{table}}_later", table_name=table)
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_column("later_count")
            batch_op.drop_column("later_note")
    op.drop_table("later_things")
"""


@contextmanager
def people_buying(shop: RunningShop, database: Truth) -> Iterator[Callable[[], list[str]]]:
    """People who buy one after the other, each when the last one's receipt is out; gives how to learn what they paid.

    They do as a page says that asks them to try again in a few seconds; any other failure ends the test.
    """
    stopping = threading.Event()

    def insist(ask: Callable[[], requests.Response]) -> requests.Response:
        answers = iter(ask, None)
        return next(answer for answer in answers if answer.status_code != 503 or "Retry-After" not in answer.headers)

    def keep_buying() -> list[str]:
        paid: list[str] = []
        while not stopping.is_set():
            person = Person(shop)
            paid.append(session_id_of(insist(lambda who=person: who.enroll(COURSE))))
            person.pay(paid[-1])
            assert insist(lambda who=person: who.come_back(paid[-1])).status_code == 200
            receipt = f"receipt:{database.order(paid[-1]).public_id}"
            wait_until(lambda key=receipt: database.one(RECEIPT_SENT, key=key)[0], PATIENCE_SECONDS)
        return paid

    def list_paid() -> list[str]:
        stopping.set()
        return [session_id for each in running for session_id in each.result(PATIENCE_SECONDS)]

    with ThreadPoolExecutor(BUYERS) as pool:
        running: list[Future[list[str]]] = [pool.submit(keep_buying) for _ in range(BUYERS)]
        try:
            yield list_paid
        finally:
            stopping.set()


def expect_each_once(database: Truth, session_ids: list[str]) -> None:
    wait_until(lambda: database.unfinished() == 0, PATIENCE_SECONDS)
    assert len(session_ids) >= BUYERS
    for session_id in session_ids:
        assert database.order(session_id).state == "paid"
        counts = database.counts(session_id)
        assert {name: counts[name] for name in ONCE} == ONCE


def list_lost_deliveries(shop: RunningShop) -> list[str]:
    """What the sandbox wrote about deliveries that were not answered by 2xx, nor by the 503 that asks to come again."""
    lines = (shop.folder / "sandbox.log").read_text().splitlines()
    failed = [line for line in lines if "webhook refused" in line or "webhook not delivered" in line]
    return [line for line in failed if not line.endswith("HTTP 503")]


def test_rolling_restart_under_load_with_four_workers_loses_and_doubles_nothing(
    running_shop: RunningShop, front: Front, database: Truth
) -> None:
    """A new server starts beside the old one, gets the traffic, and the old one is stopped: as the README says."""
    running_shop.start("worker-2", "worker-3", "worker-4")
    with people_buying(running_shop, database) as list_paid:
        running_shop.start("web-2")
        front.point_to(running_shop.server_ports["web-2"])
        codes = [running_shop.terminate(name) for name in ("web", "worker", "worker-2")]
        running_shop.start("web", "worker")
        front.point_to(running_shop.server_ports["web"])
        codes += [running_shop.terminate(name) for name in ("web-2", "worker-3", "worker-4")]
        paid = list_paid()

    assert codes == [0] * 6
    # Each click and each return was answered, or people_buying() would have failed; so was each event.
    assert list_lost_deliveries(running_shop) == []
    expect_each_once(database, paid)


def test_server_that_is_told_to_stop_answers_what_it_was_asked(running_shop: RunningShop, database: Truth) -> None:
    person, answers = Person(running_shop), []
    hang = {"kind": "api_hang", "path": "/v1/checkout/sessions", "method": "POST", "seconds": 3, "count": 1}
    # Its first purchase would begin with the trip around for a cookie.
    person.begin(COURSE)
    assert running_shop.control("/levers", hang)[0] == 200
    clicking = threading.Thread(target=lambda: answers.append(person.enroll(OTHER_COURSE)))
    clicking.start()
    wait_until(lambda: not running_shop.control("/levers", method="GET")[1]["levers"])

    code = running_shop.terminate("web")

    clicking.join(PATIENCE_SECONDS)
    assert (code, [answer.status_code for answer in answers]) == (0, [303])
    assert database.order(session_id_of(answers[0])).state == "pending"


def test_worker_that_is_told_to_stop_finishes_what_it_is_at(running_shop: RunningShop, database: Truth) -> None:
    person = Person(running_shop)
    session_id = person.begin(COURSE)
    hang = {"kind": "api_hang", "path": "/v1/payment_intents/*", "method": "GET", "seconds": 3, "count": 1}
    assert running_shop.control("/levers", hang)[0] == 200
    person.pay(session_id)
    claimed = "SELECT count(*) FROM stripe_events WHERE object_id = :id AND state = 'received' AND attempt_count = 1"
    wait_until(lambda: database.one(claimed, id=session_id)[0] == 1)
    assert database.order(session_id).state == "pending"

    code = running_shop.terminate("worker")

    # No other worker runs: it was this one.
    assert (code, database.order(session_id).state) == (0, "paid")


def test_migration_that_only_adds_runs_while_people_buy_and_the_old_code_goes_on(
    running_shop: RunningShop, database: Truth, tmp_path: Path
) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(PROJECT_ROOT / "migrations", folder)
    head = ScriptDirectory(str(folder)).get_current_head()
    (folder / "versions" / "9999_later.py").write_text(ADDITIVE_MIGRATION.format(head=head))

    with people_buying(running_shop, database) as list_paid:
        running_shop.flask("db", "upgrade", "--directory", str(folder))
        assert database.one("SELECT count(*) FROM orders WHERE later_count = 0")[0] >= 0
        paid_before = database.one("SELECT count(*) FROM orders WHERE state = 'paid'")[0]
        wait_until(lambda: database.one("SELECT count(*) FROM orders WHERE state = 'paid'")[0] > paid_before)
        running_shop.flask("db", "downgrade", "--directory", str(folder))
        paid = list_paid()

    assert list_lost_deliveries(running_shop) == []
    expect_each_once(database, paid)


def test_server_without_free_file_handles_refuses_and_recovers(running_shop: RunningShop, database: Truth) -> None:
    # A new server has no connection to the database yet.
    running_shop.terminate("web")
    running_shop.start("web")
    pid = running_shop.find_server_pid("web")
    usual = prlimit(pid, RLIMIT_NOFILE)
    # Enough for the connection of who asks, too few for a database with its log.
    prlimit(pid, RLIMIT_NOFILE, (len(list(Path(f"/proc/{pid}/fd").iterdir())) + 2, usual[1]))
    try:
        starved = [try_to_deliver(running_shop, number) for number in range(1, 6)]
    finally:
        prlimit(pid, RLIMIT_NOFILE, usual)

    assert any(status != 200 for status in starved), "the limit was not felt"
    assert {status for status in starved if status is not None and status != 200} <= {500, 503}
    assert deliver(running_shop, make_event(100, "cs_test_handles")).status == 200
    taken = [number for number, status in enumerate(starved, start=1) if status == 200]
    stored = [row.id for row in database.all("SELECT id FROM stripe_events WHERE object_id = 'cs_test_handles'")]
    assert {f"evt_bench{number:08d}" for number in [100, *taken]} <= set(stored)


def try_to_deliver(shop: RunningShop, number: int) -> int | None:
    try:
        return deliver(shop, make_event(number, "cs_test_handles")).status
    except requests.RequestException:
        return None


def test_process_without_memory_refuses_and_recovers(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.faults.starving", str(tmp_path)],
        cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert (found["during"], found["after"]) == (500, 200)
    assert found["stored"] == ["evt_bench00000001", "evt_bench00000003"]
