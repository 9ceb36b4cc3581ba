"""What can go wrong while a run is at it: broken orders, objects that lack what they need, a lease that was lost."""

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

import app.checkout.reconcile_orders as orders_module
import app.checkout.reconcile_scans as scans_module
from app import clock
from app.checkout.errors import AmountMismatch
from app.checkout.findings import list_open_findings
from app.checkout.models import Order
from app.checkout.reconcile_models import ReconcileScan
from app.checkout.reconcile_objects import compare
from app.checkout.reconcile_orders import heal_order
from app.checkout.reconcile_pages import Item, heal_item
from app.checkout.reconcile_scans import DEFAULT_SPAN, begin_run, list_scans, work_on_page
from app.db import db, transaction
from app.payments.gateway import PaymentRefused, PaymentUnavailable
from app.payments.listing import list_page
from app.payments.models import StripeEvent
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import make_course, make_user
from tests.ops.conftest import examined, run, serve


def break_preview(monkeypatch: pytest.MonkeyPatch, error: Exception, *, order_id: int) -> None:
    """One order that cannot be compared; the others can."""
    real = orders_module.preview_settle

    def preview(**arguments: Any) -> Any:
        if arguments["order_id"] == order_id:
            raise error
        return real(**arguments)

    monkeypatch.setattr(orders_module, "preview_settle", preview)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("impossible content"), "Reading it fails with RuntimeError."),
        (PaymentRefused(), PaymentRefused.sentence),
    ],
)
def test_order_with_impossible_content_becomes_a_finding_and_others_are_healed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    broken, paid = shop.begin(make_course(), browser="b1"), shop.begin(make_course(), browser="b2")
    for started in (broken, paid):
        shop.pay(started)
    break_preview(monkeypatch, error, order_id=shop.order(broken).id)

    ran = run(shop.app, "reconcile", "--json")

    told = {row["subject"]: (row["result"], row["reason"]) for row in ran.json["differed"]}
    assert told == {broken.order_public_id: ("unhealed", reason), paid.order_public_id: ("healed", "")}
    assert [row["key"] for row in ran.json["findings"]] == [f"unreadable:{broken.order_public_id}"]
    text = run(shop.app, "reconcile").output.splitlines()
    assert f"     NOT HEALED  {broken.order_public_id}" in text
    assert f"needs attention  unreadable:{broken.order_public_id}" in text

    monkeypatch.undo()
    assert run(shop.app, "reconcile").code == 0
    assert list_open_findings() == []
    assert shop.order(broken).state == "paid"


def test_database_that_is_away_is_no_finding_about_an_order(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    order = shop.order(shop.begin(make_course(), browser="b1"))
    away = OperationalError("SELECT 1", {}, Exception("the server closed the connection"))
    break_preview(monkeypatch, away, order_id=order.id)

    with pytest.raises(OperationalError):
        heal_order(order.id)

    assert list_open_findings() == []


@pytest.mark.parametrize(("error", "result"), [(PaymentUnavailable(), "unanswered"), (AmountMismatch(), "unhealed")])
def test_stripe_that_changes_between_look_and_heal_is_told(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, error: Exception, result: str
) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)

    def settle(**_: Any) -> None:
        raise error

    monkeypatch.setattr(orders_module, "settle", settle)

    outcome = heal_order(shop.order(started).id)

    assert outcome is not None
    assert (outcome.result, bool(outcome.reason)) == (result, True)
    assert shop.order(started).state == "pending"


def test_object_that_lacks_what_it_needs_does_not_hide_the_rest_of_its_page(shop: Shop) -> None:
    started = shop.buy(make_course(), user=make_user())
    ours = {"app_id": shop.settings.stripe_app_id, "order": started.order_public_id}
    payment = {"id": "pi_1", "object": "payment_intent", "metadata": ours}
    whole = {"amount": 1, "currency": "usd", "created": 1, "status": "succeeded", "charge": "ch_1"}
    data = [
        {"id": "re_odd", "object": "refund", "payment_intent": payment},
        {"id": "re_whole", "object": "refund", "payment_intent": payment, **whole},
    ]

    def stripe(_environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"object": "list", "url": "/v1/refunds", "has_more": False, "data": data}).encode()]

    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with listening, serve(stripe, listening), examined(shop, stripe_api_base=address):
        page = list_page("refunds", created_since=clock.now() - DEFAULT_SPAN, after=None)

    assert [(each.id, each.facts is None) for each in page.objects] == [("re_odd", True), ("re_whole", False)]
    # It is ours all the same: its order is looked at.
    suspicion = compare(page.objects[0])
    assert suspicion is not None
    assert suspicion.order_id == shop.order(started).id


