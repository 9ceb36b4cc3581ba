"""flask stripe replay and events: what came is handled again on a person's word (faults F06, F11, F15, F46)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

import app.checkout.events as events_module
from app import clock
from app.checkout.models import LedgerEntry, Order
from app.db import db, transaction
from app.mail.models import Message
from app.payments.events import LAST_ATTEMPT
from app.payments.models import StripeEvent
from app.payments.retention import empty_old_payloads
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import make_course, make_user
from tests.ops.conftest import dump_database, list_entries, payment_intent, run, sell_elsewhere


def find_event(shop: Shop, event_type: str) -> dict[str, Any]:
    return next(event for event in reversed(shop.events()) if event["type"] == event_type)


def read(event_id: str) -> StripeEvent:
    db.session.rollback()
    return db.session.get_one(StripeEvent, event_id, populate_existing=True)


def give_up(event_id: str) -> None:
    """As after a day of tries."""
    with transaction() as session:
        values = {"state": "failed", "attempt_count": LAST_ATTEMPT + 1, "error": "payment_unavailable"}
        session.execute(update(StripeEvent).where(StripeEvent.id == event_id).values(**values))


def test_dry_run_prints_the_state_difference_and_the_mails_and_changes_nothing(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=9700), browser="b1")
    shop.pay(started, email="maya@example.org")
    event = find_event(shop, "checkout.session.completed")
    shop.send(event)
    before = dump_database()

    ran = run(shop.app, "replay", event["id"], "--dry-run", "--json")

    told = ran.json["events"][0]
    difference = told["difference"]
    assert (ran.code, ran.json["dry_run"]) == (0, True)
    assert (told["state_before"], told["state_after"]) == ("received", "handled")
    assert (difference["state_before"], difference["state_after"]) == ("pending", "paid")
    assert sorted(mail["template"] for mail in difference["mails"]) == ["claim_seat", "receipt"]
    assert f"receipt:{started.order_public_id}" in [mail["key"] for mail in difference["mails"]]
    assert "maya@example.org" not in ran.output
    assert dump_database() == before

    text = run(shop.app, "replay", event["id"], "--dry-run").output
    assert f"  mail receipt (receipt:{started.order_public_id})" in text.splitlines()
    assert dump_database() == before


def test_replay_does_what_the_dry_run_said(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started)
    event = find_event(shop, "checkout.session.completed")
    shop.send(event)
    give_up(event["id"])

    ran = run(shop.app, "replay", event["id"], "--json")

    assert (ran.code, ran.json["events"][0]["state_after"]) == (0, "handled")
    assert (read(event["id"]).state, read(event["id"]).error) == ("handled", None)
    assert list_entries(shop.order(started)) == [("payment", 9700)]


def test_handled_event_replayed_has_no_second_effect(shop: Shop) -> None:
    started = shop.buy(make_course(), user=make_user())
    event = find_event(shop, "checkout.session.completed")

    for _ in range(3):
        ran = run(shop.app, "replay", event["id"])
        assert ran.code == 0
        assert "  The order agrees with Stripe." in ran.output.splitlines()

    assert len(list_entries(shop.order(started))) == 1
    assert [mail.template for mail in db.session.scalars(select(Message))] == ["receipt"]


def test_failed_events_are_all_tried_and_one_poison_does_not_stop_them(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = shop.begin(make_course(), browser="b1"), shop.begin(make_course(), browser="b2")
    for started in (first, second):
        shop.pay(started)
    completed = [event for event in shop.events() if event["type"] == "checkout.session.completed"]
    for event in completed:
        shop.send(event)
        give_up(event["id"])
    real_settle = events_module.settle
    poison = shop.order(first).id

    def settle(*, order_id: int, session_id: str | None = None) -> None:
        if order_id == poison:
            raise RuntimeError("impossible content")
        real_settle(order_id=order_id, session_id=session_id)

    monkeypatch.setattr(events_module, "settle", settle)

    ran = run(shop.app, "replay", "--failed", "--json")

    assert ran.code == 1
    results = {each["order_public_id"]: (each["state_after"], each["note"]) for each in ran.json["events"]}
    assert results[first.order_public_id] == ("received", "It could not be handled: crashed: RuntimeError.")
    assert results[second.order_public_id][0] == "handled"
    assert shop.order(second).state == "paid"
    assert shop.order(first).state == "pending"


def test_replay_of_an_order_handles_its_events_and_settles_it(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    other = shop.begin(make_course(), browser="b2")
    shop.pay(other)
    shop.control(f"/refund/{payment_intent(shop, started)}", {"amount": 700})
    for event in shop.events():
        shop.send(event)

    ran = run(shop.app, "replay", "--order", "NSL-1001", "--json")

    assert ran.code == 0
    assert ran.json["order"]["result"] == "healed"
    assert list_entries(shop.order(started)) == [("payment", 9700), ("refund", 700)]
    assert {each["order_public_id"] for each in ran.json["events"]} == {started.order_public_id}
    assert shop.order(other).state == "pending"


@pytest.mark.parametrize("name", ["1001", "nsl-1001", "NSL-1001"])
def test_an_order_is_named_by_its_number(shop: Shop, name: str) -> None:
    shop.buy(make_course(), user=make_user())
    assert run(shop.app, "replay", "--order", name).code == 0


def test_an_order_is_named_by_its_id_too(shop: Shop) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    before = dump_database()

    ran = run(shop.app, "replay", "--order", started.order_public_id, "--dry-run", "--json")

    assert (ran.code, ran.json["order"]["result"]) == (0, "would_heal")
    assert dump_database() == before


@pytest.mark.parametrize("arguments", [[], ["evt_1", "--failed"], ["--failed", "--order", "1001"]])
def test_exactly_one_thing_is_replayed(shop: Shop, arguments: list[str]) -> None:
    assert run(shop.app, "replay", *arguments).code == 2


@pytest.mark.parametrize("arguments", [["evt_missing"], ["--order", "9999"], ["--order", "ord_missing"]])
def test_what_is_not_there_cannot_be_replayed(shop: Shop, arguments: list[str]) -> None:
    assert run(shop.app, "replay", *arguments).code == 1


def test_event_of_ours_for_an_unknown_order_stays_due_and_says_why(shop: Shop) -> None:
    sell_elsewhere(shop, {"app_id": shop.settings.stripe_app_id, "order": "ord_missing"})
    event = find_event(shop, "checkout.session.completed")
    shop.send(event)
    before = dump_database()

    planned = run(shop.app, "replay", event["id"], "--dry-run", "--json")

    assert planned.json["events"][0]["note"] == "Stripe names the order ord_missing, which is not here."
    assert (planned.code, dump_database() == before) == (1, True)

    ran = run(shop.app, "replay", event["id"], "--json")
    assert (ran.code, read(event["id"]).state, read(event["id"]).error) == (1, "received", "unknown_order")


@pytest.mark.parametrize("metadata", [{}, {"app_id": "another_app", "order": "ord_1"}])
def test_event_of_another_app_has_no_effect(shop: Shop, metadata: dict[str, str]) -> None:
    sell_elsewhere(shop, metadata)
    event = find_event(shop, "checkout.session.completed")
    shop.send(event)

    ran = run(shop.app, "replay", event["id"], "--json")

    assert (ran.code, ran.json["events"][0]["note"]) == (0, "It belongs to another app.")
    assert read(event["id"]).state == "ignored"


def test_stripe_that_does_not_answer_leaves_the_event_due(shop: Shop) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    event = find_event(shop, "checkout.session.completed")
    shop.send(event)
    shop.control("/levers", {"kind": "api_error", "status": 503, "path": "/v1/checkout/sessions/*"})

    assert run(shop.app, "replay", event["id"], "--dry-run").code == 1
    assert run(shop.app, "replay", event["id"]).code == 1

    assert (read(event["id"]).state, read(event["id"]).error) == ("received", "payment_unavailable")
    shop.remove_levers()
    assert run(shop.app, "replay", event["id"]).code == 0
    assert shop.order(started).state == "paid"


# Old payloads


def test_old_payloads_are_emptied_and_their_ids_keep_a_redelivery_from_having_an_effect(
    shop: Shop, moving_clock: MovableClock
) -> None:
    started = shop.buy(make_course(), user=make_user())
    events = shop.events()
    shop.send({**events[0], "id": "evt_stuck", "type": "checkout.session.completed"})
    give_up("evt_stuck")
    moving_clock.advance(days=89)
    shop.work()
    assert all(each.payload for each in db.session.scalars(select(StripeEvent)))
    moving_clock.advance(days=2)

    shop.work()

    db.session.rollback()
    kept = {each.id: each.payload for each in db.session.scalars(select(StripeEvent))}
    # What nobody has handled is kept whole.
    assert {event_id for event_id, payload in kept.items() if payload} == {"evt_stuck"}
    assert len(kept) == len(events) + 1
    before = (list_entries(shop.order(started)), db.session.scalars(select(Message.key)).all())

    now = int(clock.now().timestamp())
    assert [shop.send(event, timestamp=now) for event in events] == [200] * len(events)
    shop.work()

    assert (list_entries(shop.order(started)), db.session.scalars(select(Message.key)).all()) == before
    assert {read(event["id"]).delivery_count for event in events} == {2}
    assert read(events[0]["id"]).payload == ""


def test_payloads_are_emptied_in_small_batches(
    shop: Shop, moving_clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.payments.retention.BATCH", 2)
    body = {"object": "event", "type": "customer.created", "livemode": False, "data": {"object": {}}}
    for number in range(5):
        shop.send({**body, "id": f"evt_{number}"})
    shop.work()
    moving_clock.advance(days=91)
    assert [empty_old_payloads() for _ in range(4)] == [2, 2, 1, 0]


def test_emptied_event_is_replayed_by_its_order(shop: Shop, moving_clock: MovableClock) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    event = find_event(shop, "checkout.session.completed")
    with transaction() as session:
        session.execute(update(StripeEvent).values(payload=""))
    shop.control(f"/refund/{payment_intent(shop, started)}")

    planned = run(shop.app, "replay", event["id"], "--dry-run", "--json")
    ran = run(shop.app, "replay", event["id"], "--json")

    assert planned.json["events"][0]["difference"]["state_after"] == "refunded"
    assert (ran.code, ran.json["events"][0]["note"]) == (0, "Its payload was emptied; its order was settled.")
    assert shop.order(started).state == "refunded"
    assert read(event["id"]).state == "handled"


def test_emptied_event_without_a_known_order_says_so(shop: Shop) -> None:
    body = {"object": "event", "type": "refund.updated", "livemode": False, "data": {"object": {"id": "re_1"}}}
    shop.send({**body, "id": "evt_1"})
    with transaction() as session:
        session.execute(update(StripeEvent).values(payload="", state="ignored"))

    ran = run(shop.app, "replay", "evt_1")

    assert ran.code == 1
    assert "flask stripe reconcile" in ran.output
    assert read("evt_1").state == "ignored"


# The list


def test_events_are_listed_by_state(shop: Shop) -> None:
    shop.buy(make_course(), user=make_user())
    shop.send({"id": "evt_new", "object": "event", "type": "checkout.session.completed", "livemode": False, "data": {}})
    give_up("evt_new")

    ran = run(shop.app, "events", "--state", "failed", "--json")

    assert [(row["id"], row["state"], row["error"]) for row in ran.json["events"]] == [
        ("evt_new", "failed", "payment_unavailable")
    ]
    text = run(shop.app, "events").output.splitlines()
    assert text[-1] == f"{len(shop.events()) + 1} events."
    assert "evt_new  checkout.session.completed  payment_unavailable" in text[0]
    assert run(shop.app, "events", "--state", "nonsense").code == 2


def test_replay_of_an_event_of_the_other_mode_has_no_effect(shop: Shop) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    event = {**find_event(shop, "checkout.session.completed"), "livemode": True}
    shop.send(event)

    ran = run(shop.app, "replay", event["id"], "--json")

    assert (ran.code, ran.json["events"][0]["state_after"]) == (0, "ignored")
    assert db.session.scalars(select(LedgerEntry)).all() == []
    assert db.session.scalars(select(Order.state)).one() == "pending"
    assert read(event["id"]).received_at > clock.now() - timedelta(minutes=1)
