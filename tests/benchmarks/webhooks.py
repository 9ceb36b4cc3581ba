"""How fast a webhook is answered: 50 a second on SQLite, then with Stripe hanging, mail silent and the database locked.

Run as `python -m tests.benchmarks.webhooks [--seconds 20]`. Real processes (granian, worker, sandbox) over an empty SQLite
file. Each event is signed and new; an answer of 2xx must be a stored row afterwards. Exit 1 when a limit is missed.
"""

import argparse
import hashlib
import hmac
import json
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import requests

from tests.running import RunningShop

RATE = 50
NORMAL_LIMIT_MS, FAULTY_LIMIT_MS = 300, 10_000
LOCK_SECONDS = 5
SECRET = "whsec_" + "j" * 32
TIMEOUT_SECONDS = 30


@dataclass
class Answer:
    """What one delivery got, and how long it took in milliseconds."""

    event_id: str
    status: int
    took_ms: float


def make_event(number: int, session_id: str) -> dict[str, Any]:
    """An event about a session, as Stripe would send it."""
    return {
        "id": f"evt_bench{number:08d}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "type": "checkout.session.completed",
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "data": {"object": {"id": session_id, "object": "checkout.session", "metadata": {}, "payment_intent": None}},
    }


def deliver(shop: RunningShop, event: dict[str, Any]) -> Answer:
    payload = json.dumps(event).encode()
    moment = int(time.time())
    signature = hmac.new(SECRET.encode(), f"{moment}.".encode() + payload, hashlib.sha256).hexdigest()
    headers = {"Stripe-Signature": f"t={moment},v1={signature}", "Content-Type": "application/json"}
    began = time.monotonic()
    answer = requests.post(shop.url + "/webhooks/stripe", payload, headers=headers, timeout=TIMEOUT_SECONDS)
    return Answer(event["id"], answer.status_code, (time.monotonic() - began) * 1000)


def deliver_steadily(shop: RunningShop, session_ids: list[str], *, seconds: int, first: int) -> list[Answer]:
    """RATE deliveries a second, each started at its time whether or not the earlier ones were answered."""
    start = time.monotonic()
    with ThreadPoolExecutor(max_workers=RATE * 12) as pool:
        waiting = []
        for number in range(RATE * seconds):
            time.sleep(max(0.0, start + number / RATE - time.monotonic()))
            event = make_event(first + number, session_ids[number % len(session_ids)])
            waiting.append(pool.submit(deliver, shop, event))
        return [each.result() for each in waiting]


def lock_database(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    time.sleep(LOCK_SECONDS)
    connection.execute("ROLLBACK")
    connection.close()


def count_lost(path: Path, answers: list[Answer]) -> int:
    """Events that were answered 2xx and are in no row."""
    with sqlite3.connect(path) as connection:
        stored = {row[0] for row in connection.execute("SELECT id FROM stripe_events")}
    return sum(answer.event_id not in stored for answer in answers if 200 <= answer.status < 300)


def tell(name: str, answers: list[Answer], limit_ms: int, lost: int) -> bool:
    """Print one line; whether the limits hold: time, every answer 2xx or 503, nothing answered 2xx lost."""
    steps = quantiles([answer.took_ms for answer in answers], n=100)
    refused = sum(answer.status == 503 for answer in answers)
    wrong = sum(answer.status not in {200, 503} for answer in answers)
    held = steps[98] < limit_ms and wrong == 0 and lost == 0
    sys.stdout.write(
        f"{name:32} {len(answers):6} sent  p50 {steps[49]:7.1f} ms  p99 {steps[98]:7.1f} ms (limit {limit_ms})"
        f"  503: {refused}  other: {wrong}  lost: {lost}  {'ok' if held else 'MISSED'}\n"
    )
    return held


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as silent_mail:
        # A mail server that accepts connections and never says a word.
        mail_url = f"smtp://127.0.0.1:{silent_mail.getsockname()[1]}"
        shop = RunningShop(Path(folder), settings={"MAIL_URL": mail_url})
        database = Path(folder) / "tuition.sqlite"
        shop.prepare()
        shop.start("sandbox", "web", "worker")
        try:
            session_ids = [f"cs_test_bench{number:04d}" for number in range(20)]
            deliver_steadily(shop, session_ids, seconds=2, first=0)
            normal = deliver_steadily(shop, session_ids, seconds=seconds, first=1_000)
            held = tell("normal", normal, NORMAL_LIMIT_MS, count_lost(database, normal))
            status, _ = shop.control("/levers", {"kind": "api_hang", "path": "/v1/*", "seconds": 80, "count": 1000})
            assert status == 200
            locking = threading.Thread(target=lock_database, args=(database,))
            locking.start()
            faulty = deliver_steadily(shop, session_ids, seconds=max(seconds, LOCK_SECONDS + 3), first=100_000)
            locking.join()
            lost = count_lost(database, faulty)
            return 0 if tell("Stripe hangs, no mail, locked", faulty, FAULTY_LIMIT_MS, lost) and held else 1
        finally:
            shop.stop()


if __name__ == "__main__":
    sys.exit(main())
