"""/admin/jobs: kinds of work, the worker's heartbeat, and what failed."""

import threading
from datetime import UTC, datetime, timedelta

from flask import Flask
from sqlalchemy import select

from app import clock
from app.checkout.models import RefundRequest
from app.db import db, transaction
from app.job_runs import JobRun
from app.mail.models import Message
from app.mail.services import queue_message
from app.queue import Sweep, run_task, sweep_until
from tests.admin.staff import Staff
from tests.admin.test_home import make_event, text_of
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import make_course, make_user


def fail_mail(key: str) -> int:
    with transaction() as session:
        queue_message(key=key, template="confirm_address", to_address=f"{key}@example.org", data={})
        session.flush()
        message = session.scalars(select(Message).where(Message.key == key)).one()
        message.failed_at, message.error = clock.now(), "550 no such user"
        return message.id


def look(app: Flask, task: str, *ids: int) -> None:
    """What a worker's thread does in one round."""
    stopping = threading.Event()

    def find_ids() -> list[int]:
        stopping.set()
        return list(ids)

    sweep_until(Sweep(task=task, find_ids=find_ids), stopping, app=app, pause_seconds=0)


def read_run(task: str) -> JobRun:
    db.session.rollback()
    return db.session.get_one(JobRun, task, populate_existing=True)


def test_the_kinds_of_work_say_what_is_due_and_since_when(shop: Shop) -> None:
    staff = Staff(shop.app, "reader")
    make_event("evt_1", state="received", next_attempt_at=clock.now(), received_at=datetime(2026, 11, 2, 8, tzinfo=UTC))

    text = text_of(staff, "/admin/jobs")

    assert "Stripe’s events Bring the order of each event in line with Stripe. 1 Nov 2, 08:00 Never Never" in text
    assert "No worker has ever said that it works. Start one with flask jobs work" in text
    assert "Scheduled courses Publish courses whose time has come. 0 Never Never" in text


def test_a_worker_says_every_minute_that_it_works_and_what_failed(app: Flask, moving_clock: MovableClock) -> None:
    staff = Staff(app, "reader")
    moving_clock.freeze(clock.now())
    began_at = clock.now()
    app.extensions["job_log"]._tallies.clear()
    run_task("unknown.task", [1])

    look(app, "unknown.task")
    first = read_run("unknown.task")
    assert (first.seen_at, first.worked_at, first.failure_count, first.error) == (began_at, None, 1, "KeyError")
    moving_clock.advance(seconds=30)
    look(app, "unknown.task")
    assert read_run("unknown.task").seen_at == began_at
    moving_clock.advance(seconds=30)
    look(app, "unknown.task")

    later = read_run("unknown.task")
    assert (later.seen_at, later.failure_count) == (began_at + timedelta(minutes=1), 1)
    assert "Worker runs" in text_of(staff, "/admin/jobs")
    moving_clock.advance(minutes=4)
    assert "No worker" in text_of(staff, "/admin/jobs")


def test_failed_mails_go_out_again_one_or_all(shop: Shop) -> None:
    staff = Staff(shop.app, "support")
    first = fail_mail("a")
    fail_mail("b")
    text = text_of(staff, "/admin/jobs")
    assert "a@example.org 550 no such user" in text

    staff.send("/admin/jobs/mails", {"mail": first})
    assert "1 mail will go out again now." in text_of(staff, "/admin/jobs")
    staff.send("/admin/jobs/mails", {"mail": first})
    assert "somebody else sent it again" in text_of(staff, "/admin/jobs")
    staff.send("/admin/jobs/mails")

    db.session.rollback()
    assert db.session.scalars(select(Message.id).where(Message.failed_at.is_not(None))).all() == []


def test_failed_events_and_refused_refunds_lead_to_their_places(shop: Shop) -> None:
    started = shop.buy(make_course(), user=make_user())
    order = shop.order(started)
    make_event("evt_1")
    with transaction() as session:
        session.add(
            RefundRequest(
                public_id="rfr_1", order_id=order.id, request_key="k", amount=500, currency="usd", stripe_charge_id="ch_1",
                error="charge_already_refunded", created_at=clock.now(), next_attempt_at=clock.now(),
            )
        )  # fmt: skip

    page = Staff(shop.app, "admin").get("/admin/jobs").text

    assert 'href="/admin/stripe?view=failed"' in page
    assert 'href="/admin/stripe/replay-failed"' in page
    assert f'<a href="/admin/orders/{order.public_id}">NSL-1001</a>: $5.00' in page
