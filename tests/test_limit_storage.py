"""Limits in memory: exact and without a crash when many threads ask at once."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from limits.storage import MemoryStorage

from app.limit_storage import ThreadSafeMemoryStorage

THREADS, LIMIT, ROUNDS = 8, 5, 200


class Meeting:
    """Lets two threads that both begin a timer meet between making and starting it."""

    STORAGE_SCHEME: list[str] = []  # noqa: RUF012 - the library's own form
    barrier: threading.Barrier | None = None
    patience_seconds = 30.0

    @property
    def timer(self) -> Any:
        return self._kept_timer

    @timer.setter
    def timer(self, timer: threading.Timer) -> None:
        self._kept_timer = timer
        if self.barrier is not None:
            try:
                is_last = self.barrier.wait(self.patience_seconds) == 0
            except threading.BrokenBarrierError:
                return
            while is_last and self._kept_timer.ident is None:
                pass  # the other one starts it
            if is_last:
                self._kept_timer.join()


class MeetingPlain(Meeting, MemoryStorage):
    """The library's storage."""


class MeetingSafe(Meeting, ThreadSafeMemoryStorage):
    """Ours: its lock keeps the rival away, so nobody is worth waiting for."""

    patience_seconds = 0.2


def ask(storage: MemoryStorage, key: str) -> str:
    try:
        return "in" if storage.acquire_entry(key, LIMIT, 60) else "out"
    except RuntimeError:
        return "crashed"


def ask_from_two_threads(storage: MeetingPlain | MeetingSafe) -> Counter[str]:
    storage.timer.join()
    storage.barrier = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        return Counter(pool.map(lambda _: ask(storage, "key"), range(2)))


def test_two_threads_that_begin_a_timer_at_once_are_both_let_in() -> None:
    assert ask_from_two_threads(MeetingSafe()) == Counter({"in": 2})


def test_control_without_the_lock_one_of_them_crashes() -> None:
    assert ask_from_two_threads(MeetingPlain()) == Counter({"in": 1, "crashed": 1})


def test_many_threads_are_counted_exactly() -> None:
    storage = ThreadSafeMemoryStorage()
    barrier = threading.Barrier(THREADS)

    def ask_together(key: str) -> str:
        barrier.wait()
        return ask(storage, key)

    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = [Counter(pool.map(ask_together, [f"key{number}"] * THREADS)) for number in range(ROUNDS)]

    assert outcomes == [Counter({"in": LIMIT, "out": THREADS - LIMIT})] * ROUNDS
