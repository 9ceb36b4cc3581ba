"""Stripe's events, from the endpoint to the grant: what was answered 2xx takes effect, once, without the reconciler's help."""

from collections.abc import Callable
from typing import Any

from tests.crash_points.flows.flow import (
    COMPLETED,
    Flow,
    begin_and_pay,
    buy,
    leave_to_worker,
    make_offer,
    make_signed_in,
    press_enroll,
    store_event,
    take_task,
)
from tests.crash_points.scene import Facts, Scene, find_session_id

PAID = {"order paid": 1, "order with a number": 1, "mail receipt": 1, "seats taken": 1, "session complete paid": 1}
OPEN = {"grant live": 1, "enrollment": 1, "seat active claimed": 1}


def _prepare_paid(scene: Scene) -> Facts:
    return begin_and_pay(scene, make_offer(scene))


def _prepare_undelivered(scene: Scene) -> Facts:
    facts = _prepare_paid(scene)
    [event] = scene.events(COMPLETED)
    return {**facts, "event": event}


def _post_event(scene: Scene, facts: Facts) -> None:
    scene.deliver(facts["event"])


def _redeliver(scene: Scene, facts: Facts) -> None:
    """Stripe sends again what was not answered, and only that."""
    if not any(note["status"] == 200 for note in scene.noted("answer")):
        _post_event(scene, facts)


def _prepare_stored_for_guest(scene: Scene) -> Facts:
    return store_event(scene, _prepare_paid(scene), COMPLETED)


def _prepare_stored_for_learner(scene: Scene) -> Facts:
    _, cookie = make_signed_in(scene)
    return store_event(scene, begin_and_pay(scene, make_offer(scene), cookie=cookie), COMPLETED)


def _prepare_delayed(scene: Scene) -> Facts:
    _, cookie = make_signed_in(scene)
    facts = buy(scene, make_offer(scene), cookie=cookie, method="bank_debit")
    scene.control(f"/settle/{facts['session_id']}", outcome="succeeded")
    return store_event(scene, facts, "checkout.session.async_payment_succeeded")


def _prepare_expired(scene: Scene) -> Facts:
    facts = make_offer(scene, capacity=1)
    session_id = find_session_id(press_enroll(scene, facts["form"]).location)
    scene.stripe(f"/v1/checkout/sessions/{session_id}/expire", form="")
    return store_event(scene, facts, "checkout.session.expired")


def _after_purchase(change: Callable[[Scene, Facts], Any], *types: str) -> Callable[[Scene], Facts]:
    """A learner's purchase, then something at Stripe, then the event that tells of it."""

    def prepare(scene: Scene) -> Facts:
        _, cookie = make_signed_in(scene)
        facts = buy(scene, make_offer(scene), cookie=cookie)
        change(scene, facts)
        return store_event(scene, facts, *types)

    return prepare


def _refund(scene: Scene, facts: Facts) -> None:
    scene.control(f"/refund/{facts['payment_id']}")


def _dispute(scene: Scene, facts: Facts) -> None:
    scene.control(f"/dispute/{facts['payment_id']}")


def _win_dispute(scene: Scene, facts: Facts) -> None:
    dispute = scene.control(f"/dispute/{facts['payment_id']}")
    scene.deliver_all()
    facts["old_events"] = [event["id"] for event in scene.events()]
    scene.control(f"/disputes/{dispute['id']}/close", outcome="won")


FLOWS = (
    Flow(
        name="ingest",
        prepare=_prepare_undelivered,
        act=_post_event,
        resume=_redeliver,
        promise={**PAID, "mail claim_seat": 1, "seat active free": 1},
    ),
    Flow(
        name="settle-guest",
        prepare=_prepare_stored_for_guest,
        act=take_task,
        resume=leave_to_worker,
        promise={**PAID, "mail claim_seat": 1, "seat active free": 1},
    ),
    Flow(
        name="settle-learner",
        prepare=_prepare_stored_for_learner,
        act=take_task,
        resume=leave_to_worker,
        promise={**PAID, **OPEN},
    ),
    Flow(
        name="settle-delayed",
        prepare=_prepare_delayed,
        act=take_task,
        resume=leave_to_worker,
        promise={**PAID, **OPEN},
    ),
    Flow(
        name="settle-expired",
        prepare=_prepare_expired,
        act=take_task,
        resume=leave_to_worker,
        promise={"order expired": 1, "seats taken": 0},
    ),
    Flow(
        name="settle-refunded",
        prepare=_after_purchase(_refund, "charge.refunded"),
        act=take_task,
        resume=leave_to_worker,
        promise={"order refunded": 1, "grant revoked": 1, "mail order_refunded": 1, "seats taken": 0},
    ),
    Flow(
        name="settle-disputed",
        prepare=_after_purchase(_dispute, "charge.dispute.created"),
        act=take_task,
        resume=leave_to_worker,
        promise={"order disputed": 1, "grant suspended": 1},
    ),
    Flow(
        name="settle-dispute-won",
        prepare=_after_purchase(_win_dispute, "charge.dispute.closed"),
        act=take_task,
        resume=leave_to_worker,
        promise={**PAID, **OPEN, "entry dispute_won 0 usd": 1},
    ),
)
