"""One seed's run: who is there, what they have, and what was noticed on the way."""

import re
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
from tests.simulation.mailbox import Mailbox

# What a fault may do to an answer of each kind: nothing but a lock may make a webhook or a page fail (R1, P10).
EXPLANATIONS = {"webhook": ("lock",), "page": ("lock",), "seats": ("lock",), "checkout": ("lock", "stripe")}
GOOD_STATUSES = {
    "webhook": {200},
    "page": {200, 302, 303, 404, 409, 410, 422},
    # An old page, a full link, an address that had its share of mails.
    "seats": {303, 404, 409, 410, 422, 429},
    "checkout": {303, 307, 409, 422},
}
JOIN = re.compile(r'value="[^"]*(/seats/join/[^"]+)"')
JOIN_LIMIT = re.compile(r"\d+ of (\d+) used")
# Where buyers say that they are, in turn: with tax on top or none, and a company that owes it at home.
PLACES: tuple[dict[str, str], ...] = (
    {"country": "DE", "postal_code": "10115"},
    {"country": "FR", "postal_code": "75001", "tax_id": "FRAB123456789"},
    {"country": "US", "postal_code": "94105"},
    {"country": "GB", "postal_code": "EC1A 1BB"},
)


@dataclass
class Link:
    """A team's shared link as its owner's page showed it, and who followed it."""

    number: int
    owner: Buyer
    course: str
    path: str
    limit: int
    joiners: set[str] = field(default_factory=set)


@dataclass
class World:
    """Everything the steps of a seed act on."""

    shop: Shop
    pool: Executor
    fates: Random
    buyers: list[Buyer] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)  # the shop's, where they are not its own
    gifts: set[str] = field(default_factory=set)  # addresses that courses were given to
    people: dict[str, Buyer] = field(default_factory=dict)  # who was invited or followed a shared link, by address
    mails_asked: Counter[str] = field(default_factory=Counter)  # invitations that may be sent, by address
    seats_changed: Counter[str] = field(default_factory=Counter)  # wishes to take a seat back, by its public id
    links: list[Link] = field(default_factory=list)
    given_up: set[str] = field(default_factory=set)  # orders that were closed while they could be paid
    late_sessions: dict[tuple[int, str], str] = field(default_factory=dict)  # theirs, by buyer and course
    opened_twice: set[str] = field(default_factory=set)  # orders that had two payable sessions
    unknown_orders: set[str] = field(default_factory=set)  # ids of events that name an order nobody knows

    def __post_init__(self) -> None:
        self.faults = Faults(self.shop, self.counts)
        self.deliveries = Deliveries(self.shop, self.counts, self.fates, self.check)
        self.mailbox = Mailbox(self.shop.mail_folder)

    def course(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.shop.front["courses"][name]
        return found

    @property
    def front_titles(self) -> list[str]:
        """What the courses are called."""
        return list(self.shop.front["courses"])

    def session_of(self, buyer: int, course: str) -> str | None:
        """The Checkout Session this buyer was sent to last."""
        ids = self.buyers[buyer].session_ids.get(course)
        return ids[-1] if ids else None

    def payments_of(self, buyer: int, course: str) -> list[str]:
        """The PaymentIntents behind everything this buyer was sent to, newest first."""
        ids = self.buyers[buyer].session_ids.get(course, [])
        sessions = [each for each in self.shop.stripe.peek("checkout.session") if each["id"] in ids]
        return [session["payment_intent"] for session in sessions if session["payment_intent"]]

    def latest_order_of(self, buyer: int, course: str, condition: str = "true") -> dict[str, Any] | None:
        """The latest order of this buyer for this course that was to be paid at Stripe, as the shop has it."""
        ids = self.buyers[buyer].session_ids.get(course, [])
        if not ids:
            return None
        quoted = ", ".join(f"'{each}'" for each in ids)
        found = self.shop.database.execute(
            f"SELECT o.* FROM orders o JOIN checkout_attempts a ON a.order_id = o.id WHERE {condition}"
            f" AND a.stripe_checkout_session_id IN ({quoted}) ORDER BY o.id DESC"
        )
        return found[0] if found else None

    def paid_order_of(self, buyer: int, course: str) -> dict[str, Any] | None:
        """The latest of these that money reached."""
        return self.latest_order_of(buyer, course, "o.number IS NOT NULL")

    def team_order_of(self, buyer: int, course: str) -> dict[str, Any] | None:
        """The latest paid one with several seats."""
        return self.latest_order_of(buyer, course, "o.number IS NOT NULL AND o.purpose = 'team'")

    def pay(self, session_id: str, buyer: int, **typed: str) -> None:
        """Fill in Stripe's page, from where this buyer lives."""
        body = {"email": self.buyers[buyer].email, **PLACES[buyer % len(PLACES)], **typed}
        self.shop.stripe.control(f"/pay/{session_id}", body)

    def person(self, address: str) -> Buyer:
        """Whoever reads an address's mails, in a browser of their own."""
        if address not in self.people:
            self.people[address] = Buyer(self.shop, 100 + len(self.people), address, self.check)
        return self.people[address]

    def expect_mail(self, address: str, course: str, *, times: int = 1) -> None:
        """An owner, or the person, asks for an invitation."""
        self.mails_asked[address] += times
        self.person(address).courses.add(course)

    def note_link(self, owner: Buyer, course: str, html: str) -> None:
        """Keep the shared link that an owner's page shows."""
        path, limit = JOIN.search(html), JOIN_LIMIT.search(html)
        if path and limit and all(link.path != path.group(1) for link in self.links):
            self.links.append(Link(len(self.links), owner, course, path.group(1), int(limit.group(1))))

    def links_of(self, buyer: int, course: str) -> list[Link]:
        """Every shared link this buyer ever had for this course, the oldest first."""
        return [link for link in self.links if link.owner is self.buyers[buyer] and link.course == course]

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
    main = answer.body.decode(errors="replace").partition("<main")[2] or answer.body.decode(errors="replace")
    return " ".join(re.sub(r"<[^>]*>", " ", main).split())[:300]
