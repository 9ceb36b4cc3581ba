"""Comparisons that a person begins in the browser: for the workers, one at a time, and dry runs that change nothing."""

import pytest
from sqlalchemy import select

from app import clock
from app.audit import AuditEntry
from app.checkout import reconcile_scans
from app.checkout.reconcile_models import ReconcileScan
from app.checkout.reconcile_scans import DEFAULT_SPAN, begin_manual_run, begin_plan_run, begin_run
from app.db import db
from app.reports.health import read_health
from app.reports.reconcile_runs import list_run_outcomes, list_runs
from tests.checkout.conftest import Shop
from tests.factories import make_course, make_user
from tests.interleaving import do_before
from tests.ops.conftest import list_entries, sell_elsewhere
from tests.races import run_at_once


def count_scans() -> int:
    db.session.rollback()
    return len(db.session.scalars(select(ReconcileScan)).all())


def test_a_run_by_hand_heals_what_differs_and_the_next_one_is_another(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started)

    assert (begin_manual_run(), begin_manual_run()) == (True, False)
    shop.work()

    (run,) = list_runs()
    assert (run.kind, run.is_plan, run.healed_count, run.unhealed_count) == ("By hand", False, 1, 0)
    assert run.finished_at is not None
    assert list_entries(shop.order(started)) == [("payment", 9700)]
    assert begin_manual_run()
    assert [each.action for each in db.session.scalars(select(AuditEntry))].count("reconcile.begun") == 2


def test_a_dry_run_says_what_would_be_healed_and_heals_nothing(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started)
    sell_elsewhere(shop, {"app_id": shop.settings.stripe_app_id, "order": "ord_missing"})

    assert begin_plan_run()
    shop.work()

    (run,) = list_runs()
    outcomes = {each.subject: each for each in list_run_outcomes(run.run_key)}
    assert (run.kind, run.is_plan, run.finished_at is not None) == ("Dry run", True, True)
    assert outcomes[started.order_public_id].result == "would_heal"
    difference = outcomes[started.order_public_id].difference
    assert difference is not None
    assert (difference["state_before"], difference["state_after"]) == ("pending", "paid")
    assert (outcomes["ord_missing"].result, outcomes["ord_missing"].order_name) == ("unhealed", "")
    assert (shop.order(started).state, list_entries(shop.order(started))) == ("pending", [])
    assert read_health().reconciled_age_seconds == -1


def test_a_run_on_the_command_line_does_not_join_a_dry_run(shop: Shop) -> None:
    begin_plan_run()

    run_key = begin_run(since=clock.now() - DEFAULT_SPAN)

    assert {run.kind for run in list_runs()} == {"Dry run", "Command line"}
    assert run_key.startswith("run_")


def test_a_run_that_another_process_begins_in_between_is_that_ones(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = reconcile_scans._insert_scans
    moment = clock.now()
    do_before(
        monkeypatch, reconcile_scans, "_insert_scans", lambda: begin("manual:0", since=moment, read_before=moment)
    )  # fmt: skip

    assert not begin_manual_run()

    assert count_scans() == 4
    assert db.session.scalars(select(AuditEntry)).all() == []


@pytest.mark.slow
@pytest.mark.parametrize("begin", [begin_manual_run, begin_plan_run])
def test_two_who_begin_at_once_begin_one_run(shop: Shop, begin: object) -> None:
    outcomes = run_at_once(shop.app, *[begin] * 4)  # type: ignore[list-item]

    assert sorted(outcomes) == [False, False, False, True]
    assert count_scans() == 4
