"""What can happen, one small class each. A step is data drawn from the seed; run() lets it happen in a world.

A step whose ground is missing (nothing was paid, so nothing can be refunded) does nothing: which grounds there are
depends on what the faults before have left, never on chance at run time.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from time import monotonic
from typing import Any, Protocol

from tests.simulation.buyer import Buyer
from tests.simulation.world import World

WAITING = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
CLAIM = re.compile(r"(/seats/claim/\S+)")


class Step(Protocol):
    """One thing that happens."""

    def run(self, world: World) -> None: ...


@dataclass(frozen=True)
class Wish:
    """What the checkout page's form says beside the price. form: a page's own random value, "" for the button.

    gift: the recipient's number, None for no gift. gift_days: how many days from now the gift's mail goes out.
    """

    quantity: int = 1
    takes_seat: bool = True
    code: str = ""
    gift: int | None = None
    gift_days: int = 0
    form: str = ""

    def fields(self, world: World) -> dict[str, str]:
        if not self.form:
            return {}
        found = {"form_key": self.form, "code": self.code}
        if self.gift is not None:
            found |= {"purpose": "gift", "recipient_email": gift_address(self.gift), "giver_name": "Giver"}
            if self.gift_days:
                found["gift_on"] = str(datetime.fromtimestamp(world.shop.now(), UTC).date() + timedelta(self.gift_days))
        elif self.quantity > 1:
            found |= {"purpose": "team", "quantity": str(self.quantity)}
            found |= {"takes_seat": "1"} if self.takes_seat else {}
        return found


@dataclass(frozen=True)
class Enroll:
    """A buyer presses Enroll, perhaps several times at once."""

    buyer: int
    course: str
    clicks: int = 1
    wish: Wish = field(default_factory=Wish)

    def run(self, world: World) -> None:
        buyer, course = world.buyers[self.buyer], world.course(self.course)
        fields = {"price_id": course["price_id"], **self.wish.fields(world)}
        is_free = course["amount"] == 0 or self.wish.code
        if is_free and buyer.user_id is None:
            fields["email"] = buyer.email
        if self.wish.gift is not None:
            world.gifts.add(gift_address(self.wish.gift))
        world.counts["clicks"] += self.clicks
        buyer.enroll(self.course, fields, clicks=self.clicks, pool=world.pool)


@dataclass(frozen=True)
class Pay:
    """A buyer fills in Stripe's page, perhaps in several tabs at once."""

    buyer: int
    course: str
    card: str = "4242424242424242"
    method: str = "card"
    three_d_secure: str = ""
    tabs: int = 1

    def run(self, world: World) -> None:
        session_id = world.session_of(self.buyer, self.course)
        if session_id is None:
            return
        body = {"email": world.buyers[self.buyer].email, "card": self.card, "method": self.method}
        if self.three_d_secure:
            body["three_d_secure"] = self.three_d_secure
        list(world.pool.map(lambda _: world.shop.stripe.control(f"/pay/{session_id}", body), range(self.tabs)))


@dataclass(frozen=True)
class ComeBack:
    """A buyer returns from Stripe's page, perhaps reloading."""

    buyer: int
    course: str
    times: int = 1

    def run(self, world: World) -> None:
        session_id = world.session_of(self.buyer, self.course)
        if session_id is not None:
            list(world.pool.map(lambda _: world.buyers[self.buyer].come_back(session_id), range(self.times)))


@dataclass(frozen=True)
class GoBack:
    """A buyer leaves Stripe's page without paying."""

    buyer: int

    def run(self, world: World) -> None:
        world.buyers[self.buyer].get("/checkout/cancelled")


