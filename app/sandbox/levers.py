"""What a person or a test can pull to make Stripe misbehave. Kept in the database, so a restart keeps them pulled.

A lever has a kind, settings and how often it still acts (None: until it is removed). Webhook levers act when an event
is emitted or sent; API levers act on `/v1` only, never on the dashboard, the JSON controls or the hosted page.
"""

import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from app.sandbox.documents import Document
from app.sandbox.store import Store, Transaction


@dataclass(frozen=True)
class Setting:
    """One setting of a lever: what may stand there, and what stands there if nothing is said."""

    default: Any
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True)
class LeverKind:
    """What a lever does, in a sentence for the dashboard, and its settings."""

    sentence: str
    settings: dict[str, Setting]


LONGEST_SECONDS, MOST_TIMES = 86_400, 1_000
_TYPES = {"types": Setting([])}
_TARGET = {"method": Setting(""), "path": Setting("*")}
_WHEN = {"when": Setting("before", ("before", "after"))}

KINDS: dict[str, LeverKind] = {
    "webhook_drop": LeverKind("Lose webhooks: they are never sent", _TYPES),
    "webhook_delay": LeverKind("Send webhooks later", {**_TYPES, "seconds": Setting(30.0)}),
    "webhook_duplicate": LeverKind("Send webhooks more than once", {**_TYPES, "times": Setting(1)}),
    "webhook_second_id": LeverKind("Tell one fact in two events with different ids", _TYPES),
    "webhook_reorder": LeverKind("Send waiting webhooks in random order", {}),
    "webhook_hold": LeverKind("Hold all webhooks back until released", {}),
    "api_hang": LeverKind("Let API calls hang", {**_TARGET, **_WHEN, "seconds": Setting(10.0)}),
    "api_error": LeverKind(
        "Answer API calls with an error",
        {
            **_TARGET,
            **_WHEN,
            "status": Setting(500, (400, 401, 403, 404, 409, 429, 500, 502, 503, 504)),
            "stored": Setting(default=True, choices=(True, False)),
        },
    ),
    "api_close": LeverKind(
        "Cut the connection of API calls", {**_TARGET, "when": Setting("after", ("before", "after"))}
    ),
    "api_garbage": LeverKind(
        "Carry API calls out but answer nonsense", {**_TARGET, "body": Setting("html", ("html", "truncated"))}
    ),
    "api_forget_events": LeverKind("Let /v1/events be empty, as after 30 days", {}),
    "api_tax_pending": LeverKind("Let the tax settings lack a head office", {}),
}
RELEASES = {"webhook_release": "webhook_hold"}
STANDING = ("api_forget_events", "api_tax_pending")  # what the API says while they are pulled, not what befalls a call
DEEDS = ("forget_idempotency_keys", "forget_events")  # done at once; nothing stays pulled


@dataclass(frozen=True)
class Lever:
    """One pulled lever."""

    id: int
    kind: str
    settings: Document
    remaining: int | None

    def document(self) -> Document:
        return {"id": self.id, "kind": self.kind, "count": self.remaining, **self.settings}

    def matches_type(self, event_type: str) -> bool:
        wanted = self.settings.get("types") or ["*"]
        return any(fnmatchcase(event_type, pattern) for pattern in wanted)

    def matches_call(self, method: str, path: str) -> bool:
        wanted = str(self.settings.get("method") or "").upper()
        return wanted in ("", method) and fnmatchcase(path, str(self.settings.get("path") or "*"))


class LeverError(ValueError):
    """The lever that was asked for does not exist or its settings do not fit; the text says which."""


def pull(transaction: Transaction, wanted: Document) -> Lever:
    """Adds a lever from {"kind": …, "count": n or null, settings…}. Raises LeverError."""
    kind = str(wanted.get("kind"))
    if kind not in KINDS:
        raise LeverError(f"no lever {kind!r}; there are {', '.join([*KINDS, *RELEASES, *DEEDS])}")
    known = KINDS[kind].settings
    unknown = set(wanted) - set(known) - {"kind", "count"}
    if unknown:
        raise LeverError(f"{kind} has no setting {', '.join(sorted(unknown))}; it has {', '.join(known) or 'none'}")
    settings = {name: _checked(name, setting, wanted.get(name)) for name, setting in known.items()}
    count = wanted.get("count")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise LeverError("count must be a positive whole number, or null for until removed")
    number = transaction.insert_row(
        "INSERT INTO levers (kind, settings, remaining) VALUES (?, ?, ?)", kind, json.dumps(settings), count
    )
    return Lever(number, kind, settings, count)


def _checked(name: str, setting: Setting, value: Any) -> Any:
    if value is None:
        return setting.default
    if setting.choices and value not in setting.choices:
        raise LeverError(f"{name} must be one of {', '.join(str(choice) for choice in setting.choices)}")
    if isinstance(setting.default, list):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise LeverError(f"{name} must be a list of event types, such as ['checkout.session.*']")
        return value
    if isinstance(setting.default, float):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_SECONDS:
            raise LeverError(f"{name} must be a number of seconds")
        return float(value)
    if type(value) is not type(setting.default):
        raise LeverError(f"{name} must be a {type(setting.default).__name__}")
    if isinstance(value, int) and not isinstance(value, bool) and not 1 <= value <= MOST_TIMES:
        raise LeverError(f"{name} must be between 1 and 1000")
    return value


def list_levers(transaction: Transaction, prefix: str = "") -> list[Lever]:
    """The pulled levers whose kind begins with the prefix, oldest first."""
    found = transaction.rows("SELECT * FROM levers WHERE kind LIKE ? ORDER BY id", re.sub(r"[%_]", "_", prefix) + "%")
    return [Lever(row["id"], row["kind"], json.loads(row["settings"]), row["remaining"]) for row in found]


def use(transaction: Transaction, lever: Lever) -> None:
    """Counts one use; the last one removes the lever."""
    if lever.remaining is None:
        return
    transaction.run("UPDATE levers SET remaining = remaining - 1 WHERE id = ?", lever.id)
    transaction.run("DELETE FROM levers WHERE id = ? AND remaining <= 0", lever.id)


def remove(transaction: Transaction, *, lever_id: int | None = None, kind: str | None = None) -> int:
    """Takes levers off: one, all of a kind, or all. Gives their number."""
    if lever_id is not None:
        return transaction.run("DELETE FROM levers WHERE id = ?", lever_id)
    if kind is not None:
        return transaction.run("DELETE FROM levers WHERE kind = ?", kind)
    return transaction.run("DELETE FROM levers")


def take_for_call(store: Store, method: str, path: str) -> list[Lever]:
    """The API levers that act on this call, one of each kind, each counted as used."""
    with store.read() as transaction:
        if not _fitting(transaction, method, path):
            return []
    with store.write() as transaction:
        taken = _fitting(transaction, method, path)
        for lever in taken:
            use(transaction, lever)
        return taken


def _fitting(transaction: Transaction, method: str, path: str) -> list[Lever]:
    first: dict[str, Lever] = {}
    for lever in list_levers(transaction, "api_"):
        if lever.kind not in STANDING and lever.matches_call(method, path):
            first.setdefault(lever.kind, lever)
    return list(first.values())
