"""Runs that are killed, shared and begun by themselves (faults F97, F98)."""

import threading
from typing import Any

import pytest
from sqlalchemy import func, select, update

import app.checkout.reconcile_scans as scans_module
from app import clock
from app.checkout.events import handle_event
from app.checkout.models import InvoiceCounter, LedgerEntry, Order
from app.checkout.reconcile_models import ReconcileScan
from app.checkout.reconcile_pages import Item, Page, heal_item, read_page
from app.checkout.reconcile_scans import (
    DEFAULT_SPAN,
    KINDS,
    Claim,
    begin_daily_run,
    begin_run,
    list_daily_runs_due,
    list_free_scan_ids,
    list_scans,
    work_on_page,
)
from app.checkout.services import StartedCheckout
from app.db import db, make_public_id, transaction
from app.mail.models import Message
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import make_course, make_user
from tests.ops.conftest import payment_intent, run
from tests.races import PATIENCE_SECONDS, run_at_once


class Killed(BaseException):
    """Stands where SIGKILL would: no handler of ours catches it."""


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.checkout.reconcile_pages.PAGE_SIZE", 2)
    monkeypatch.setattr("app.checkout.reconcile_pages.ORDERS_PER_PAGE", 2)


def pay_unheard(shop: Shop, number: int) -> list[StartedCheckout]:
    course, paid = make_course(unit_amount=9700), []
    for _ in range(number):
        paid.append(shop.begin(course, user=make_user()))
        shop.pay(paid[-1])
    return paid


def begin() -> str:
    return begin_run(since=clock.now() - DEFAULT_SPAN)


def work_until_idle(scan_id: int) -> None:
    while work_on_page(scan_id) == "worked":
        pass


def find_scan(run_key: str, kind: str) -> ReconcileScan:
    return next(scan for scan in list_scans(run_key) if scan.kind == kind)


def count(model: type) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


# Killed half-way


@pytest.mark.parametrize("pages", [0, 1, 2, 3, 5])
def test_run_that_was_stopped_after_some_pages_goes_on_there(shop: Shop, pages: int) -> None:
    paid = pay_unheard(shop, 5)
    run_key = begin()
    for number in range(pages):
        scans = [scan.id for scan in list_scans(run_key) if scan.finished_at is None]
        work_on_page(scans[number % len(scans)])
    seen_before = {scan.kind: scan.seen_count for scan in list_scans(run_key)}

    ran = run(shop.app, "reconcile", "--json")

    assert ran.code == 0
    assert {shop.order(started).state for started in paid} == {"paid"}
    assert ran.json["counts"]["healed"] == 5
    # No second run was begun, and no object was looked at twice.
    assert count(ReconcileScan) == 4
    assert find_scan(run_key, "sessions").seen_count == 5
    assert sum(seen_before.values()) >= pages - 2


@pytest.mark.parametrize("kill_at", [1, 2, 3])
def test_killed_at_any_object_it_goes_on_with_that_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, moving_clock: MovableClock, kill_at: int
) -> None:
    paid = pay_unheard(shop, 3)
    scan_id = find_scan(begin(), "sessions").id
    calls = 0

    def heal_or_die(item: Item) -> Any:
        nonlocal calls
        calls += 1
        if calls == kill_at:
            raise Killed
        return heal_item(item)

    monkeypatch.setattr(scans_module, "heal_item", heal_or_die)
    with pytest.raises(Killed):
        work_until_idle(scan_id)
    db.session.rollback()
    # Its lease holds others off for a while, then anybody goes on.
    assert work_on_page(scan_id) == "busy"
    moving_clock.advance(minutes=6)
    work_until_idle(scan_id)

    scan = db.session.get_one(ReconcileScan, scan_id)
    assert {shop.order(started).state for started in paid} == {"paid"}
    # What was healed before the kill was saved with it: only the object it died at was looked at again.
    assert (scan.healed_count, scan.seen_count) == (3, 3)
    assert calls == 4
    assert count(LedgerEntry) == 3


def test_killed_between_heal_and_save_heals_nothing_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, moving_clock: MovableClock
) -> None:
    pay_unheard(shop, 1)
    scan_id = find_scan(begin(), "sessions").id

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(scans_module, "_keep", die)
        with pytest.raises(Killed):
            work_on_page(scan_id)
    db.session.rollback()
    moving_clock.advance(minutes=6)

    assert work_on_page(scan_id) == "worked"

    assert (count(LedgerEntry), count(Message)) == (1, 1)
    assert db.session.scalars(select(InvoiceCounter.last_number)).one() == 1001


def test_scan_whose_object_is_gone_from_stripe_begins_at_the_top(shop: Shop) -> None:
    paid = pay_unheard(shop, 1)
    scan_id = find_scan(begin(), "sessions").id
    with transaction() as session:
        session.execute(update(ReconcileScan).where(ReconcileScan.id == scan_id).values(cursor="cs_test_gone"))

    assert [work_on_page(scan_id), work_on_page(scan_id), work_on_page(scan_id)] == ["worked", "worked", "busy"]

    assert shop.order(paid[0]).state == "paid"


# Two at once


