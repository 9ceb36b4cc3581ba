"""Reconciling and replaying when Stripe, the database or another process changes its mind half-way."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import OperationalError

import app.checkout.reconcile_orders as orders_module
import app.checkout.reconcile_scans as scans_module
from app import clock
from app.checkout.events import handle_event
from app.checkout.models import CheckoutAttempt, Finding, LedgerEntry
from app.checkout.reconcile_objects import Suspicion, compare
from app.checkout.reconcile_orders import heal_order, plan_order
from app.checkout.reconcile_scans import begin_run, list_scans, work_on_page
from app.checkout.replay import plan_replay, replay_event
from app.checkout.settle import settle
from app.db import db, transaction
from app.errors import NotFound
from app.payments.listing import list_page
from app.payments.models import StripeEvent
from tests.checkout.conftest import Shop
from tests.checkout.money import findings, open_findings
from tests.conftest import MovableClock
from tests.factories import make_course, make_user
from tests.interleaving import do_before

SESSIONS = "/v1/checkout/sessions"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.001)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.002)


def fail(shop: Shop, path: str = SESSIONS + "/*", status: int = 500) -> None:
    """Let every reading of such an object fail until remove_levers()."""
    lever = {"kind": "api_error", "status": status, "path": path, "method": "GET", "stored": False}
    assert shop.control("/levers", lever)[0] == 200


def begin() -> str:
    return begin_run(since=clock.now() - timedelta(days=1))


def find_scan(run_key: str, kind: str) -> int:
    return next(scan.id for scan in list_scans(run_key) if scan.kind == kind)


def ledger_size() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(LedgerEntry)) or 0


def test_order_whose_reading_fails_after_its_preview_is_asked_about_again_soon(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    do_before(monkeypatch, orders_module, "settle", lambda: fail(shop))

    outcome = heal_order(shop.order(started).id)

    assert outcome is not None
    assert (outcome.result, outcome.subject) == ("unanswered", started.order_public_id)
    assert shop.order(started).state == "pending"
    assert open_findings() == []
    shop.remove_levers()
    healed = heal_order(shop.order(started).id)
    assert (healed and healed.result, shop.order(started).state) == ("healed", "paid")


def test_database_that_is_away_ends_the_run_and_is_no_finding(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    started = shop.begin(make_course(), user=make_user())

    def go_away() -> None:
        raise OperationalError("SELECT", {}, Exception("the database is away"))

    do_before(monkeypatch, orders_module, "preview_settle", go_away)

    with pytest.raises(OperationalError):
        heal_order(shop.order(started).id)

    assert open_findings() == []


def test_order_that_stripe_refuses_to_tell_of_becomes_a_finding_until_it_does(shop: Shop) -> None:
    started = shop.begin(make_course(), user=make_user())
    fail(shop, status=400)

    outcome = heal_order(shop.order(started).id)

    assert outcome is not None
    assert outcome.result == "unhealed"
    [(kind, detail, _)] = findings()
    assert (kind, detail) == ("unreadable", f"The order cannot be compared with Stripe. {outcome.reason}")
    shop.remove_levers()
    assert heal_order(shop.order(started).id) is None
    assert open_findings() == []
    assert findings()[0][2] == "The order agrees with Stripe now."


def test_order_that_cannot_be_read_names_the_failure_and_holds_nobody_up(shop: Shop) -> None:
    started = shop.begin(make_course(), user=make_user())
    with transaction() as session:
        session.execute(delete(CheckoutAttempt))

    planned = plan_order(shop.order(started).id)
    outcome = heal_order(shop.order(started).id)

    assert outcome == planned
    assert outcome is not None
    assert (outcome.result, outcome.subject) == ("unhealed", started.order_public_id)
    assert outcome.reason.startswith("Reading it fails with ")
    detail = db.session.scalars(select(Finding.detail)).one()
    assert detail == f"The order cannot be compared with Stripe. {outcome.reason}"


def test_session_that_is_complete_but_not_paid_is_suspicious_until_the_order_waits_too(shop: Shop) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started, method="bank_debit")

    def suspect() -> list[Suspicion | None]:
        page = list_page("sessions", created_since=clock.now() - timedelta(hours=1), after=None)
        return [compare(each) for each in page.objects]

    order_id = shop.order(started).id
    assert suspect() == [Suspicion(order_id=order_id, session_id=started.stripe_checkout_session_id)]

    settle(order_id=order_id)

    assert shop.order(started).state == "processing"
    assert suspect() == [None]


def test_scan_keeps_so_many_outcomes_and_counts_all(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans_module, "MOST_OUTCOMES", 1)
    for _ in range(3):
        shop.pay(shop.begin(make_course(), user=make_user()))
    run_key = begin()

    work_on_page(find_scan(run_key, "orders"))

    scan = next(scan for scan in list_scans(run_key) if scan.kind == "orders")
    assert (scan.healed_count, scan.seen_count, len(scan.outcomes)) == (3, 3, 1)
    assert ledger_size() == 3


def test_scan_that_another_process_took_over_is_left_to_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, moving_clock: MovableClock
) -> None:
    shop.buy(make_course(), user=make_user())
    run_key = begin()
    scan_id = find_scan(run_key, "sessions")

    def take_over() -> None:
        moving_clock.advance(minutes=6)
        assert work_on_page(scan_id) == "worked"

    do_before(monkeypatch, scans_module, "read_page", take_over)

    work_on_page(scan_id)

    scan = next(scan for scan in list_scans(run_key) if scan.kind == "sessions")
    assert (scan.seen_count, scan.finished_at is not None) == (1, True)


def test_event_that_is_handled_is_not_handled_again(shop: Shop) -> None:
    started = shop.buy(make_course(), user=make_user())
    before = ledger_size(), shop.order(started).read_started_at

    handle_event(shop.events()[-1]["id"])

    assert (ledger_size(), shop.order(started).read_started_at) == before


def test_plan_for_an_event_that_stripe_must_explain_says_that_it_does_not(shop: Shop) -> None:
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "refund.created",
        "livemode": False,
        "data": {"object": {"id": "re_1", "object": "refund", "payment_intent": "pi_elsewhere"}},
    }
    shop.send(event)
    fail(shop, "/v1/payment_intents/*")

    plan = plan_replay("evt_1")

    assert (plan.state_after, plan.has_failed, plan.difference) == ("received", True, None)
    assert plan.note


def test_emptied_event_whose_order_stripe_does_not_tell_of_stays_unsettled(shop: Shop) -> None:
    started = shop.buy(make_course(), user=make_user())
    event_id = next(event["id"] for event in shop.events() if event["type"] == "checkout.session.completed")
    with transaction() as session:
        session.execute(update(StripeEvent).values(payload=""))
    fail(shop)

    replay = replay_event(event_id)

    assert (replay.state_before, replay.state_after, replay.has_failed) == ("handled", "handled", True)
    assert replay.order_public_id == started.order_public_id
    with pytest.raises(NotFound):
        replay_event("evt_unknown")
