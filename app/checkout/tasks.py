"""Checkout's tasks, and the sweeps that find what they have left."""

from app.checkout.events import handle_event
from app.checkout.reconcile import check_order, list_orders_to_check
from app.checkout.refunds import list_unsent_refund_ids, send_refund
from app.checkout.settle import settle
from app.payments.events import list_due_event_ids
from app.queue import sweep, task


@task("checkout.handle_event")
def handle_event_task(event_id: str) -> None:
    handle_event(event_id)


@sweep("checkout.handle_event")
def find_due_events() -> list[str]:
    return list_due_event_ids()


@task("checkout.send_refund")
def send_refund_task(request_id: int) -> None:
    order_id = send_refund(request_id)
    if order_id is not None:
        settle(order_id=order_id)


@sweep("checkout.send_refund")
def find_unsent_refunds() -> list[int]:
    return list_unsent_refund_ids()


@task("checkout.check_order")
def check_order_task(order_id: int) -> None:
    check_order(order_id)


@sweep("checkout.check_order")
def find_orders_to_check() -> list[int]:
    return list_orders_to_check()
