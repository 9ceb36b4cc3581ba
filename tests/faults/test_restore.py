"""An older backup is put back, and life since then is told again (F37): the shop converges and repeats only what it forgot.

`sqlite3`'s own backup, or a copy of file and log while nothing writes, is a backup; of PostgreSQL a copy made by itself.
What was ordered after the backup is known to Stripe alone: it becomes a finding with its name.
"""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import select

from app.checkout.findings import list_open_findings
from app.checkout.models import InvoiceCounter, Order
from app.checkout.services import StartedCheckout
from app.db import db
from app.enrollment.models import Grant
from app.mail.models import Message
from tests.checkout.conftest import Shop
from tests.checkout.money import give_back, open_findings, sums
from tests.conftest import MovableClock
from tests.databases import DATABASE, start_postgresql
from tests.factories import make_course, make_user
from tests.ops.conftest import dump_database, run


@dataclass(frozen=True)
class Life:
    """What happened: settled before the backup, begun before it and paid after, and all of it after."""

    settled: StartedCheckout
    begun: StartedCheckout
    late: StartedCheckout
    sent: Counter[tuple[str, str]]


def reconcile(shop: Shop) -> None:
    """An operator compares everything with Stripe; what it cannot heal makes it exit 1."""
    assert run(shop.app, "reconcile").code == 1
    shop.work()


def deliver_again(shop: Shop) -> None:
    """Stripe sends every event again."""
    shop.deliver_all()


def replay_orders(shop: Shop) -> None:
    """An operator replays each order of which the database knows."""
    for public_id in list(db.session.scalars(select(Order.public_id))):
        run(shop.app, "replay", "--order", public_id)
    shop.work()
    reconcile(shop)


@pytest.mark.parametrize("heal", [reconcile, deliver_again, replay_orders])
def test_older_backup_converges_and_repeats_only_what_it_forgot(
    shop: Shop, moving_clock: MovableClock, tmp_path: Path, heal: Callable[[Shop], None]
) -> None:
    life = live(shop, tmp_path)
    restore(tmp_path)
    remembered = count_mails()
    moving_clock.advance(minutes=4)

    heal(shop)

    # What was settled before keeps its number; refunds and payments since then are there again, once each.
    assert [shop.order(each).state for each in (life.settled, life.begun)] == ["partially_refunded", "paid"]
    assert [shop.order(each).number for each in (life.settled, life.begun)] == [1001, 1002]
    assert sums(shop.order(life.settled).id) == (9700, 2000, 7700)
    assert db.session.scalars(select(InvoiceCounter.last_number)).one() == 1002
    assert Counter(db.session.scalars(select(Grant.course_id))).most_common(1)[0][1] == 1
    assert len(db.session.scalars(select(Grant.id)).all()) == 2
    # The one that was begun after the backup is a finding; nobody is told twice of what the backup knows.
    assert open_findings() == ["unknown_order"]
    assert life.late.order_public_id in dict(list_findings())[f"unknown_order:{life.late.order_public_id}"]
    repeated = count_mails() - remembered
    assert set(repeated) <= set(life.sent)
    assert max(repeated.values(), default=0) == 1
    assert {template for template, _ in repeated} == {"receipt", "order_refunded"}
    settled = dump_facts()
    heal(shop)
    assert dump_facts() == settled


def live(shop: Shop, folder: Path) -> Life:
    """Buy, back up, and go on; the mails since then are in sent."""
    settled = shop.buy(make_course(), user=make_user())
    begun = shop.begin(make_course(), user=make_user())
    late_course, late_user = make_course(), make_user()
    back_up(folder)
    before = count_mails()
    shop.pay(begun)
    shop.deliver_all()
    give_back(settled, amount=2000)
    late = shop.buy(late_course, user=late_user)
    shop.deliver_all()
    assert [shop.order(each).number for each in (settled, begun, late)] == [1001, 1002, 1003]
    return Life(settled=settled, begun=begun, late=late, sent=count_mails() - before)


def count_mails() -> Counter[tuple[str, str]]:
    """Mails that went out, by what they are and to whom."""
    db.session.rollback()
    rows = db.session.execute(select(Message.template, Message.to_address).where(Message.sent_at.is_not(None)))
    return Counter((row.template, row.to_address) for row in rows)


def list_findings() -> list[tuple[str, str]]:
    return [(finding.key, finding.detail) for finding in list_open_findings()]


def dump_facts() -> dict[str, list[tuple[Any, ...]]]:
    """All about money, access and mails; a look at Stripe leaves its own traces elsewhere."""
    names = ("ledger_entries", "refund_requests", "seats", "grants", "enrollments", "messages", "invoice_counters")
    found = dump_database()
    return {name: found[name] for name in names}


def back_up(folder: Path) -> None:
    if DATABASE == "sqlite":
        path = str(db.engine.url.database)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(folder / "backup")) as target:
            source.backup(target)
        return
    _copy(str(db.engine.url.database), "restore_backup")


def restore(folder: Path) -> None:
    """Put the backup in the database's place; nobody is connected."""
    db.session.remove()
    db.engine.dispose()
    if DATABASE == "sqlite":
        path = Path(str(db.engine.url.database))
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        shutil.copyfile(folder / "backup", path)
        return
    _copy("restore_backup", str(db.engine.url.database))


def _copy(source: str, target: str) -> None:
    db.session.remove()
    db.engine.dispose()
    with psycopg.connect(start_postgresql().get_uri(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}"')
