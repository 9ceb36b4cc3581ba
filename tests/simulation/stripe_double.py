"""The driver's hands and eyes at the offline Stripe: its controls, and its API for what is true there.

Between faults the driver looks into the sandbox's file instead: a call of its own would meet, and use up, the levers
that are meant for the shop.
"""

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.simulation.client import Answer, send, send_json

KEY = "sk_test_offline_sandbox"
PAGE = 100


class StripeDouble:
    """Talks to the sandbox process; its time is the system's plus what `advance` was told last."""

    def __init__(self, url: str, file: Path) -> None:
        self.url = url
        self._file = file
        # One connection for every look, one look at a time: opening one reads the whole schema.
        self._connection: sqlite3.Connection | None = None
        self._reading = threading.Lock()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def control(self, path: str, document: dict[str, Any] | None = None) -> Answer:
        return send_json(f"{self.url}/_sandbox{path}", document or {})

    def list_all(self, path: str, **filters: str) -> list[dict[str, Any]]:
        """Every object of a list, newest first."""
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {**filters, "limit": PAGE}
        while True:
            page = self.get(f"{path}?{urlencode(query)}")
            found += page["data"]
            if not page["has_more"]:
                return found
            query["starting_after"] = found[-1]["id"]

    def peek(self, kind: str, **wanted: str) -> list[dict[str, Any]]:
        """Every object of a kind whose fields have these values, newest first."""
        found = [json.loads(text) for _, text in self._read(kind, after=0)]
        return [each for each in reversed(found) if all(each[name] == value for name, value in wanted.items())]

    def news(self, after: int) -> list[tuple[int, dict[str, Any]]]:
        """The events that Stripe has told of since the one with that number, with theirs, oldest first."""
        return [(number, json.loads(text)) for number, text in self._read("event", after=after)]

    def _read(self, kind: str, *, after: int) -> list[tuple[int, str]]:
        with self._reading:
            if self._connection is None:
                self._connection = sqlite3.connect(
                    f"file:{self._file}?mode=ro", uri=True, timeout=30, check_same_thread=False
                )
            return self._connection.execute(
                "SELECT seq, json FROM objects WHERE object = ? AND seq > ? ORDER BY seq", (kind, after)
            ).fetchall()

    def get(self, path: str) -> Any:
        answer = send(f"{self.url}{path}", headers={"Authorization": f"Bearer {KEY}"})
        if answer.status != 200:
            raise RuntimeError(f"the sandbox answered {answer.status} to {path}: {answer.body[:300]!r}")
        return answer.json()

    def post(self, path: str) -> Answer:
        return send(f"{self.url}{path}", method="POST", headers={"Authorization": f"Bearer {KEY}"})

    def advance(self, seconds: float) -> None:
        """Stripe's time goes by; what falls due meanwhile happens at its own moment."""
        self.control("/clock", {"advance_seconds": seconds})

    def pull(self, kind: str, **settings: Any) -> int:
        """Pulls a lever; gives its number."""
        answer = self.control("/levers", {"kind": kind, **settings})
        if answer.status != 200:
            raise RuntimeError(f"lever {kind}: {answer.body[:300]!r}")
        return int(answer.json()["id"])

    def release(self, lever: int) -> None:
        send(f"{self.url}/_sandbox/levers/{lever}", method="DELETE")

    def release_all(self) -> None:
        send(f"{self.url}/_sandbox/levers", method="DELETE")

    def reset(self) -> None:
        self.control("/reset")
        send(f"{self.url}/_sandbox/clock", method="DELETE")
