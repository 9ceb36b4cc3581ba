"""What happens without a webhook: the buyer comes back, nobody comes back, and money that goes back because we want it to."""

from collections.abc import Callable

from sqlalchemy import select

from app.checkout.models import Order
from app.checkout.refund_orders import refund_order
from app.checkout.refund_plans import RefundScope
from app.db import db
from tests.crash_points.flows.flow import Flow, begin_and_pay, buy, leave_to_worker, make_offer, make_signed_in
from tests.crash_points.flows.settling import OPEN, PAID
from tests.crash_points.scene import Facts, Scene


def _prepare_guest(scene: Scene) -> Facts:
    return begin_and_pay(scene, make_offer(scene))


def _prepare_learner(scene: Scene) -> Facts:
    return begin_and_pay(scene, make_offer(scene), cookie=make_signed_in(scene)[1])


def _come_back(scene: Scene, facts: Facts) -> None:
    scene.request("GET", f"/checkout/success?session_id={facts['session_id']}", cookie=facts["cookie"])


def _reload(scene: Scene, facts: Facts) -> None:
    """A page that did not come is loaded again; one that came says all there is to say."""
    if not any(note["status"] == 200 for note in scene.noted("answer")):
        _come_back(scene, facts)


def _sweep(scene: Scene, _facts: Facts) -> None:
    scene.sweep()


def _prepare_purchase(scene: Scene) -> Facts:
    return _with_order_id(scene, buy(scene, make_offer(scene), cookie=make_signed_in(scene)[1]))


def _prepare_team(scene: Scene) -> Facts:
    facts = make_offer(scene, capacity=3)
    facts["form"] |= {"quantity": "3", "purpose": "team", "takes_seat": "1"}
    return _with_order_id(scene, buy(scene, facts, cookie=make_signed_in(scene)[1]))


def _with_order_id(scene: Scene, facts: Facts) -> Facts:
    with scene.app.app_context():
        return {**facts, "order_id": db.session.scalars(select(Order.public_id)).one()}


def _refund(scope: RefundScope) -> tuple[Callable[[Scene, Facts], None], Callable[[Scene, Facts], None]]:
    """The click on Refund with the worker after it, and the second click of who saw no answer. All events are lost."""

    def click(scene: Scene, facts: Facts) -> None:
        with scene.app.app_context():
            refund_order(
                order_public_id=facts["order_id"],
                request_key="click-1",
                scope=scope,
                reason="Asked for.",
            )
        scene.trap.reach("before answer")
        scene.note(note="answer", path="refund", status=303)
        scene.trap.reach("after answer")
        scene.drain_queue()

    def click_again(scene: Scene, facts: Facts) -> None:
        if not scene.noted("answer"):
            click(scene, facts)

    return click, click_again


# A part only: Stripe itself would refuse to give everything back twice.
REFUND_PART, REFUND_PART_AGAIN = _refund(RefundScope(amount=2000))
REFUND_SEAT, REFUND_SEAT_AGAIN = _refund(RefundScope(seats=(2,)))


FLOWS = (
    Flow(
        name="return-guest",
        prepare=_prepare_guest,
        act=_come_back,
        resume=_reload,
        promise={**PAID, "mail claim_seat": 1, "seat active free": 1},
    ),
    Flow(
        name="return-learner",
        prepare=_prepare_learner,
        act=_come_back,
        resume=_reload,
        promise={**PAID, **OPEN},
    ),
    Flow(
        name="check",
        prepare=_prepare_guest,
        act=_sweep,
        resume=leave_to_worker,
        promise={**PAID, "mail claim_seat": 1, "seat active free": 1},
        # When the reconciler asks about an order that nobody came back for.
        starts_after_minutes=16,
        healed_after_minutes=16,
    ),
    Flow(
        name="refund",
        prepare=_prepare_purchase,
        act=REFUND_PART,
        resume=REFUND_PART_AGAIN,
        promise={"order partially_refunded": 1, "refund 2000 usd succeeded": 1, "mail order_refunded": 1, **OPEN},
    ),
    Flow(
        name="refund-seat",
        prepare=_prepare_team,
        act=REFUND_SEAT,
        resume=REFUND_SEAT_AGAIN,
        promise={
            "order partially_refunded": 1,
            "refund 9700 usd succeeded": 1,
            "mail order_refunded": 1,
            "seat revoked free": 1,
            "seats taken": 2,
            "grant live": 1,
        },
    ),
)
