"""One seed's run: who is there, what they have, and what was noticed on the way."""

from collections import Counter
from concurrent.futures import Executor
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.simulation.buyer import Buyer
from tests.simulation.client import Answer
from tests.simulation.deliveries import Deliveries
from tests.simulation.faults import Faults
from tests.simulation.harness import Shop

# What a fault may do to an answer of each kind: nothing but a lock may make a webhook or a page fail (R1, P10).
EXPLANATIONS = {"webhook": ("lock",), "page": ("lock",), "checkout": ("lock", "stripe")}
GOOD_STATUSES = {
    "webhook": {200},
    "page": {200, 302, 303, 404, 409, 410, 422},
    "checkout": {303, 307, 409, 422},
}


@dataclass
class World:
    """Everything the steps of a seed act on."""

    shop: Shop
    pool: Executor
    fates: Random
    buyers: list[Buyer] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)
    gifts: set[str] = field(default_factory=set)  # addresses that courses were given to
    unknown_orders: set[str] = field(default_factory=set)  # ids of events that name an order nobody knows

    def __post_init__(self) -> None:
        self.faults = Faults(self.shop, self.counts)
        self.deliveries = Deliveries(self.shop, self.counts, self.fates, self.check)

    def course(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.shop.front["courses"][name]
        return found

    def session_of(self, buyer: int, course: str) -> str | None:
        """The Checkout Session this buyer was sent to last."""
        ids = self.buyers[buyer].session_ids.get(course)
        return ids[-1] if ids else None

    def payments_of(self, buyer: int, course: str) -> list[str]:
        """The PaymentIntents behind everything this buyer was sent to, newest first."""
        ids = self.buyers[buyer].session_ids.get(course, [])
        sessions = [each for each in self.shop.stripe.peek("checkout.session") if each["id"] in ids]
        return [session["payment_intent"] for session in sessions if session["payment_intent"]]

    def paid_order_of(self, buyer: int, course: str) -> dict[str, Any] | None:
        """The latest order of this buyer for this course that money reached, as the shop has it."""
        ids = self.buyers[buyer].session_ids.get(course, [])
        if not ids:
            return None
        quoted = ", ".join(f"'{each}'" for each in ids)
        found = self.shop.database.execute(
            "SELECT o.* FROM orders o JOIN checkout_attempts a ON a.order_id = o.id WHERE o.number IS NOT NULL"
            f" AND a.stripe_checkout_session_id IN ({quoted}) ORDER BY o.id DESC"
        )
        return found[0] if found else None

    def check(self, kind: str, answer: Answer) -> None:
        """Note an answer that no fault explains."""
        span = {"began": answer.began, "ended": answer.ended}
        if answer.status is None:
            if not self.faults.explains("kill", **span):
                self.surprises.append(f"a {kind} request got no answer though nothing was killed")
        elif answer.status >= 500:
            self.counts["refusals"] += 1
            if not any(self.faults.explains(each, **span) for each in EXPLANATIONS[kind]):
                self.surprises.append(f"a {kind} request was answered {answer.status}: {_text(answer)}")
        elif answer.status not in GOOD_STATUSES[kind]:
            self.surprises.append(f"a {kind} request was answered {answer.status}: {_text(answer)}")


def _text(answer: Answer) -> str:
    return " ".join(answer.body.decode(errors="replace").split())[-300:]
