"""/admin/stripe/health: one sentence with a named reason, the doctor's checks kept, and the endpoint's secret once."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app import clock
from app.audit import AuditEntry
from app.db import db, transaction
from app.formatting import datetime_short
from app.payments import gateway
from app.payments.models import DoctorRun
from app.payments.refusals import RefusalCounter
from app.reports import doctor_runs
from app.reports.doctor_runs import RUNS_KEPT, run_doctor
from app.reports.webhook_health import judge_webhooks
from tests.admin.staff import Staff
from tests.admin.test_home import make_event, text_of
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import make_course
from tests.ops.conftest import add_endpoint, examined, list_endpoints

PAGE = "/admin/stripe/health"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def new_process(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the server had just started; and nobody waits for a worker that is not there."""
    shop.app.extensions["webhook_refusals"] = RefusalCounter()
    monkeypatch.setattr(doctor_runs, "WAIT_SECONDS", 0.0)


def keep_run(*reasons: str, at: datetime | None = None) -> None:
    checks = [
        {"name": "x", "level": "fail", "what": "It is so.", "fix": "Mend it.", "reason": each} for each in reasons
    ]
    with transaction() as session:
        session.add(DoctorRun(checked_at=at or clock.now(), checks=checks))


# The sentence


def test_a_shop_that_works_says_when_the_last_event_came(shop: Shop, moving_clock: MovableClock) -> None:
    moving_clock.freeze(NOON)
    make_event("evt_1", state="handled", received_at=NOON - timedelta(hours=3))

    health = judge_webhooks()

    assert (health.reason, health.sentence) == ("ok", "Webhooks work: the last event came Nov 20, 09:00.")


def test_without_any_event_it_says_never_and_the_doctors_own_do_not_count(shop: Shop) -> None:
    make_event("evt_doctor_1", state="ignored", type="tuition.doctor.probe")

    assert (judge_webhooks().reason, judge_webhooks().level) == ("never_received", "warn")


@pytest.mark.parametrize(
    "reason", ["endpoint_missing", "endpoint_disabled", "secret_mismatch", "unreachable", "events_missing"]
)
def test_what_the_doctor_found_holds_until_an_event_comes(shop: Shop, moving_clock: MovableClock, reason: str) -> None:
    moving_clock.freeze(NOON)
    make_event("evt_1", state="handled", received_at=NOON - timedelta(hours=3))
    keep_run("", reason)
    health = judge_webhooks()
    assert (health.reason, health.level) == (reason, "fail")
    assert health.fix

    make_event("evt_2", state="handled", received_at=NOON + timedelta(seconds=1))

    assert judge_webhooks().reason == "ok"


def test_events_that_failed_or_wait_are_named(shop: Shop, moving_clock: MovableClock) -> None:
    moving_clock.freeze(NOON)
    make_event("evt_1", state="received", received_at=NOON - timedelta(minutes=6))
    assert (judge_webhooks().reason, judge_webhooks().place) == ("events_waiting", "waiting")

    make_event("evt_2", state="failed")

    assert (judge_webhooks().reason, judge_webhooks().place) == ("events_failed", "failed")


def test_silence_is_named_when_a_checkout_ended_since(shop: Shop, moving_clock: MovableClock) -> None:
    came_at = clock.now()
    make_event("evt_1", state="handled", received_at=came_at)
    moving_clock.advance(minutes=1)
    shop.begin(make_course())
    assert judge_webhooks().reason == "ok"

    moving_clock.advance(hours=3)

    assert judge_webhooks().reason == "silent"
    said = datetime_short(came_at)
    assert judge_webhooks().sentence == f"No event has come since {said}, though checkouts have ended since."


def test_home_names_what_keeps_events_away_and_leads_here(shop: Shop) -> None:
    keep_run("endpoint_disabled")

    page = Staff(shop.app, "owner").get("/admin/").text

    assert "The webhook endpoint is switched off at Stripe, so no event comes." in page
    assert f'<a href="{PAGE}">' in page


# The checks


