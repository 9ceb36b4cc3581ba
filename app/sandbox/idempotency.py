"""Idempotency keys, as Stripe's v1 keeps them: the first answer of an execution stays the answer, 500s too.

Kept in the transaction of the effect itself, so there is never an effect without its answer. Source: Stripe's page on
idempotent requests (read 2026-11).
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.sandbox.documents import Document
from app.sandbox.errors import IdempotencyInUse, IdempotencyMismatch, InvalidRequest
from app.sandbox.store import Transaction

LONGEST_KEY = 255
LIFE_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Stored:
    """An answer given before."""

    status: int
    body: Document
    request_id: str


class KeysInUse:
    """Keys whose first request is being worked on in this process."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def holding(self, key: str | None) -> Iterator[None]:
        """Raises IdempotencyInUse if somebody else holds the key."""
        if key is None:
            yield
            return
        with self._lock:
            if key in self._keys:
                raise IdempotencyInUse(
                    "There is currently another in-progress request using this Idempotent Key (that probably means you "
                    f"submitted twice, and the other request is still going through): {key}. Please try again later.",
                    code="idempotency_key_in_use",
                )
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(key)


def check_key(key: str) -> None:
    """Raises InvalidRequest for a key that is too long."""
    if len(key) > LONGEST_KEY:
        raise InvalidRequest(f"Invalid idempotency key: at most {LONGEST_KEY} characters.")


def digest_of(params: Document) -> str:
    """Equal for equal parameters, whatever their order."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()


def find_stored(transaction: Transaction, key: str, address: str, digest: str) -> Stored | None:
    """The answer kept for the key, if it is younger than a day. Raises IdempotencyMismatch if used differently."""
    oldest = transaction.now() - LIFE_SECONDS
    row = transaction.row("SELECT * FROM idempotency_keys WHERE key = ? AND created > ?", key, oldest)
    if row is None:
        return None
    if row["address"] != address:
        raise IdempotencyMismatch(
            f"Keys for idempotent requests can only be used for the same endpoint they were first used for "
            f"('{row['address']}' vs '{address}'). Try using a key other than '{key}' if you meant to execute a "
            "different request."
        )
    if row["digest"] != digest:
        raise IdempotencyMismatch(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try "
            f"using a key other than '{key}' if you meant to execute a different request."
        )
    return Stored(row["status"], json.loads(row["body"]), row["request_id"])


def keep(transaction: Transaction, key: str, address: str, digest: str, answer: Stored) -> None:
    """Stores the first answer of a key, and prunes the keys that are a day old."""
    transaction.run("DELETE FROM idempotency_keys WHERE created <= ?", transaction.now() - LIFE_SECONDS)
    transaction.run(
        "INSERT OR REPLACE INTO idempotency_keys (key, address, digest, status, body, request_id, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        key,
        address,
        digest,
        answer.status,
        json.dumps(answer.body),
        answer.request_id,
        transaction.now(),
    )


def forget_all(transaction: Transaction) -> int:
    """As if a day had gone by. Gives how many keys were forgotten."""
    return transaction.run("DELETE FROM idempotency_keys")
