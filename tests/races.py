"""Everybody at once: real threads, each with its own context and connection, that start together."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from flask import Flask

from app.db import db

PATIENCE_SECONDS = 60


class Pause:
    """Where every thread waits between its check and its write, and what each saw before."""

    def __init__(self, threads: int) -> None:
        self._barrier = threading.Barrier(threads)
        self.seen = threading.local()

    def wait(self) -> None:
        self._barrier.wait(PATIENCE_SECONDS)


def run_at_once(app: Flask, *calls: Callable[[], Any]) -> list[Any]:
    """Start all calls at the same moment; gives what each returned or raised, in the order of the calls."""
    outcomes: list[Any] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def run(index: int, call: Callable[[], Any]) -> None:
        with app.app_context():
            start.wait(PATIENCE_SECONDS)
            try:
                outcomes[index] = call()
            except Exception as error:  # noqa: BLE001 - the test looks at it
                outcomes[index] = error
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "a thread hangs: a deadlock that nobody resolves"
    db.session.rollback()
    return outcomes


def kinds(outcomes: list[Any]) -> Counter[str]:
    return Counter(type(outcome).__name__ for outcome in outcomes)
