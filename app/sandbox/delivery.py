"""Webhook delivery: signs, posts, and tries again with growing pauses until the endpoint answers 2xx.

The outbox is the table `deliveries`: rows are pending, sending, delivered, failed (no tries left) or dropped.
A row is claimed by one conditional write, so the background threads, the hosted page and a flush never send it twice
at once. What a killed process was sending is pending again at the next start: Stripe, too, delivers at least once.
"""

import hashlib
import hmac
import http.client
import json
import logging
import random
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.sandbox.clock import machine_now
from app.sandbox.config import SandboxConfig
from app.sandbox.documents import API_VERSION, Document
from app.sandbox.levers import list_levers
from app.sandbox.store import Store, Transaction

logger = logging.getLogger(__name__)
LONGEST_PAUSE_SECONDS = 300.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Outcome:
    """How one try went."""

    delivery_id: int
    status: int | None
    error: str | None

    @property
    def is_delivered(self) -> bool:
        """Stripe takes 2xx for an answer and nothing else; redirects are failures."""
        return _is_success(self.status)


@dataclass(frozen=True)
class Claimed:
    """A delivery that only its holder may send now."""

    id: int
    event: Document
    version: str
    url: str
    secret: str
    attempts: int


def _is_success(status: int | None) -> bool:
    return status is not None and status in range(200, 300)


