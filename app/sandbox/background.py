"""What happens without a request: timers come due, webhooks are sent. Threads of this process, stopped together."""

import logging
import threading

from app.sandbox.checkout import settle_payment
from app.sandbox.config import SandboxConfig
from app.sandbox.delivery import Deliverer
from app.sandbox.documents import Document
from app.sandbox.resources.disputes import let_lapse
from app.sandbox.resources.refunds import settle_refund
from app.sandbox.resources.sessions import close_expired
from app.sandbox.store import Store, Transaction
from app.sandbox.timers import Timer, find_next_due, take_due_timer

logger = logging.getLogger(__name__)
_IDLE_SECONDS = 0.25
_JUST_AFTER_SECONDS = 0.001  # a float that was added and taken off again may fall short of the due time


def run_due_timers(store: Store, at: float) -> int:
    """Does everything due by that time, each in its own transaction. Gives how much it was."""
    done = 0
    while True:
        with store.read() as transaction:
            if transaction.row("SELECT 1 FROM timers WHERE due_at <= ?", at) is None:
                return done
        with store.write() as transaction:
            timer = take_due_timer(transaction, at)
            if timer is None:
                return done
            _act(transaction, timer)
        done += 1


def let_time_pass(store: Store, seconds: float) -> int:
    """Moves the clock forward, stopping wherever something falls due, so that it happens at its own time.

    Webhooks whose next try lies in between are only due afterwards; sending them is the deliverer's part. Gives how
    much happened.
    """
    until, done = store.clock.precise_now() + seconds, 0
    while True:
        with store.read() as transaction:
            due_at = find_next_due(transaction, until)
        store.move_clock_to(until if due_at is None else due_at + _JUST_AFTER_SECONDS)
        done += run_due_timers(store, store.clock.precise_now())
        if due_at is None:
            return done


def _act(transaction: Transaction, timer: Timer) -> None:
    if timer.action == "expire_session":
        session = transaction.find("checkout.session", timer.object_id)
        if session is not None and session["status"] == "open":
            close_expired(transaction, session)
    elif timer.action == "settle_payment":
        settle_payment(transaction, timer.object_id, timer.settings["outcome"])
    elif timer.action == "end_dispute":
        let_lapse(transaction, timer.object_id)
    elif timer.action == "settle_refund":
        settle_refund(transaction, timer.object_id, timer.settings["outcome"])


class Background:
    """The sandbox's own threads: one for timers, several for webhooks."""

    def __init__(self, store: Store, deliverer: Deliverer, config: SandboxConfig) -> None:
        self._store = store
        self._deliverer = deliverer
        self._stopping = threading.Event()
        self._news = threading.Condition()
        names = ["timers", *(f"webhooks-{number}" for number in range(config.delivery_threads))]
        self._threads = [
            threading.Thread(target=self._run, args=(name,), name=f"sandbox-{name}", daemon=True) for name in names
        ]
        store.listeners.append(self._wake)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends the threads; a webhook that is being sent is waited for."""
        self._stopping.set()
        with self._news:
            self._news.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=15)

    def _wake(self, _events: list[Document]) -> None:
        with self._news:
            self._news.notify_all()

    def _run(self, name: str) -> None:
        while not self._stopping.is_set():
            try:
                is_busy = self._step(name)
            except Exception:  # the outermost loop of a worker
                logger.exception("sandbox thread %s failed and goes on", name)
                is_busy = False
            if not is_busy:
                with self._news:
                    self._news.wait(_IDLE_SECONDS)

    def _step(self, name: str) -> bool:
        if name == "timers":
            return run_due_timers(self._store, self._store.clock.precise_now()) > 0
        return self._deliverer.send_next() is not None
