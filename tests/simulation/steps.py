"""What can happen, one small class each. A step is data drawn from the seed; run() lets it happen in a world.

A step whose ground is missing (nothing was paid, so nothing can be refunded) does nothing: which grounds there are
depends on what the faults before have left, never on chance at run time.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from tests.simulation.world import World


class Step(Protocol):
    """One thing that happens."""

    def run(self, world: World) -> None: ...


@dataclass(frozen=True)
class Wish:
    """What the checkout page's form says beside the price. form: a page's own random value, "" for the button.

    gift: the recipient's number, None for no gift. gift_days: how many days from now the gift's mail goes out.
    is_forgetful: the last box that the shop wants ticked stays empty.
    """

    quantity: int = 1
    takes_seat: bool = True
    code: str = ""
    gift: int | None = None
    gift_days: int = 0
    form: str = ""
    is_forgetful: bool = False

    def fields(self, world: World) -> dict[str, str]:
        if not self.form:
            return {}
        ticked = list(world.settings.get("consents", ()))[: -1 if self.is_forgetful else None]
        found = {"form_key": self.form, "code": self.code, **{f"consent_{kind}": "1" for kind in ticked}}
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
        answers = buyer.enroll(self.course, fields, clicks=self.clicks, pool=world.pool)
        wanted = world.settings.get("consents", ())
        if not wanted:
            return
        if not self.wish.form:
            # The button has no boxes: it leads to the page that has them, on which this buyer goes on.
            fields |= replace(self.wish, form=f"page{self.buyer}{self.course}").fields(world)
            buyer.enroll(self.course, fields, clicks=1, pool=world.pool)
            answers = [answer for answer in answers if answer.status == 303 and "/checkout/prc_" not in answer.location]
        elif not self.wish.is_forgetful:
            return
        world.counts["consents refused"] += 1
        world.surprises += [
            f"{buyer.email} came to {each.location} without a consent" for each in answers if each.status == 303
        ]


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
        typed = {"card": self.card, "method": self.method}
        if self.three_d_secure:
            typed["three_d_secure"] = self.three_d_secure
        list(world.pool.map(lambda _: world.pay(session_id, self.buyer, **typed), range(self.tabs)))


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
class Claim:
    """A guest opens the mailed link and takes the seat."""

    buyer: int
    clicks: int = 1

    def run(self, world: World) -> None:
        buyer = world.buyers[self.buyer]
        for link in world.mailbox.list_claim_links(buyer.email):
            list(world.pool.map(lambda _, link=link: buyer.post(link, {}), range(self.clicks)))


@dataclass(frozen=True)
class Deliver:
    """Stripe delivers some of the events that wait, in any order."""

    choice: float
    number: int = 1

    def run(self, world: World) -> None:
        world.deliveries.collect()
        world.deliveries.deliver(self.choice, self.number, world.pool)


@dataclass(frozen=True)
class Work:
    """The shop does everything that is due, and the next step waits for it."""

    def run(self, world: World) -> None:
        world.shop.run("jobs", "run-once")


@dataclass(frozen=True)
class PassTime:
    """Time goes by, for the shop and for Stripe."""

    seconds: float

    def run(self, world: World) -> None:
        world.shop.let_time_pass(self.seconds)


def gift_address(number: int) -> str:
    """Where a gift goes."""
    return f"friend{number}@example.org"
