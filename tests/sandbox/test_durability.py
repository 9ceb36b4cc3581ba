"""What survives: a kill in the middle, a restart, and many buyers at once."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import stripe

from app.sandbox import checkout
from app.sandbox.config import read_config
from app.sandbox.documents import Document
from tests.sandbox.conftest import KEY, SECRET, Driver, Listener, MakeDriver

ROOT = Path(__file__).resolve().parents[2]


def test_a_restart_keeps_objects_keys_levers_and_waiting_webhooks(make_driver: MakeDriver, listener: Listener) -> None:
    first = make_driver()
    customer = first.stripe.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "k1"})
    session = first.session()
    first.pay(session.id, method="bank_debit")
    first.control("/levers", {"kind": "webhook_drop", "count": 5})
    secret = first.server.webhook_secret()

    second = make_driver(webhook_secret="")

    again = second.stripe.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "k1"})
    assert (again.id, second.server.webhook_secret()) == (customer.id, secret)
    assert second.control("/levers", method="GET")[1]["levers"][0]["count"] == 5
    second.control("/levers", method="DELETE")
    second.control("/tick", {"seconds": 30})
    second.control("/deliver")
    assert {"customer.created", "checkout.session.async_payment_succeeded"} <= set(listener.types)


def test_a_given_secret_replaces_the_stored_one(make_driver: MakeDriver) -> None:
    make_driver(webhook_secret="")

    assert make_driver().server.webhook_secret() == SECRET
    assert len(make_driver().stripe.v1.webhook_endpoints.list().data) == 1


def test_a_killed_process_loses_nothing_that_it_answered(tmp_path: Path, listener: Listener) -> None:
    port = _free_port()
    environment = {
        **os.environ,
        "SANDBOX_PORT": str(port),
        "SANDBOX_DATABASE": str(tmp_path / "sandbox.sqlite"),
        "SANDBOX_WEBHOOK_URL": listener.url,
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "STRIPE_SECRET_KEY": KEY,
    }
    client = stripe.StripeClient(KEY, base_addresses={"api": f"http://127.0.0.1:{port}"}, max_network_retries=0)
    answered: list[str] = []

    process = _start(environment, port)
    writers = [threading.Thread(target=_write_until_it_dies, args=(client, answered)) for _ in range(4)]
    for writer in writers:
        writer.start()
    while len(answered) < 20:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for writer in writers:
        writer.join()
    process = _start(environment, port)

    kept = {customer.id for customer in client.v1.customers.list({"limit": 100}).auto_paging_iter()}
    assert set(answered) <= kept
    listener.wait_for("customer.created", times=len(kept), seconds=20)
    told = {event["data"]["object"]["id"] for event in listener.events if event["type"] == "customer.created"}
    assert told == kept
    process.terminate()
    assert process.wait(timeout=10) == 0


def _write_until_it_dies(client: stripe.StripeClient, answered: list[str]) -> None:
    with suppress(stripe.APIConnectionError, stripe.APIError):
        while True:
            answered.append(client.v1.customers.create({"email": "a@example.org"}).id)


def _start(environment: dict[str, str], port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "app.sandbox"]
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    for _ in range(300):
        with suppress(URLError), urlopen(f"http://127.0.0.1:{port}/_sandbox/levers", timeout=5):
            return process
        time.sleep(0.05)
    process.kill()
    process.wait()
    pytest.fail("the sandbox did not start")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _pay_at_once(driver: Driver, session_id: str, payers: int) -> list[int]:
    statuses: list[int] = []
    start = threading.Barrier(payers)

    def pay() -> None:
        start.wait()
        statuses.append(driver.control(f"/pay/{session_id}")[0])

    threads = [threading.Thread(target=pay) for _ in range(payers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(statuses)


def test_many_payers_of_one_session_make_one_charge(driver: Driver) -> None:
    session = driver.session()

    statuses = _pay_at_once(driver, session.id, 8)

    assert statuses == [200] + [409] * 7
    assert len(driver.stripe.v1.charges.list().data) == 1
    assert len(driver.stripe.v1.events.list({"type": "checkout.session.completed"}).data) == 1


def test_without_the_guard_the_same_payers_charge_more_than_once(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never_mind(_session: Document) -> None:
        """The guard, switched off: the negative control of the test above."""

    monkeypatch.setattr(checkout, "require_open", never_mind)

    _pay_at_once(driver, driver.session().id, 8)

    assert len(driver.stripe.v1.charges.list().data) > 1


def test_refunds_at_once_never_exceed_the_charge(driver: Driver) -> None:
    intent = driver.paid()
    statuses: list[int] = []
    start = threading.Barrier(6)

    def refund() -> None:
        start.wait()
        statuses.append(driver.control(f"/refund/{intent.id}", {"amount": 4000})[0])

    threads = [threading.Thread(target=refund) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200, 200, 400, 400, 400, 400]
    assert driver.stripe.v1.charges.list().data[0].amount_refunded == 8000


def test_a_reset_forgets_everything_but_the_endpoint(driver: Driver) -> None:
    driver.paid()

    driver.control("/reset")

    for listed in (driver.stripe.v1.products, driver.stripe.v1.payment_intents, driver.stripe.v1.events):
        assert listed.list().data == []  # type: ignore[attr-defined]
    assert driver.server.webhook_secret() == SECRET


def test_a_sandbox_in_memory_does_everything_and_leaves_nothing(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver(database=Path(":memory:"), traffic=None)
    sessions = [driver.session() for _ in range(3)]

    statuses = [_pay_at_once(driver, session.id, 4) for session in sessions]
    driver.control("/clock", {"advance_seconds": 86_400})

    assert statuses == [[200, 409, 409, 409]] * 3
    assert len(driver.stripe.v1.charges.list().data) == 3
    assert driver.control("/clock", method="GET")[1]["ahead_seconds"] == 86_400
    assert list(tmp_path.iterdir()) == []
    assert not Path(":memory:").exists()


def test_two_sandboxes_in_memory_share_nothing(make_driver: MakeDriver) -> None:
    first, second = (make_driver(database=Path(":memory:")) for _ in range(2))

    first.stripe.v1.customers.create({"email": "a@example.org"})
    first.control("/clock", {"advance_seconds": 3600})

    assert second.stripe.v1.customers.list().data == []
    assert second.control("/clock", method="GET")[1]["ahead_seconds"] == 0


@pytest.mark.parametrize(("is_durable", "synchronous"), [(True, 1), (False, 0)])
def test_commits_wait_for_the_disk_only_where_they_should(
    make_driver: MakeDriver, is_durable: bool, synchronous: int
) -> None:
    driver = make_driver(is_durable=is_durable)

    with driver.server.sandbox.store.read() as transaction:
        mode = transaction.row("PRAGMA synchronous")

    assert mode is not None
    assert mode[0] == synchronous
    assert driver.paid().status == "succeeded"


@pytest.mark.parametrize(("text", "is_durable"), [(None, True), ("1", True), ("0", False)])
def test_durability_is_a_setting(text: str | None, is_durable: bool) -> None:
    environment = {"SANDBOX_DATABASE": ":memory:"} | ({} if text is None else {"SANDBOX_DURABLE": text})

    config = read_config(environment)

    assert (config.is_durable, str(config.database)) == (is_durable, ":memory:")


def test_a_file_of_an_earlier_version_goes_on(make_driver: MakeDriver) -> None:
    first = make_driver()
    session = first.session()
    with first.server.sandbox.store.write() as transaction:
        private = transaction.private(session.id)
        newer = ("base_url", "promotion_code", "customer_update")
        transaction.save_private(session.id, {name: value for name, value in private.items() if name not in newer})
        transaction.run("DELETE FROM settings WHERE name <> 'account_id'")

    second = make_driver()

    assert second.pay(session.id)["status"] == "complete"
