"""The reconciler, killed anywhere in its scan: what no event told is found by whoever goes on with it, and healed once."""

from sqlalchemy import update

from app.checkout.models import Order
from app.db import transaction
from tests.crash_points.flows.flow import Flow, begin_and_pay, buy, leave_to_worker, make_offer, make_signed_in
from tests.crash_points.scene import Facts, Scene

HELD_BY_THE_DEAD_MINUTES = 6


def _prepare_unheard(scene: Scene) -> Facts:
    """A purchase refunded in Stripe's dashboard, one disputed, one just paid: no event told the shop."""
    facts = make_offer(scene)
    for path in ("refund", "dispute"):
        bought = buy(scene, facts, cookie=make_signed_in(scene)[1])
        scene.control(f"/{path}/{bought['payment_id']}")
    return begin_and_pay(scene, facts, cookie=make_signed_in(scene)[1])


def _prepare_refunded(scene: Scene) -> Facts:
    """A purchase of yesterday, refunded in Stripe's dashboard, that nothing but the day's run will look at."""
    bought = buy(scene, make_offer(scene), cookie=make_signed_in(scene)[1])
    scene.control(f"/refund/{bought['payment_id']}")
    with scene.app.app_context(), transaction() as session:
        session.execute(update(Order).values(check_after=None))
    return bought


def _run_command(scene: Scene, _facts: Facts) -> None:
    """An operator runs `flask stripe reconcile`."""
    result = scene.app.test_cli_runner().invoke(args=["stripe", "reconcile"])
    assert result.exit_code == 0, result.output
    scene.trap.reach("before answer")
    scene.note(note="answer", path="reconcile", status=0)
    scene.trap.reach("after answer")


def _run_again(scene: Scene, facts: Facts) -> None:
    """Whose command died runs it again a little later."""
    if not scene.noted("answer"):
        scene.advance(minutes=HELD_BY_THE_DEAD_MINUTES)
        _run_command(scene, facts)


def _sweep(scene: Scene, _facts: Facts) -> None:
    scene.drain_queue()
    scene.sweep()


FLOWS = (
    Flow(
        name="reconcile",
        prepare=_prepare_unheard,
        act=_run_command,
        resume=_run_again,
        promise={
            "order paid": 1,
            "order refunded": 1,
            "order disputed": 1,
            "mail receipt": 3,
            "mail order_refunded": 1,
            "grant live": 1,
            "grant revoked": 1,
            "grant suspended": 1,
        },
    ),
    Flow(
        name="reconcile-daily",
        prepare=_prepare_refunded,
        act=_sweep,
        resume=leave_to_worker,
        promise={"order refunded": 1, "grant revoked": 1, "mail order_refunded": 1, "seats taken": 0},
        starts_after_minutes=24 * 60 + 1,
    ),
)
