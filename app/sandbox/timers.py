"""What is to happen by itself later: sessions expire, bank debits and refunds settle. A restart forgets none."""

import json
from dataclasses import dataclass

from app.sandbox.documents import Document
from app.sandbox.store import Transaction


@dataclass(frozen=True)
class Timer:
    """One thing to do to one object at one time."""

    id: int
    action: str
    object_id: str
    settings: Document


def set_timer(
    transaction: Transaction, action: str, object_id: str, *, due_at: float, settings: Document | None = None
) -> None:
    transaction.run(
        "INSERT INTO timers (due_at, action, object_id, settings) VALUES (?, ?, ?, ?)",
        due_at,
        action,
        object_id,
        json.dumps(settings or {}),
    )


def take_due_timer(transaction: Transaction, at: float) -> Timer | None:
    """The earliest timer due by then, taken off: its work belongs into the same transaction."""
    row = transaction.row("SELECT * FROM timers WHERE due_at <= ? ORDER BY due_at, id LIMIT 1", at)
    if row is None:
        return None
    transaction.run("DELETE FROM timers WHERE id = ?", row["id"])
    return Timer(row["id"], row["action"], row["object_id"], json.loads(row["settings"]))


def find_next_due(transaction: Transaction, until: float) -> float | None:
    """When the earliest timer falls due, if it does by then."""
    row = transaction.row("SELECT MIN(due_at) AS due_at FROM timers WHERE due_at <= ?", until)
    return None if row is None else row["due_at"]


def cancel_timers(transaction: Transaction, object_id: str) -> None:
    """For an object that reached its end before its time."""
    transaction.run("DELETE FROM timers WHERE object_id = ?", object_id)
