"""The seats page of a team's buyer, and what the people do who hear of a seat. Steps like those in steps.py.

Whoever is invited by address and whoever joins by a shared link have addresses of different kinds, a joiner's names its
link: at the end it shows who sits where by which way.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.simulation.buyer import Buyer
from tests.simulation.world import Link, World

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
SEAT = re.compile(r'name="seat" value="(\w+)"')
LESSON = "lesson-2"


def member_address(number: int) -> str:
    """Somebody whom an owner invites."""
    return f"member{number}@example.org"


@dataclass(frozen=True)
class SeatsPage:
    """The page as its owner sees it now; action() sends one of its forms."""

    owner: Buyer
    path: str
    token: str
    html: str
    order: dict[str, Any]

    @property
    def seat_ids(self) -> list[str]:
        """The seats that have a form, each once, in their order."""
        return list(dict.fromkeys(SEAT.findall(self.html)))

    def send(self, action: str, **fields: str) -> None:
        self.owner.post(f"{self.path}/{action}", {"csrf_token": self.token, **fields}, kind="seats")


def open_seats_page(world: World, buyer: int, course: str) -> SeatsPage | None:
    """The page of the latest paid team order: in the account or browser that bought it, else by the receipt's link."""
    order, owner = world.team_order_of(buyer, course), world.buyers[buyer]
    if order is None:
        return None
    path = f"/account/orders/{order['public_id']}/seats"
    answer = owner.get(path)
    if answer.status == 404:
        link = world.mailbox.find_order_link(owner.email, order["number"])
        if link is None:
            return None
        path = f"{link}/seats"
        answer = owner.get(path)
    html = answer.body.decode(errors="replace")
    token = TOKEN.search(html)
    if token is None:
        return None
    world.note_link(owner, course, html)
    return SeatsPage(owner=owner, path=path, token=token.group(1), html=html, order=order)


@dataclass(frozen=True)
class Invite:
    """The owner invites one address, or pastes a list as people keep them."""

    buyer: int
    course: str
    people: tuple[int, ...]
    times: int = 1

    def run(self, world: World) -> None:
        page = open_seats_page(world, self.buyer, self.course)
        if page is None:
            return
        addresses = [member_address(number) for number in self.people]
        for address in addresses:
            world.expect_mail(address, self.course)
        text = addresses[0] if len(addresses) == 1 else _paste(addresses)
        list(world.pool.map(lambda _: page.send("invite", addresses=text, item="1"), range(self.times)))


@dataclass(frozen=True)
class ChangeSeat:
    """The owner sends an invitation again, takes a seat back or gives it to somebody else; perhaps just as it is taken.

    action: "resend", "take-back" or "reassign". choice in [0, 1) says which seat.
    """

    buyer: int
    course: str
    action: str
    choice: float
    person: int = 0
    times: int = 1
    is_raced: bool = False

    def run(self, world: World) -> None:
        page = open_seats_page(world, self.buyer, self.course)
        if page is None or not page.seat_ids:
            return
        seat_id = page.seat_ids[int(self.choice * len(page.seat_ids))]
        seat = world.shop.database.execute(f"SELECT * FROM seats WHERE public_id = '{seat_id}'")[0]
        fields = {"seat": seat_id}
        if self.action == "reassign":
            fields["email"] = member_address(self.person)
            world.expect_mail(fields["email"], self.course, times=self.times)
        elif self.action == "resend" and seat["invited_email"]:
            world.expect_mail(seat["invited_email"], self.course)
        if self.action != "resend":
            world.seats_changed[seat_id] += self.times
        works: list[Callable[[], None]] = [partial(page.send, self.action, **fields)] * self.times
        if self.is_raced and seat["invited_email"]:
            works.append(partial(take_seats, world, seat["invited_email"]))
        list(world.pool.map(lambda work: work(), works))
        world.counts["seats changed"] += self.times


@dataclass(frozen=True)
class Share:
    """The owner makes the shared link, or a new one in its place."""

    buyer: int
    course: str
    limit: int

    def run(self, world: World) -> None:
        page = open_seats_page(world, self.buyer, self.course)
        if page is None:
            return
        seats = world.shop.database.execute(
            "SELECT count(*) AS number FROM seats s JOIN order_items i ON i.id = s.order_item_id"
            f" WHERE i.order_id = {page.order['id']}"
        )
        page.send("share", limit=str(min(self.limit, seats[0]["number"])), item="1")
        open_seats_page(world, self.buyer, self.course)


@dataclass(frozen=True)
class StopSharing:
    """The owner switches the shared link off."""

    buyer: int
    course: str

    def run(self, world: World) -> None:
        page = open_seats_page(world, self.buyer, self.course)
        if page is not None:
            page.send("stop-sharing", item="1")


@dataclass(frozen=True)
class Join:
    """Several people follow a shared link at once, the newest one or one from before. users: buyers with an account."""

    buyer: int
    course: str
    people: tuple[int, ...]
    users: tuple[int, ...] = ()
    is_old: bool = False

    def run(self, world: World) -> None:
        links = world.links_of(self.buyer, self.course)
        if not links:
            return
        link = links[0] if self.is_old else links[-1]
        works = [partial(_join_by_mail, world, link, number) for number in self.people]
        works += [partial(_join_signed_in, world, link, user) for user in self.users]
        list(world.pool.map(lambda work: work(), works))
        world.counts["joins"] += len(works)


@dataclass(frozen=True)
class TakeSeat:
    """Somebody who heard of a seat follows every link they were ever sent. choice in [0, 1) says who it is."""

    choice: float
    clicks: int = 1

    def run(self, world: World) -> None:
        people = sorted(world.people)
        if people:
            take_seats(world, people[int(self.choice * len(people))], clicks=self.clicks)


@dataclass(frozen=True)
class OpenLesson:
    """Somebody opens a lesson of every course they have heard of; from then on the seat is theirs."""

    choice: float

    def run(self, world: World) -> None:
        people = sorted(world.people)
        if people:
            person = world.people[people[int(self.choice * len(people))]]
            for course in sorted(person.courses):
                person.get(f"/courses/{world.course(course)['slug']}/lessons/{LESSON}")


def take_seats(world: World, address: str, *, clicks: int = 1) -> None:
    """Follow the links in somebody's mails, each so often at once."""
    person = world.person(address)
    for link in world.mailbox.list_claim_links(address):
        if clicks == 1:
            person.post(link, {})
        else:
            list(world.pool.map(lambda _, link=link: person.post(link, {}), range(clicks)))


def _join_by_mail(world: World, link: Link, number: int) -> None:
    address = f"joiner{link.number}x{number}@example.org"
    link.joiners.add(address)
    world.expect_mail(address, link.course)
    world.person(address).post(link.path, {"email": address}, kind="seats")


def _join_signed_in(world: World, link: Link, user: int) -> None:
    joiner = world.buyers[user % len(world.buyers)]
    if joiner.user_id is not None and joiner is not link.owner:
        link.joiners.add(joiner.email)
        joiner.post(link.path, {}, kind="seats")


def _paste(addresses: list[str]) -> str:
    first, *rest = addresses
    return f'Name,Email\n"Person, One" <{first.upper()}>;\n' + ",\t".join(rest) + f"\nnobody at all\n{first}\n"
