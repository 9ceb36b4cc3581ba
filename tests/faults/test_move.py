"""The data moves from SQLite to PostgreSQL and back; what Stripe tells again afterwards finds the same ledger (F99)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import func, select

from app import create_app
from app.catalog.promotion_codes import create_code
from app.checkout.choices import GiftWish
from app.checkout.models import Order
from app.db import db, transaction
from tests.checkout.conftest import Shop
from tests.cli.runner import dump, run, run_json
from tests.databases import DATABASE, WORKER, start_postgresql
from tests.factories import make_course, make_user
from tests.faults.worlds import ask, payment_intent

pytestmark = pytest.mark.slow


def make_url(kind: str, folder: Path, name: str) -> str:
    """An empty database of a kind."""
    if kind == "sqlite":
        return f"sqlite:///{folder / name}.sqlite"
    server, database = start_postgresql(), f"{name}_{WORKER}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{database}"')
    # As hosting panels hand it out.
    return server.get_uri(database)


@contextmanager
def opened(shop: Shop, url: str) -> Iterator[Shop]:
    """The shop over another database, with the same Stripe."""
    database_url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    app = create_app(replace(shop.settings, database_url=database_url))
    with app.app_context():
        upgrade()
        yield Shop(app=app, settings=shop.settings, client=app.test_client(), sandbox=shop.sandbox)
        db.session.remove()
        db.engine.dispose()


def trade(shop: Shop) -> None:
    """Orders of most kinds: paid, refunded in part, disputed, as a gift with a code, free, and one that nobody paid."""
    create_code("LAUNCH20", percent_off=20)
    refunded = shop.buy(make_course(unit_amount=9700), user=make_user())
    ask(shop, f"/refund/{payment_intent(shop, refunded)}", amount=700)
    disputed = shop.buy(make_course(unit_amount=5000, currency="eur"), user=make_user())
    dispute = ask(shop, f"/dispute/{payment_intent(shop, disputed)}")
    ask(shop, f"/disputes/{dispute['id']}/close", outcome="lost")
    gift = shop.begin(
        make_course(unit_amount=500, currency="jpy", capacity=3), user=make_user(), code="launch20", purpose="gift",
        gift=GiftWish(recipient_email="rosa@example.org", message="Für dich — 祝"),
    )  # fmt: skip
    shop.pay(gift)
    shop.begin(make_course(unit_amount=0), email="guest@example.org")
    shop.begin(make_course(unit_amount=100), browser="b9")
    shop.deliver_all()


def ledger(app: Flask) -> list[Any]:
    code, output, error = run(app, "ledger", "export", "--format", "jsonl")
    assert code == 0, error
    return [json.loads(line) for line in output.splitlines()]


def tell_again(shop: Shop) -> None:
    """Everything Stripe ever said, under its own ids and under others."""
    for event in shop.events():
        assert shop.send(event) == 200
        assert shop.send({**event, "id": f"{event['id']}_twin"}) == 200
    shop.work()


def test_moved_there_and_back_and_told_everything_again_the_ledger_is_the_same(shop: Shop, tmp_path: Path) -> None:
    trade(shop)
    before, rows = ledger(shop.app), dump()
    assert len(before) == 4
    there = make_url("postgresql" if DATABASE == "sqlite" else "sqlite", tmp_path, "there")
    back = make_url(DATABASE, tmp_path, "back")

    with opened(shop, there) as moved:
        with shop.app.app_context():
            told = run_json(shop.app, "db", "copy", there)
        assert (told["rows"], told["tables"]["orders"]) == (sum(map(len, rows.values())), 5)
        check_move(moved, rows, before)
        rows_there, before = dump(), ledger(moved.app)
        with opened(shop, back) as moved_again:
            with moved.app.app_context():
                run_json(moved.app, "db", "copy", back)
            check_move(moved_again, rows_there, before)
        assert dump() == rows_there
    assert dump() == rows, "the first database is as it was"


def check_move(moved: Shop, rows: dict[str, Any], before: list[Any]) -> None:
    """All rows came over, what Stripe tells again changes nothing, and keys and numbers go on where they were."""
    db.session.rollback()
    assert dump() == rows
    tell_again(moved)
    assert ledger(moved.app) == before
    last_number, last_id = db.session.execute(select(func.max(Order.number), func.max(Order.id))).one()
    started = moved.begin(make_course(unit_amount=100), user=make_user())
    moved.pay(started)
    moved.deliver_all()
    order = moved.order(started)
    assert (order.state, order.number, order.id) == ("paid", last_number + 1, last_id + 1)


def test_target_that_is_not_empty_not_migrated_or_no_database_is_refused_and_left_alone(
    shop: Shop, tmp_path: Path
) -> None:
    trade(shop)
    bare, full = make_url("sqlite", tmp_path, "bare"), make_url("sqlite", tmp_path, "full")
    with opened(shop, full):
        make_user(email="already@example.org")
        before = dump()

    outcomes = {
        target: run(shop.app, "db", "copy", target)
        for target in (bare, full, "no url", shop.app.config["SQLALCHEMY_DATABASE_URI"], "sqlite:////no/such/folder/x")
    }

    assert [code for code, _, _ in outcomes.values()] == [1] * 5
    assert "flask db upgrade" in outcomes[bare][2]
    assert "The target is not empty: users has rows." in outcomes[full][2]
    with opened(shop, full):
        assert dump() == before
        with transaction() as session:
            session.execute(db.text("DELETE FROM users"))
            session.execute(db.text("UPDATE alembic_version SET version_num = '0001'"))
    code, _, error = run(shop.app, "db", "copy", full)
    assert (code, "and the target at 0001" in error) == (1, True)


def test_rehearsal_counts_and_writes_nothing_and_a_failure_leaves_nothing(shop: Shop, tmp_path: Path) -> None:
    trade(shop)
    url = make_url("sqlite", tmp_path, "target")
    with opened(shop, url):
        before = dump()
        with shop.app.app_context():
            planned = run_json(shop.app, "db", "copy", url, "--dry-run")
            code, output, _ = run(shop.app, "db", "copy", url, "--dry-run")
        assert (planned["dry_run"], planned["tables"]["orders"]) == (True, 5)
        assert (code, output.splitlines()[-1].endswith("tables would be copied.")) == (0, True)
        assert "        5  orders" in output.splitlines()
        assert dump() == before
        with transaction() as session:
            # The last table of all cannot be written.
            session.execute(db.text("DROP TABLE stripe_events"))
            session.execute(db.text("CREATE TABLE stripe_events (id TEXT PRIMARY KEY CHECK (id = ''))"))
    code, _, error = run(shop.app, "db", "copy", url)

    assert (code, "nothing was written" in error) == (1, True)
    with opened(shop, url):
        assert db.session.execute(db.text("SELECT count(*) FROM orders")).scalar_one() == 0
