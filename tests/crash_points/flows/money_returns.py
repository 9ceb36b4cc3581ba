"""Money that goes back by itself: paid after the last seat was gone (P3), and paid a second time (P4)."""

from sqlalchemy import select, update

from app.catalog.models import Product
from app.checkout.models import Order, OrderItem
from app.db import db, transaction
from tests.checkout.money import open_second_session
from tests.crash_points.flows.flow import (
    COMPLETED,
    Flow,
    buy,
    leave_to_worker,
    make_offer,
    make_signed_in,
    press_enroll,
    store_event,
    take_tasks,
)
from tests.crash_points.flows.settling import OPEN, PAID
from tests.crash_points.scene import Facts, Scene, find_session_id


def _prepare_late(scene: Scene) -> Facts:
    """The debit of the one who had the last seat arrives after somebody else bought it."""
    facts = make_offer(scene, capacity=1)
    late = buy(scene, facts, cookie=make_signed_in(scene)[1], method="bank_debit")
    with scene.app.app_context(), transaction() as session:
        # As after a wrong verdict about its session: the order is given up, its seat is on sale again.
        session.execute(update(Order).values(state="expired"))
        session.execute(update(OrderItem).values(held_quantity=0))
        session.execute(update(Product).values(taken_seats=0))
    winner = buy(scene, facts, email="winner@example.org")
    scene.control(f"/settle/{late['session_id']}", outcome="succeeded")
    return store_event(scene, winner, "checkout.session.async_payment_succeeded")


def _prepare_second(scene: Scene) -> Facts:
    """Two tabs with a payable session each, as there were before one of them was closed, and both were paid."""
    facts = make_offer(scene)
    cookie = make_signed_in(scene)[1]
    first = find_session_id(press_enroll(scene, facts["form"], cookie=cookie).location)
    with scene.app.app_context():
        again = open_second_session(db.session.scalars(select(Order.id)).one())
    for session_id in (first, again.stripe_checkout_session_id):
        scene.control(f"/pay/{session_id}")
    return store_event(scene, facts, COMPLETED)


RETURNED = {"refund 9700 usd succeeded": 1, "mail order_returned": 1, "mail order_refunded": 0}

FLOWS = (
    Flow(
        name="return-late-payment",
        prepare=_prepare_late,
        act=take_tasks,
        resume=leave_to_worker,
        promise={
            "order refunded": 1,
            "order paid": 1,
            "mail receipt": 1,
            "seats taken": 1,
            "grant live": 0,
            **RETURNED,
        },
    ),
    Flow(
        name="return-second-payment",
        prepare=_prepare_second,
        act=take_tasks,
        resume=leave_to_worker,
        promise={
            **PAID,
            **OPEN,
            "order paid": 0,
            "order partially_refunded": 1,
            "session complete paid": 2,
            **RETURNED,
        },
    ),
)