def test_lease_that_was_lost_to_another_process_saves_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, moving_clock: MovableClock
) -> None:
    shop.pay(shop.begin(make_course(), user=make_user()))
    scan_id = next(scan.id for scan in list_scans(begin_run(since=clock.now() - DEFAULT_SPAN)))

    def heal_slowly(item: Item) -> Any:
        outcome = heal_item(item)
        with transaction() as session:
            session.execute(
                update(ReconcileScan)
                .where(ReconcileScan.id == scan_id)
                .values(lease_expires_at=clock.now() + timedelta(minutes=30))
            )
        return outcome

    monkeypatch.setattr(scans_module, "heal_item", heal_slowly)

    assert work_on_page(scan_id) == "busy"

    scan = db.session.get_one(ReconcileScan, scan_id, populate_existing=True)
    assert (scan.cursor, scan.healed_count, scan.outcomes) == (None, 0, [])
    # Healed is healed, whoever counts it.
    assert db.session.scalars(select(Order.state)).one() == "paid"


def test_lease_that_was_lost_on_a_page_without_differences_is_not_released(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan_id = next(scan.id for scan in list_scans(begin_run(since=clock.now() - DEFAULT_SPAN)))
    real_read, theirs = scans_module.read_page, clock.now() + timedelta(minutes=30)

    def read_slowly(*arguments: Any, **named: Any) -> Any:
        page = real_read(*arguments, **named)
        with transaction() as session:
            session.execute(update(ReconcileScan).where(ReconcileScan.id == scan_id).values(lease_expires_at=theirs))
        return page

    monkeypatch.setattr(scans_module, "read_page", read_slowly)

    work_on_page(scan_id)

    scan = db.session.get_one(ReconcileScan, scan_id, populate_existing=True)
    assert (scan.finished_at, scan.lease_expires_at) == (None, theirs)


def test_outcomes_beyond_what_a_row_keeps_are_still_counted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans_module, "MOST_OUTCOMES", 1)
    course = make_course()
    for _ in range(3):
        shop.pay(shop.begin(course, user=make_user()))
    scan_id = next(scan.id for scan in list_scans(begin_run(since=clock.now() - DEFAULT_SPAN)))

    work_on_page(scan_id)

    scan = db.session.get_one(ReconcileScan, scan_id, populate_existing=True)
    assert (scan.healed_count, len(scan.outcomes)) == (3, 1)


def test_command_stands_back_while_another_process_holds_the_pages(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    # The package's own name "stripe" is the command group.
    command_module = import_module("app.cli.stripe")
    monkeypatch.setattr(command_module, "WAIT_SECONDS", 0)
    monkeypatch.setattr(command_module, "LEASE", timedelta(seconds=0.2))
    run_key = begin_run(since=clock.now() - DEFAULT_SPAN - timedelta(days=1))
    with transaction() as session:
        session.execute(update(ReconcileScan).values(lease_expires_at=clock.now() + timedelta(minutes=3)))

    ran = run(shop.app, "reconcile")

    assert ran.code == 1
    assert "another process is at it. Run this again to go on." in ran.output
    assert {scan.finished_at for scan in list_scans(run_key)} == {None}


def test_dry_run_without_stripe_says_that_it_is_incomplete(shop: Shop) -> None:
    shop.control("/levers", {"kind": "api_error", "status": 500, "method": "GET"})

    ran = run(shop.app, "reconcile", "--dry-run", "--json")

    assert (ran.code, ran.json["complete"], ran.json["differed"]) == (1, False, [])


def test_event_whose_payment_stripe_does_not_tell_of_cannot_be_planned(shop: Shop) -> None:
    body = {"object": "event", "type": "refund.updated", "livemode": False}
    shop.send({**body, "id": "evt_1", "data": {"object": {"id": "re_1", "payment_intent": "pi_unknown"}}})

    ran = run(shop.app, "replay", "evt_1", "--dry-run", "--json")

    assert (ran.code, ran.json["events"][0]["state_after"]) == (1, "received")


def test_emptied_event_of_an_order_that_cannot_be_settled_says_why(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    event = next(event for event in shop.events() if event["type"] == "checkout.session.completed")
    with transaction() as session:
        session.execute(update(StripeEvent).values(payload=""))
        session.execute(update(Order).values(total_amount=1))

    ran = run(shop.app, "replay", event["id"], "--json")

    assert ran.code == 1
    assert ran.json["events"][0]["note"].endswith("the order says 1.")
    assert shop.order(started).state == "paid"


def test_production_asks_stripe_itself(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings decide the mode that events and objects must have."""
    event = {"id": "evt_1", "object": "event", "type": "checkout.session.completed", "livemode": False, "data": {}}
    shop.send(event)
    monkeypatch.setitem(shop.app.config, "SETTINGS", replace(shop.settings, stripe_secret_key="sk_live_" + "x" * 24))

    ran = run(shop.app, "replay", "evt_1", "--json")

    assert (ran.code, ran.json["events"][0]["state_after"]) == (0, "ignored")