def test_the_checks_are_made_kept_and_shown(shop: Shop) -> None:
    staff = Staff(shop.app, "admin")
    assert "Not checked yet" in text_of(staff, PAGE)

    answer = staff.send(f"{PAGE}/check")

    assert (answer.status_code, answer.location) == (303, PAGE)
    text = text_of(staff, PAGE)
    assert "checks need you. Each line says what to do." in text
    assert "acct_sandbox may charge." in text or "may charge." in text
    assert "Stripe delivers no webhooks to http://localhost/webhooks/stripe" in text
    assert "Press “Make or repair the endpoint” below." in text
    assert "flask stripe doctor --configure" not in text
    assert "Check again" not in text_of(Staff(shop.app, "reader"), PAGE)


def test_a_shop_that_is_set_up_passes_every_check(shop: Shop) -> None:
    with examined(shop) as (app, _):
        staff = Staff(app, "admin")
        staff.send(f"{PAGE}/endpoint")

        staff.send(f"{PAGE}/check")

        db.session.rollback()
        run = db.session.scalars(select(DoctorRun)).one()
        levels = {check["name"]: check["level"] for check in run.checks}
    assert levels | {"worker": "", "clock": ""} == {
        "database": "ok", "key": "ok", "account": "ok", "version": "ok", "clock": "", "endpoint": "ok", "events": "ok",
        "tax": "ok", "webhook": "ok", "worker": "", "mail": "ok",
    }  # fmt: skip


def test_only_the_last_runs_are_kept(shop: Shop) -> None:
    for _ in range(RUNS_KEPT + 3):
        keep_run()

    run_doctor()

    assert len(db.session.scalars(select(DoctorRun)).all()) == RUNS_KEPT


def test_a_stripe_that_hangs_answers_the_page_in_bounded_time(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    staff = Staff(shop.app, "admin")
    asked: list[str] = []
    http = shop.app.extensions["stripe_client_brief"]._requestor._client
    assert http._timeout == gateway.BRIEF_SECONDS == 4
    monkeypatch.setattr(http, "_timeout", 0.3)
    real = http.request
    monkeypatch.setattr(
        http, "request", lambda method, url, *rest, **more: asked.append(url) or real(method, url, *rest, **more)
    )
    shop.control("/levers", {"kind": "api_hang", "seconds": 2, "when": "before"})

    staff.send(f"{PAGE}/check")

    shop.remove_levers()
    # Account and endpoints, each asked once: nothing is repeated while somebody waits.
    assert len(asked) == 2
    assert text_of(staff, PAGE).count("Stripe does not answer.") == 2


# The endpoint


def test_the_endpoint_is_made_and_its_secret_shown_once(shop: Shop) -> None:
    staff = Staff(shop.app, "owner")

    answer = staff.send(f"{PAGE}/endpoint")

    assert answer.status_code == 201
    secret = list_endpoints(shop)[0]["id"]
    assert "whsec_" in answer.text
    assert secret in answer.text
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "webhook_endpoint.made")).one()
    assert (entry.subject_id, "whsec_" in str(entry.after)) == (secret, False)
    again = staff.send(f"{PAGE}/endpoint")
    assert (again.status_code, "whsec_" in again.text) == (200, False)
    assert "The endpoint was right already" in again.text
    assert "whsec_" not in staff.get(PAGE).text


def test_an_endpoint_is_repaired_and_another_for_the_same_address_named(shop: Shop) -> None:
    add_endpoint(shop, "http://localhost", ["charge.refunded"])
    other = add_endpoint(shop, "http://localhost", ["charge.refunded"])

    answer = Staff(shop.app, "owner").send(f"{PAGE}/endpoint")

    assert "The endpoint is repaired" in answer.text
    assert "delivers to the same address. Delete it in Stripe’s dashboard." in answer.text
    assert other in answer.text


def test_an_endpoint_that_stripe_does_not_take_is_told(shop: Shop) -> None:
    staff = Staff(shop.app, "owner")
    shop.control("/levers", {"kind": "api_error", "status": 400, "path": "/v1/webhook_endpoints"})

    staff.send(f"{PAGE}/endpoint")

    shop.remove_levers()
    assert "The endpoint was not changed." in text_of(staff, PAGE)


def test_the_endpoint_asks_for_a_fresh_sign_in(shop: Shop, moving_clock: MovableClock) -> None:
    staff = Staff(shop.app, "owner")
    moving_clock.advance(hours=12)

    answer = staff.send(f"{PAGE}/endpoint")

    assert answer.status_code in {302, 303, 401}
    assert list_endpoints(shop) == []
