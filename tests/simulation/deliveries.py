"""Stripe's webhooks, in the driver's hands: which are lost, doubled, told under two ids, and in which order they come."""

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.simulation.client import Answer, send
from tests.simulation.harness import WEBHOOK_SECRET, Shop

DUPLICATED, SECOND_ID, LOST = 0.30, 0.10, 0.20


@dataclass(frozen=True)
class Fate:
    """What becomes of one event, drawn by the seed before there is any event."""

    is_lost: bool
    copies: int
    has_second_id: bool


def draw_fate(rng: Random) -> Fate:
    copies = 1
    while rng.random() < DUPLICATED and copies < 5:
        copies += 1
    return Fate(is_lost=rng.random() < LOST, copies=copies, has_second_id=rng.random() < SECOND_ID)


@dataclass
class Parcel:
    """One event that is still to be delivered so many times."""

    event: dict[str, Any]
    copies: int


@dataclass
class Deliveries:
    """The outbox of one seed. `answered` are the ids that the shop has answered 2xx."""

    shop: Shop
    counts: Counter[str]
    fates: Random
    check: Callable[[str, Answer], None]
    answered: set[str] = field(default_factory=set)
    waiting: list[Parcel] = field(default_factory=list)
    _last: int = 0

    def collect(self) -> int:
        """Take over what Stripe has told since; gives how many events it was."""
        news = self.shop.stripe.news(self._last)
        for number, event in news:
            self._take(event)
            self._last = number
        return len(news)

    def add(self, event: dict[str, Any]) -> None:
        """An event that is not Stripe's of this shop's doing."""
        self.counts["events"] += 1
        self.waiting.append(Parcel(event, copies=1))

    def drop(self, types: tuple[str, ...], object_id: str) -> None:
        """Stripe never tells this shop what it told of an object lately (it gives up after three days)."""
        self.collect()
        kept = [each for each in self.waiting if not _is_about(each.event, types, object_id)]
        self.counts["verdicts missed"] += len(self.waiting) - len(kept)
        self.waiting = kept

    def deliver(self, choice: float, number: int, pool: Executor) -> None:
        """Deliver some waiting events at once; `choice` in [0, 1) says which."""
        if not self.waiting:
            return
        chosen = [self.waiting[int(choice * len(self.waiting))]]
        rest = [parcel for parcel in self.waiting if parcel is not chosen[0]]
        Random(choice).shuffle(rest)
        chosen += rest[: number - 1]
        # The same event at once from two connections, now and then: Stripe does not wait for itself.
        sent = [parcel for parcel in chosen for _ in range(min(parcel.copies, 2) if choice > 0.7 else 1)]
        for parcel, is_taken in zip(sent, pool.map(lambda parcel: self._send(parcel.event), sent), strict=True):
            if is_taken:
                parcel.copies -= 1
        self.waiting = [parcel for parcel in self.waiting if parcel.copies > 0]

    def deliver_rest(self, rng: Random, pool: Executor) -> None:
        """Deliver everything that waits, in any order. Raises nothing; what is refused goes on waiting."""
        rng.shuffle(self.waiting)
        for _ in range(len(self.waiting) * 5 + 5):
            if not self.waiting:
                return
            self.deliver(rng.random(), 3, pool)

    def _take(self, event: dict[str, Any]) -> None:
        fate = draw_fate(self.fates)
        self.counts["events"] += 1
        if fate.is_lost:
            self.counts["lost"] += 1
            return
        self.waiting.append(Parcel(event, fate.copies))
        if fate.has_second_id:
            self.counts["second ids"] += 1
            self.waiting.append(Parcel({**event, "id": event["id"] + "_again"}, copies=1))

    def _send(self, event: dict[str, Any]) -> bool:
        payload = json.dumps(event).encode()
        moment = int(self.shop.now())
        digest = hmac.new(WEBHOOK_SECRET.encode(), b"%d." % moment + payload, hashlib.sha256).hexdigest()
        answer = send(
            f"{self.shop.url}/webhooks/stripe",
            method="POST",
            body=payload,
            headers={"Stripe-Signature": f"t={moment},v1={digest}", "Content-Type": "application/json"},
        )
        self.counts["deliveries"] += 1
        self.check("webhook", answer)
        if answer.status != 200:
            self.counts["deliveries refused"] += 1
            return False
        if event["id"] in self.answered:
            self.counts["duplicates"] += 1
        self.answered.add(event["id"])
        return True


def _is_about(event: dict[str, Any], types: tuple[str, ...], object_id: str) -> bool:
    return event["type"] in types and event["data"]["object"]["id"] == object_id