def signature(payload: bytes, secret: str, at: int) -> str:
    """The Stripe-Signature header: time and HMAC-SHA256 of `time.payload`."""
    digest = hmac.new(secret.encode(), b"%d." % at + payload, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class Deliverer:
    """Sends what is due. Safe to use from many threads."""

    def __init__(self, store: Store, config: SandboxConfig) -> None:
        self._store = store
        self._config = config

    def recover(self) -> None:
        """Makes what a killed process left half sent due again. Call once, before anything is sent."""
        with self._store.write() as transaction:
            transaction.run("UPDATE deliveries SET state = 'pending' WHERE state = 'sending'")

    def send_next(self) -> Outcome | None:
        """Sends one due delivery; None if there is none or webhooks are held."""
        with self._store.read() as transaction:
            if not _due(transaction, at=transaction.precise_now()):
                return None
        with self._store.write() as transaction:
            kinds = {lever.kind for lever in list_levers(transaction, "webhook_")}
            due = [] if "webhook_hold" in kinds else _due(transaction, at=transaction.precise_now())
            if not due:
                return None
            chosen = random.choice(due) if "webhook_reorder" in kinds else due[0]  # noqa: S311 (no secret)
            claimed = _claim(transaction, chosen)
        return self._send(claimed)

    def send_event(self, event_id: str) -> list[Outcome]:
        """Sends this event's due deliveries now and waits for the answers, as Checkout does before it redirects."""
        with self._store.write() as transaction:
            if any(lever.kind == "webhook_hold" for lever in list_levers(transaction, "webhook_")):
                return []
            claimed = [
                _claim(transaction, row["id"])
                for row in transaction.rows(
                    "SELECT id FROM deliveries WHERE event_id = ? AND state = 'pending' AND next_at <= ? LIMIT 1",
                    event_id,
                    transaction.precise_now(),
                )
            ]
        outcomes = [self._send(each) for each in claimed]
        if not claimed:
            self._wait_until_sent(event_id)
        return outcomes

    def _wait_until_sent(self, event_id: str) -> None:
        """A background thread was quicker: its answer counts as ours."""
        deadline = time.monotonic() + self._config.webhook_timeout_seconds
        while time.monotonic() < deadline:
            with self._store.read() as transaction:
                if not transaction.row("SELECT 1 FROM deliveries WHERE event_id = ? AND state = 'sending'", event_id):
                    return
            time.sleep(_POLL_SECONDS)

    def flush(self) -> list[Outcome]:
        """Sends everything that waits, held or delayed or not, each once. Shuffled if webhooks are to be reordered."""
        with self._store.write() as transaction:
            waiting = [
                row["id"] for row in transaction.rows("SELECT id FROM deliveries WHERE state = 'pending' ORDER BY id")
            ]
            if any(lever.kind == "webhook_reorder" for lever in list_levers(transaction, "webhook_")):
                random.shuffle(waiting)
        outcomes = []
        for delivery_id in waiting:
            with self._store.write() as transaction:
                state = transaction.row("SELECT state FROM deliveries WHERE id = ?", delivery_id)
                if state is None or state["state"] != "pending":
                    continue  # a background thread was quicker
                claimed = _claim(transaction, delivery_id)
            outcomes.append(self._send(claimed))
        return outcomes

    def _send(self, claimed: Claimed) -> Outcome:
        status, error = self._post(claimed)
        outcome = Outcome(claimed.id, status, error)
        with self._store.write() as transaction:
            if outcome.is_delivered:
                transaction.run(
                    "UPDATE deliveries SET state = 'delivered', last_status = ?, last_error = NULL, delivered_at = ?"
                    " WHERE id = ?",
                    status,
                    transaction.precise_now(),
                    claimed.id,
                )
            else:
                last = claimed.attempts >= self._config.retry_limit
                transaction.run(
                    "UPDATE deliveries SET state = ?, last_status = ?, last_error = ?, next_at = ? WHERE id = ?",
                    "failed" if last else "pending",
                    status,
                    error,
                    transaction.precise_now() + self._pause(claimed.attempts),
                    claimed.id,
                )
        return outcome

    def _pause(self, attempts: int) -> float:
        longest = max(LONGEST_PAUSE_SECONDS, self._config.retry_base_seconds)
        return float(min(self._config.retry_base_seconds * 2 ** (attempts - 1), longest))

    def _post(self, claimed: Claimed) -> tuple[int | None, str | None]:
        payload = json.dumps(claimed.event | {"api_version": claimed.version}, indent=2, ensure_ascii=False).encode()
        address = urlsplit(claimed.url)
        secure = address.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Accept": "*/*; q=0.5, application/xml",
            "Stripe-Signature": signature(payload, claimed.secret, machine_now()),
            "Stripe-Version": claimed.version,
        }
        try:
            connection = connect(address.hostname or "", address.port, timeout=self._config.webhook_timeout_seconds)
            try:
                path = (address.path or "/") + (f"?{address.query}" if address.query else "")
                connection.request("POST", path, payload, headers)
                answer = connection.getresponse()
                answer.read(65_536)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            logger.info("webhook not delivered: %s %s", claimed.event["id"], type(error).__name__)
            return None, f"{type(error).__name__}: {error}"[:200]
        if _is_success(answer.status):
            return answer.status, None
        logger.info("webhook refused: %s HTTP %s", claimed.event["id"], answer.status)
        return answer.status, f"HTTP {answer.status} {answer.reason}"[:200]


def _due(transaction: Transaction, at: float) -> list[int]:
    found = transaction.rows(
        "SELECT id FROM deliveries WHERE state = 'pending' AND next_at <= ? ORDER BY next_at, id LIMIT 50", at
    )
    return [row["id"] for row in found]


def _claim(transaction: Transaction, delivery_id: int) -> Claimed:
    transaction.run("UPDATE deliveries SET state = 'sending', attempts = attempts + 1 WHERE id = ?", delivery_id)
    row = transaction.row("SELECT * FROM deliveries WHERE id = ?", delivery_id)
    if row is None:
        raise LookupError(f"delivery {delivery_id} is gone")
    endpoint = transaction.get("webhook_endpoint", row["endpoint_id"])
    secret = str(transaction.private(endpoint["id"])["secret"])
    event = transaction.get("event", row["event_id"])
    version = endpoint["api_version"] or API_VERSION
    return Claimed(row["id"], event, version, endpoint["url"], secret, row["attempts"])
