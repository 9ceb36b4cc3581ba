"""Rate limits counted in this process's memory, exactly, however many threads ask at once."""

import threading
from collections import defaultdict

from limits.storage import MemoryStorage


class ThreadSafeMemoryStorage(MemoryStorage):
    """The library's storage behind one lock.

    Its own lets two threads start one timer, which raises RuntimeError and made one purchase in some hundreds answer
    500 under load; and it drops the lock of a key that another thread waits for, so that a limit can be overrun
    (limits 5.8.0, found by the simulator at seeds 167 and 233).
    """

    STORAGE_SCHEME = ["exact-memory"]  # noqa: RUF012 - the library's own form

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: str) -> None:  # noqa: FBT001, FBT002 - the library's signature
        lock = threading.RLock()
        self._lock = lock
        super().__init__(uri, wrap_exceptions=wrap_exceptions, **options)
        self.locks = defaultdict(lambda: lock)

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """The library's, by one thread at a time."""
        with self._lock:
            return super().incr(key, expiry, amount)

    def decr(self, key: str, amount: int = 1) -> int:
        """The library's, by one thread at a time."""
        with self._lock:
            return super().decr(key, amount)

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """The library's, by one thread at a time."""
        with self._lock:
            return super().acquire_entry(key, limit, expiry, amount)