def test_two_processes_at_one_scan_look_at_each_page_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    pay_unheard(shop, 2)
    scan_id = find_scan(begin(), "sessions").id
    pages = count_pages(monkeypatch)

    outcomes = run_at_once(shop.app, *[lambda: work_on_page(scan_id)] * 4)

    assert sorted(outcomes) == ["busy", "busy", "busy", "worked"]
    assert len(pages) == 1


def test_control_with_a_claim_that_checks_before_it_writes_all_look_at_one_page(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay_unheard(shop, 2)
    scan_id = find_scan(begin(), "sessions").id
    pages = count_pages(monkeypatch)
    meeting = threading.Barrier(4)

    def claim_late(wanted_id: int) -> Claim | None:
        scan = db.session.get_one(ReconcileScan, wanted_id)
        is_free = scan.lease_expires_at is None and scan.finished_at is None
        meeting.wait(PATIENCE_SECONDS)
        if not is_free:
            return None
        moment = clock.now()
        with transaction() as session:
            session.execute(update(ReconcileScan).where(ReconcileScan.id == wanted_id).values(lease_expires_at=moment))
        return Claim(
            scan_id=wanted_id,
            run_key="",
            kind="sessions",
            since=moment - DEFAULT_SPAN,
            read_before=moment,
            cursor=None,
            lease_expires_at=moment,
        )

    monkeypatch.setattr(scans_module, "_claim", claim_late)

    run_at_once(shop.app, *[lambda: work_on_page(scan_id)] * 4)

    assert len(pages) == 4


def count_pages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of the pages that are read from now on."""
    pages: list[str] = []

    def read(kind: Any, **arguments: Any) -> Page:
        pages.append(kind)
        return read_page(kind, **arguments)

    monkeypatch.setattr(scans_module, "read_page", read)
    return pages


@pytest.mark.slow
def test_two_runs_and_the_webhooks_at_once_have_one_effect(shop: Shop) -> None:
    paid = pay_unheard(shop, 4)
    shop.control(f"/refund/{payment_intent(shop, paid[0])}")
    for event in shop.events():
        assert shop.send(event) == 200
    event_ids = [event["id"] for event in shop.events()]

    def reconcile() -> None:
        run_key = begin()
        for _ in range(200):
            unfinished = [scan.id for scan in list_scans(run_key) if scan.finished_at is None]
            for scan_id in unfinished:
                work_on_page(scan_id)
            if not unfinished:
                return
        raise AssertionError("the run does not end")

    def handle_all() -> None:
        for event_id in event_ids:
            handle_event(event_id)

    outcomes = run_at_once(shop.app, reconcile, reconcile, handle_all)
    # An event whose turn was taken by somebody's lock is due again in a moment; nothing else may be left to do.
    assert outcomes == [None, None, None]
    assert sorted(shop.order(started).state for started in paid) == ["paid", "paid", "paid", "refunded"]
    assert count(LedgerEntry) == 5
    assert db.session.scalar(select(func.count()).where(Message.key.startswith("receipt:"))) == 4
    assert db.session.scalars(select(InvoiceCounter.last_number)).one() == 1004


# By itself, once a day


def test_a_day_after_the_first_order_a_run_begins_by_itself(shop: Shop, moving_clock: MovableClock) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    shop.control(f"/refund/{payment_intent(shop, started)}")
    with transaction() as session:
        # Nobody else looks after it.
        session.execute(update(Order).values(check_after=None))
    shop.work()
    assert count(ReconcileScan) == 0
    moving_clock.advance(days=1, minutes=1)

    shop.work()

    assert shop.order(started).state == "refunded"
    assert {scan.kind: scan.finished_at is not None for scan in db.session.scalars(select(ReconcileScan))} == dict.fromkeys(KINDS, True)  # fmt: skip

    shop.work()
    assert count(ReconcileScan) == 4
    moving_clock.advance(days=1, minutes=1)
    shop.work()
    assert count(ReconcileScan) == 8


def test_next_run_waits_until_the_last_one_is_finished(shop: Shop, moving_clock: MovableClock) -> None:
    begin_daily_run(0)
    moving_clock.advance(days=2)
    assert list_daily_runs_due() == []

    for scan_id in list_free_scan_ids():
        work_on_page(scan_id)

    assert list_daily_runs_due() == [db.session.scalar(select(func.max(ReconcileScan.id)))]


def test_two_workers_begin_one_daily_run(shop: Shop) -> None:
    run_at_once(shop.app, *[lambda: begin_daily_run(0)] * 4)

    assert count(ReconcileScan) == 4


def test_control_with_a_key_of_its_own_each_worker_begins_a_run(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    real_insert = scans_module._insert_scans
    monkeypatch.setattr(scans_module, "_insert_scans", lambda _key, **span: real_insert(make_public_id("run"), **span))

    run_at_once(shop.app, *[lambda: begin_daily_run(0)] * 4)

    assert count(ReconcileScan) == 16


def test_daily_run_leaves_orders_alone_that_were_read_within_a_day(shop: Shop, moving_clock: MovableClock) -> None:
    shop.buy(make_course(), user=make_user())
    begin_daily_run(0)
    orders = next(scan for scan in db.session.scalars(select(ReconcileScan)) if scan.kind == "orders")

    work_on_page(orders.id)

    assert db.session.get_one(ReconcileScan, orders.id, populate_existing=True).seen_count == 0
