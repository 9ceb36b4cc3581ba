"""Money that moves back, comes twice or comes late; the banks' verdicts; and the reconciler that is killed on its way.

Steps like those in steps.py.
"""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from tests.simulation.world import World

WAITING = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
VERDICT_EVENTS = ("charge.dispute.closed", "charge.dispute.funds_reinstated", "charge.dispute.updated")
REFUSED = 3
RECONCILED = "need attention."


@dataclass(frozen=True)
class SettleDebit:
    """The bank says whether a delayed payment comes."""

    buyer: int
    course: str
    outcome: str

    def run(self, world: World) -> None:
        for payment in world.payments_of(self.buyer, self.course)[:1]:
            world.shop.stripe.control(f"/settle/{payment}", {"outcome": self.outcome})


@dataclass(frozen=True)
class RefundAtStripe:
    """Somebody refunds in Stripe's dashboard, a share of the payment or (1.0) what is left."""

    buyer: int
    course: str
    share: float

    def run(self, world: World) -> None:
        for payment in world.payments_of(self.buyer, self.course)[:1]:
            charges = world.shop.stripe.peek("charge", payment_intent=payment)
            left = sum(each["amount"] - each["amount_refunded"] for each in charges if each["status"] == "succeeded")
            amount = left if self.share >= 1 else _whole(int(left * self.share), charges)
            if amount > 0:
                world.shop.stripe.control(f"/refund/{payment}", {"amount": amount})


@dataclass(frozen=True)
class RefundFromShop:
    """The shop gives money back: an amount, seats by their numbers, or everything; perhaps asked twice with one key."""

    buyer: int
    course: str
    key: str
    share: float | None = None
    seats: tuple[int, ...] = ()
    times: int = 1
    kill_after: float | None = None

    def run(self, world: World) -> None:
        order = world.paid_order_of(self.buyer, self.course)
        if order is None:
            return
        amount = None
        if self.share is not None and not self.seats:
            amount = int(order["total_amount"] * self.share)
            amount -= amount % 10 if order["currency"] == "kwd" else 0
        for time in range(self.times):
            code, output = world.shop.act(
                "refund",
                order=order["public_id"],
                key=self.key,
                amount=amount,
                seats=self.seats,
                kill_after=self.kill_after if time == 0 else None,
            )
            world.counts["refunds asked"] += 1
            if code is None:
                world.counts["kills"] += 1
            elif code == 1 and not world.faults.has_locked():
                world.surprises.append(f"the shop's own refund of {order['public_id']} failed: {output}")


@dataclass(frozen=True)
class SettleRefund:
    """A refund reaches its end at the bank, or comes back from there."""

    buyer: int
    course: str
    outcome: str

    def run(self, world: World) -> None:
        for payment in world.payments_of(self.buyer, self.course)[:1]:
            for refund in world.shop.stripe.peek("refund", payment_intent=payment)[:1]:
                world.shop.stripe.control(f"/settle/{refund['id']}", {"outcome": self.outcome})


@dataclass(frozen=True)
class Dispute:
    """The buyer's bank takes the money back, or only asks."""

    buyer: int
    course: str
    is_inquiry: bool = False
    share: float = 1.0

    def run(self, world: World) -> None:
        for payment in world.payments_of(self.buyer, self.course)[:1]:
            amount = 0
            if self.share < 1:
                charges = world.shop.stripe.peek("charge", payment_intent=payment)
                amount = _whole(int(sum(each["amount"] for each in charges[:1]) * self.share), charges)
            world.shop.stripe.control(f"/dispute/{payment}", {"inquiry": self.is_inquiry, "amount": amount})


@dataclass(frozen=True)
class EndDispute:
    """The bank decides an open dispute ("won", "lost") or drops, or escalates, an inquiry; perhaps no event says so."""

    buyer: int
    course: str
    outcome: str
    is_missed: bool = False

    def run(self, world: World) -> None:
        for payment in world.payments_of(self.buyer, self.course)[:1]:
            for dispute in world.shop.stripe.peek("dispute", payment_intent=payment):
                if dispute["status"] not in WAITING:
                    continue
                if self.outcome == "escalate":
                    world.shop.stripe.control(f"/disputes/{dispute['id']}/escalate")
                    continue
                is_inquiry = dispute["status"].startswith("warning_")
                outcome = "warning_closed" if is_inquiry else self.outcome
                world.deliveries.collect()
                world.shop.stripe.control(f"/disputes/{dispute['id']}/close", {"outcome": outcome})
                if self.is_missed:
                    world.deliveries.drop(VERDICT_EVENTS, dispute["id"])


@dataclass(frozen=True)
class GiveUp:
    """The shop closes an order that can still be paid; what it held is for others then, its money comes late (P3)."""

    buyer: int
    course: str

    def run(self, world: World) -> None:
        order = world.latest_order_of(self.buyer, self.course)
        if order is None:
            return
        world.given_up.add(order["public_id"])
        world.late_sessions[self.buyer, self.course] = world.buyers[self.buyer].session_ids[self.course][-1]
        code, output = world.shop.act("give_up", order=order["public_id"])
        if code == 0:
            world.counts["orders given up"] += 1
        elif code != REFUSED and not world.faults.has_locked():
            world.surprises.append(f"{order['public_id']} could not be given up: {output}")


@dataclass(frozen=True)
class PayLate:
    """The money of an order that was given up: from a page that is still open, or by the bank at last."""

    buyer: int
    course: str

    def run(self, world: World) -> None:
        session_id = world.late_sessions.get((self.buyer, self.course))
        if session_id is not None:
            world.pay(session_id, self.buyer)
            world.shop.stripe.control(f"/settle/{session_id}", {"outcome": "succeeded"})


@dataclass(frozen=True)
class PayTwice:
    """One order has two payable sessions, and its buyer pays both at once (P4)."""

    buyer: int
    course: str

    def run(self, world: World) -> None:
        order = world.latest_order_of(self.buyer, self.course)
        if order is None:
            return
        world.opened_twice.add(order["public_id"])
        code, output = world.shop.act("open_again", order=order["public_id"])
        session_ids = world.buyers[self.buyer].session_ids[self.course]
        if code == 0:
            session_ids.append(output.strip())
            world.counts["orders opened twice"] += 1
        elif code != REFUSED and not world.faults.has_locked():
            world.surprises.append(f"no second session of {order['public_id']}: {output}")
        list(world.pool.map(lambda each: world.pay(each, self.buyer), session_ids[-2:]))


@dataclass(frozen=True)
class Reconcile:
    """`flask stripe reconcile`, so often at once; some are killed on the way, others go on; events come meanwhile."""

    kill_after: tuple[float | None, ...]
    events: int = 0

    def run(self, world: World) -> None:
        world.deliveries.collect()
        meanwhile: Future[None] = world.pool.submit(world.deliveries.deliver, 0.5, self.events, world.pool)
        ends = world.shop.run_at_once("stripe", "reconcile", kill_after=list(self.kill_after))
        meanwhile.result()
        for code, output in ends:
            world.counts["reconcilers"] += 1
            if code is None:
                world.counts["kills"] += 1
                world.counts["reconcilers killed"] += 1
            elif RECONCILED not in output and not world.faults.has_locked():
                world.surprises.append(f"the reconciler ended with {code}: {output[-500:]}")


def _whole(amount: int, charges: list[dict[str, Any]]) -> int:
    """Three-decimal currencies move in whole tens only."""
    return amount - amount % 10 if any(each["currency"] == "kwd" for each in charges) else amount