@dataclass(frozen=True)
class Expire:
    """Stripe closes a session that was left open."""

    buyer: int
    course: str

    def run(self, world: World) -> None:
        session_id = world.session_of(self.buyer, self.course)
        if session_id is not None:
            world.shop.stripe.post(f"/v1/checkout/sessions/{session_id}/expire")


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
class Claim:
    """A guest opens the mailed link and takes the seat."""

    buyer: int
    clicks: int = 1

    def run(self, world: World) -> None:
        buyer = world.buyers[self.buyer]
        for link in sorted({link for mail in read_mails(world, buyer.email) for link in CLAIM.findall(mail)}):
            list(world.pool.map(lambda _, link=link: buyer.post(link, {}), range(self.clicks)))


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
            code, output = world.shop.refund(
                order=order["public_id"],
                key=self.key,
                amount=amount,
                seats=self.seats,
                kill_after=self.kill_after if time == 0 else None,
            )
            world.counts["refunds asked"] += 1
            if code is None:
                world.counts["kills"] += 1
            elif code == 1 and not world.faults.explains("lock", began=0.0, ended=monotonic()):
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
    """The bank decides an open dispute ("won", "lost") or drops, or escalates, an inquiry."""

    buyer: int
    course: str
    outcome: str

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
                world.shop.stripe.control(f"/disputes/{dispute['id']}/close", {"outcome": outcome})


@dataclass(frozen=True)
class Deliver:
    """Stripe delivers some of the events that wait, in any order."""

    choice: float
    number: int = 1

    def run(self, world: World) -> None:
        world.deliveries.collect()
        world.deliveries.deliver(self.choice, self.number, world.pool)


@dataclass(frozen=True)
class Noise:
    """An event that concerns no order of this shop: foreign, unknown, thin, or naming an order that nobody knows."""

    kind: str
    number: int

    def run(self, world: World) -> None:
        event = _NOISE[self.kind](self.number)
        if self.kind == "unknown_order":
            world.unknown_orders.add(event["id"])
        world.deliveries.add(event)


@dataclass(frozen=True)
class PassTime:
    """Time goes by, for the shop and for Stripe."""

    seconds: float

    def run(self, world: World) -> None:
        world.shop.let_time_pass(self.seconds)


def gift_address(number: int) -> str:
    """Where a gift goes."""
    return f"friend{number}@example.org"


def open_gift(world: World, address: str) -> None:
    """Somebody who was given a course takes it, in a browser of their own."""
    friend = Buyer(world.shop, 100 + len(address), address, world.check)
    for link in sorted({link for mail in read_mails(world, address) for link in CLAIM.findall(mail)}):
        friend.post(link, {})


def read_mails(world: World, address: str) -> list[str]:
    """The texts of the mails that have reached an address."""
    texts = []
    if world.shop.mail_folder.is_dir():
        for path in world.shop.mail_folder.glob("*.eml"):
            mail = message_from_bytes(path.read_bytes(), policy=policy.default)
            body = mail.get_body(("plain",))
            if mail["To"] == address and body is not None:
                texts.append(body.get_content())
    return texts


def _whole(amount: int, charges: list[dict[str, Any]]) -> int:
    """Three-decimal currencies move in whole tens only."""
    return amount - amount % 10 if any(each["currency"] == "kwd" for each in charges) else amount


def _event(number: int, kind: str, document: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"evt_noise{number}",
        "object": "event",
        "type": kind,
        "api_version": "2026-01-01",
        "livemode": False,
        "created": 1,
        "data": {"object": document},
    }


def _session(number: int, metadata: dict[str, str] | None) -> dict[str, Any]:
    return {"id": f"cs_test_noise{number}", "object": "checkout.session", "payment_intent": None, "metadata": metadata}


_NOISE: dict[str, Callable[[int], dict[str, Any]]] = {
    "foreign": lambda number: _event(
        number, "checkout.session.completed", _session(number, {"app_id": "another_shop", "order": "ord_1"})
    ),
    "bare": lambda number: _event(number, "checkout.session.completed", _session(number, None)),
    "unknown_type": lambda number: _event(number, "terminal.reader.action_failed", {"id": f"tmr_{number}"}),
    "thin": lambda number: {"id": f"evt_noise{number}", "object": "v2.core.event", "type": "v1.billing.meter.error"},
    "unknown_order": lambda number: _event(
        number,
        "checkout.session.completed",
        _session(number, {"app_id": "tuition_simulation", "order": f"ord_nobody{number}", "attempt": "1"}),
    ),
}
NOISES = tuple(_NOISE)
