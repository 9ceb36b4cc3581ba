"""Replays from a page: of two people who press at once, one replays; and all that failed at once."""

import pytest
from sqlalchemy import func, select

from app.audit import AuditEntry
from app.checkout import replay as replay_module
from app.checkout.replay import TAKEN, replay_event, replay_shown_event
from app.db import db, transaction
from app.payments.events import AlreadyReplayed, arm_failed_events, claim_event
from app.payments.models import StripeEvent
from tests.checkout.conftest import Shop
from tests.factories import make_course, make_user
from tests.interleaving import do_before
from tests.ops.conftest import list_entries
from tests.ops.test_replay import find_event, give_up, read
from tests.races import kinds, run_at_once


def count_replays(event_id: str) -> int:
    db.session.rollback()
    query = select(func.count()).where(AuditEntry.action == "event.replayed", AuditEntry.subject_id == event_id)
    return db.session.scalar(query.select_from(AuditEntry)) or 0


def make_failed(shop: Shop) -> tuple[str, object]:
    """A paid order whose event was given up."""
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started)
    event = find_event(shop, "checkout.session.completed")
    shop.send(event)
    give_up(event["id"])
    return str(event["id"]), started


@pytest.mark.slow
def test_two_who_replay_the_same_event_at_once_end_as_one_replay(shop: Shop) -> None:
    event_id, started = make_failed(shop)

    outcomes = run_at_once(shop.app, *[lambda: replay_shown_event(event_id, replay_count=0)] * 2)

    assert kinds(outcomes) == {"Replay": 1, "AlreadyReplayed": 1}
    assert count_replays(event_id) == 1
    assert list_entries(shop.order(started)) == [("payment", 9700)]
    assert (read(event_id).state, read(event_id).replay_count) == ("handled", 1)


@pytest.mark.slow
def test_control_without_what_the_page_showed_both_replay(shop: Shop) -> None:
    event_id, started = make_failed(shop)

    outcomes = run_at_once(shop.app, *[lambda: replay_event(event_id)] * 2)

    assert kinds(outcomes) == {"Replay": 2}
    assert count_replays(event_id) == 2
    assert list_entries(shop.order(started)) == [("payment", 9700)]


def test_an_event_that_somebody_replayed_meanwhile_stays_as_it_is(shop: Shop) -> None:
    event_id, _ = make_failed(shop)
    assert replay_shown_event(event_id, replay_count=0).state_after == "handled"
    handled_at = read(event_id).handled_at

    with pytest.raises(AlreadyReplayed):
        replay_shown_event(event_id, replay_count=0)

    assert read(event_id).handled_at == handled_at
    assert replay_shown_event(event_id, replay_count=1).note == "The order agrees with Stripe."


def test_of_an_emptied_event_the_order_is_settled_and_only_once(shop: Shop) -> None:
    event_id, started = make_failed(shop)
    replay_event(event_id)
    with transaction() as session:
        session.get_one(StripeEvent, event_id).payload = ""

    replay = replay_shown_event(event_id, replay_count=1)

    assert (replay.state_after, replay.has_failed) == ("handled", False)
    assert replay.note == "Its payload was emptied; its order was settled."
    with pytest.raises(AlreadyReplayed):
        replay_shown_event(event_id, replay_count=1)
    assert list_entries(shop.order(started)) == [("payment", 9700)]


def test_a_worker_that_is_quicker_is_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    event_id, _ = make_failed(shop)
    do_before(monkeypatch, replay_module, "run_task", lambda: claim_event(event_id))

    replay = replay_shown_event(event_id, replay_count=0)

    assert (replay.state_after, replay.note, replay.has_failed) == ("received", TAKEN, False)


@pytest.mark.slow
def test_all_that_failed_is_armed_once_by_two_at_once(shop: Shop) -> None:
    ids = [make_failed(shop)[0] for _ in range(3)]

    counts = run_at_once(shop.app, arm_failed_events, arm_failed_events)

    assert sorted(counts) == [0, 3]
    assert [count_replays(each) for each in ids] == [1, 1, 1]
    shop.work()
    assert {read(each).state for each in ids} == {"handled"}


def test_all_that_failed_is_armed(shop: Shop) -> None:
    event_id, _ = make_failed(shop)

    assert (arm_failed_events(), arm_failed_events()) == (1, 0)

    assert (read(event_id).state, read(event_id).replay_count) == ("received", 1)
