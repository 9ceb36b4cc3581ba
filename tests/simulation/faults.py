"""What goes wrong besides kills: Stripe misbehaves, the database is locked, mail is down. Each for a few steps.

Keeps when each fault acted, so that a refusal the shop gave meanwhile can be told from one that nothing explains.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.simulation.databases import Lock
from tests.simulation.harness import Shop

# How often each kind of fault is chosen, and how.
STRIPE_WEIGHTS = (
    (16, ("api_error", "before")),
    (16, ("api_error", "after")),
    (14, ("api_close", "before")),
    (16, ("api_close", "after")),
    (14, ("api_garbage", "")),
    (1, ("api_hang", "before")),
    (1, ("api_hang", "after")),
)
STATUSES = (500, 500, 502, 503, 429, 409)
PATHS = (
    ("POST", "/v1/checkout/sessions"),
    ("POST", "/v1/checkout/sessions"),
    ("GET", "/v1/checkout/sessions*"),
    ("GET", "/v1/payment_intents/*"),
    ("", "/v1/refunds*"),
    ("", "/v1/prices*"),
    ("", "/v1/products*"),
    ("GET", "/v1/charges*"),
    ("GET", "/v1/disputes*"),
)
# Longer than the shop waits for Stripe (zygote.SCALED), and for its database.
HANG_SECONDS = 3.0
SHORT_LOCK_SECONDS, LONG_LOCK_SECONDS, LOCK_WAIT_SECONDS = 0.15, 5.5, 5.0


@dataclass(frozen=True)
class StripeFault:
    """Calls to Stripe fail for some steps. when: before or after Stripe has carried them out."""

    kind: str
    settings: tuple[tuple[str, Any], ...]
    steps: int


@dataclass(frozen=True)
class LockFault:
    """Somebody else holds the database."""

    seconds: float


@dataclass(frozen=True)
class MailFault:
    """Mail cannot be sent for some steps."""

    steps: int


Fault = StripeFault | LockFault | MailFault


def choose_stripe_fault(rng: Random) -> StripeFault:
    kind, when = rng.choices([fault for _, fault in STRIPE_WEIGHTS], [weight for weight, _ in STRIPE_WEIGHTS])[0]
    method, path = rng.choice(PATHS)
    settings: dict[str, Any] = {"method": method, "path": path, "count": rng.choice((1, 1, 2, 3, None))}
    if when:
        settings["when"] = when
    if kind == "api_error":
        # What Stripe has carried out it answers the same way for a day, whatever it answered first.
        settings |= {"status": rng.choice(STATUSES), "stored": when == "after" or rng.random() < 0.3}
    elif kind == "api_hang":
        settings |= {"seconds": HANG_SECONDS, "count": 1}
    elif kind == "api_garbage":
        settings["body"] = rng.choice(("html", "truncated"))
    return StripeFault(kind, tuple(settings.items()), steps=rng.randint(1, 4))


def choose_lock(rng: Random) -> LockFault:
    return LockFault(LONG_LOCK_SECONDS if rng.random() < 0.03 else SHORT_LOCK_SECONDS)


def choose_mail_fault(rng: Random) -> MailFault:
    return MailFault(steps=rng.randint(1, 8))


@dataclass
class Faults:
    """Makes the faults of one seed, ends them, and remembers when they were."""

    shop: Shop
    counts: Counter[str]
    began_at: dict[str, float] = field(default_factory=dict)  # the first of each kind, monotonic seconds
    locks: list[Lock] = field(default_factory=list)
    killed: list[tuple[str, float]] = field(default_factory=list)
    _levers: list[list[int]] = field(default_factory=list)  # [lever, steps left]
    _mail_steps: int = 0

    def begin(self, fault: Fault) -> None:
        if isinstance(fault, StripeFault):
            self.counts["stripe faults"] += 1
            self.began_at.setdefault("stripe", time.monotonic())
            lever = self.shop.stripe.pull(fault.kind, **dict(fault.settings))
            self._levers.append([lever, fault.steps])
        elif isinstance(fault, LockFault):
            self.counts["locks"] += 1
            self.locks.append(Lock(self.shop.database, fault.seconds))
        else:
            self.counts["mail faults"] += 1
            self._mail_steps = max(self._mail_steps, fault.steps)
            self.shop.break_mail()

    def end_step(self) -> None:
        """One more step has gone by: what has lasted long enough ends."""
        for each in self._levers:
            each[1] -= 1
            if each[1] == 0:
                self.shop.stripe.release(each[0])
        self._levers = [each for each in self._levers if each[1] > 0]
        if self._mail_steps:
            self._mail_steps -= 1
            if not self._mail_steps:
                self.shop.mend_mail()

    def end_all(self) -> None:
        for lock in self.locks:
            lock.wait()
        self._levers.clear()
        self._mail_steps = 0
        self.shop.stripe.release_all()
        self.shop.mend_mail()

    def note_kill(self, part: str) -> None:
        self.counts["kills"] += 1
        self.killed.append((part, time.monotonic()))

    def has_locked(self) -> bool:
        """Whether the database was ever held: whatever waited for it may have given up."""
        return bool(self.locks)

    def explains(self, kind: str, *, began: float, ended: float) -> bool:
        """Whether a fault of that kind ("lock", "kill", "stripe") can be why an answer in that span was a refusal."""
        if kind == "lock":
            # Whoever waited in vain may have been the last in a row of those who did.
            return any(lock.began <= ended and began <= lock.ended + LOCK_WAIT_SECONDS for lock in self.locks)
        if kind == "kill":
            return any(part == "web" and began - 0.05 <= at <= ended + 0.05 for part, at in self.killed)
        # An error under an idempotency key repeats itself: a fault of Stripe's explains what comes after it, too.
        return kind in self.began_at and self.began_at[kind] <= ended
