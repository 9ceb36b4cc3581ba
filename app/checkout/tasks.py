"""Checkout's tasks, and the sweeps that find what they have left."""

from app.checkout.events import handle_event
from app.checkout.mirror_sync import list_wanted_product_ids, send_wanted_product
from app.checkout.reconcile import check_order, list_orders_to_check
from app.checkout.reconcile_scans import begin_daily_run, list_daily_runs_due, list_free_scan_ids, work_on_page
from app.checkout.refunds import list_unsent_refund_ids, send_refund
from app.checkout.settle import settle
from app.checkout.withdrawals import list_due_withdrawal_ids, refund_withdrawal
from app.payments.events import list_due_event_ids
from app.payments.overdue import list_alarming_event_ids, sound_alarm
from app.payments.retention import empty_old_payloads, list_old_payload_ids
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


@task("checkout.refund_withdrawal")
def refund_withdrawal_task(request_id: int) -> None:
    refund_withdrawal(request_id)


@sweep("checkout.refund_withdrawal")
def find_due_withdrawals() -> list[int]:
    return list_due_withdrawal_ids()


@task("checkout.check_order")
def check_order_task(order_id: int) -> None:
    check_order(order_id)


@sweep("checkout.check_order")
def find_orders_to_check() -> list[int]:
    return list_orders_to_check()


@task("checkout.begin_daily_run")
def begin_daily_run_task(last_scan_id: int) -> None:
    begin_daily_run(last_scan_id)


@sweep("checkout.begin_daily_run")
def find_daily_run_due() -> list[int]:
    return list_daily_runs_due()


@task("checkout.reconcile_page")
def reconcile_page_task(scan_id: int) -> None:
    work_on_page(scan_id)


@sweep("checkout.reconcile_page")
def find_free_scans() -> list[int]:
    return list_free_scan_ids()


@task("checkout.empty_old_payloads")
def empty_old_payloads_task(_oldest_event_id: str) -> None:
    empty_old_payloads()


@sweep("checkout.empty_old_payloads")
def find_old_payloads() -> list[str]:
    return list_old_payload_ids()


@task("checkout.sound_alarm")
def sound_alarm_task(_oldest_event_id: str) -> None:
    sound_alarm()


@sweep("checkout.sound_alarm")
def find_alarming_events() -> list[str]:
    return list_alarming_event_ids()


@task("checkout.send_product")
def send_product_task(public_id: str) -> None:
    send_wanted_product(public_id)


@sweep("checkout.send_product")
def find_wanted_products() -> list[str]:
    return list_wanted_product_ids()
