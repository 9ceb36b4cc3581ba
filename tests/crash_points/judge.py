"""Whether a run that was killed ended as it should: by rules that always hold, and beside the run that was left alone.

Shares no code with the shop. "lost" is what is missing, "doubled" what is there too often, "wrong" what contradicts itself.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from tests.crash_points.books import Books, Row

Kind = Literal["lost", "doubled", "wrong"]

PAID_STATES = frozenset({"paid", "partially_refunded", "refunded", "disputed", "lost"})
# An order in one of these holds the seats it asked for.
HOLDING_STATES = frozenset({"pending", "processing", "paid", "partially_refunded", "disputed"})
# Entries that say that money moved; what a failed refund took and gave back is left out as a pair.
MONEY_KINDS = frozenset({"payment", "refund", "dispute_withdrawn", "dispute_reinstated"})
FIRST_NUMBER = 1000


@dataclass(frozen=True)
class Complaint:
    """One thing that is not as it should be."""

    kind: Kind
    text: str

    def as_note(self) -> Row:
        return asdict(self)


def judge(books: Books, *, answered: set[str], doubtful: set[str]) -> list[Complaint]:
    """The invariants. answered: events that got a 2xx; doubtful: letters that fault F93 allows twice."""
    return [
        *_judge_sessions(books),
        *_judge_money(books),
        *_judge_wishes(books),
        *_judge_numbers(books),
        *_judge_late(books),
        *_judge_access(books),
        *_judge_invitations(books),
        *_judge_limits(books),
        *_judge_work(books, answered),
        *_judge_letters(books, doubtful),
    ]


def compare(
    counted: Counter[str], expected: Counter[str], *, may_vanish: frozenset[str] = frozenset()
) -> list[Complaint]:
    """Differences to the run that nobody killed; of what may vanish there may be less."""
    complaints = []
    for name in sorted(set(counted) | set(expected)):
        found, wanted = counted[name], expected[name]
        if found > wanted or (found < wanted and name not in may_vanish):
            kind: Kind = "lost" if found < wanted else "doubled"
            complaints.append(Complaint(kind, f"{name}: {found} instead of {wanted}"))
    return complaints


def _judge_sessions(books: Books) -> Iterator[Complaint]:
    """Never two payable sessions of one order (I1) unless the second's money went back, and Stripe's paid ones are ours."""
    orders = {each["public_id"]: each for each in books.shop["orders"]}
    live = Counter(each["metadata"].get("order") for each in books.kept_sessions)
    for public_id, count in live.items():
        if public_id not in orders:
            yield Complaint("lost", f"Stripe has a session of {public_id}, which is no order")
        elif count > 1:
            yield Complaint("doubled", f"{count} payable or paid sessions of one order")
    buyers = Counter((each["metadata"].get("order"), each["client_reference_id"]) for each in books.live_sessions)
    if any(order != reference for order, reference in buyers):
        yield Complaint("wrong", "a session's reference is not its order")
    for each in books.stripe["sessions"]:
        order = orders.get(each["metadata"].get("order"))
        if each["payment_status"] == "paid" and (order is None or order["state"] not in PAID_STATES):
            yield Complaint("lost", f"a paid session whose order is {order['state'] if order else 'unknown'}")


def _judge_money(books: Books) -> Iterator[Complaint]:
    """The ledger names Stripe's charges, refunds and disputes once each, with their amounts (I3)."""
    stripe = _count_stripes_money(books)
    undone = {each["stripe_object_id"] for each in books.shop["entries"] if each["kind"] == "refund_failed"}
    shop = Counter(
        (each["kind"], each["stripe_object_id"], each["amount"])
        for each in books.shop["entries"]
        if each["amount"] and each["kind"] in MONEY_KINDS and each["stripe_object_id"] not in undone
    )
    for kind, _, amount in (stripe - shop).elements():
        yield Complaint("lost", f"{kind} of {amount} at Stripe is not in the ledger")
    for kind, _, amount in (shop - stripe).elements():
        yield Complaint("doubled", f"{kind} of {amount} in the ledger is not Stripe's")


def _judge_wishes(books: Books) -> Iterator[Complaint]:
    """Each refund that we wanted was made once."""
    wishes = Counter(each["metadata"].get("refund_request") for each in books.stripe["refunds"])
    for wish, count in wishes.items():
        if wish is not None and count > 1:
            yield Complaint("doubled", f"one refund was made {count} times")
    if len(books.stripe["refunds"]) - wishes[None] < len(books.shop["requests"]):
        yield Complaint("lost", "a refund that was asked for was never made")


def _count_stripes_money(books: Books) -> Counter[tuple[str, str, int]]:
    """Stripe's movements as the ledger would name them: (kind, id, amount)."""
    stripe: Counter[tuple[str, str, int]] = Counter()
    for charge in books.stripe["charges"]:
        if charge["paid"] and charge["captured"]:
            stripe["payment", charge["id"], charge["amount"]] += 1
    for refund in books.stripe["refunds"]:
        if refund["status"] in {"pending", "succeeded"}:
            stripe["refund", refund["id"], refund["amount"]] += 1
    for dispute in books.stripe["disputes"]:
        for each in dispute["balance_transactions"]:
            kind = "dispute_withdrawn" if each["amount"] < 0 else "dispute_reinstated"
            stripe[kind, dispute["id"], abs(each["amount"])] += 1
    return stripe


def _judge_numbers(books: Books) -> Iterator[Complaint]:
    """One number and one receipt for each order that was paid; no number given to nobody (I5)."""
    paid = {each["order_id"] for each in books.shop["entries"] if each["kind"] == "payment"}
    numbered = [each for each in books.shop["orders"] if each["number"] is not None]
    if {each["id"] for each in numbered} != paid:
        yield Complaint("lost", f"{len(paid)} orders were paid, {len(numbered)} have a number")
    given = books.shop["counters"][0]["last_number"] - FIRST_NUMBER
    if given != len(numbered):
        yield Complaint("doubled" if given > len(numbered) else "lost", f"{given} numbers for {len(numbered)} orders")
    late = _list_late(books)
    for order in numbered:
        if order["id"] in late:
            continue
        receipts = sum(each["key"].startswith(f"receipt:{order['public_id']}") for each in books.shop["messages"])
        if receipts != 1:
            yield Complaint("doubled" if receipts > 1 else "lost", f"{receipts} receipts of one order")


def _judge_late(books: Books) -> Iterator[Complaint]:
    """Paid after the last seat was gone (P3): all of it went back, and its buyer was told once and got no receipt."""
    for order in books.shop["orders"]:
        if order["id"] not in _list_late(books):
            continue
        moves = [each for each in books.shop["entries"] if each["order_id"] == order["id"]]
        left = sum(
            {"payment": 1, "refund": -1, "refund_failed": 1}.get(each["kind"], 0) * each["amount"] for each in moves
        )
        if left:
            yield Complaint("lost", f"{left} of a late payment did not go back")
        told = [each["key"] for each in books.shop["messages"] if order["public_id"] in each["key"]]
        if sum(key.startswith("returned:") for key in told) != 1 or any(key.startswith("receipt:") for key in told):
            yield Complaint("wrong", f"the buyer of a late payment was told {told}")


def _list_late(books: Books) -> set[int]:
    return {each["order_id"] for each in books.shop["late_orders"]}


def _judge_invitations(books: Books) -> Iterator[Complaint]:
    """Whoever is invited to a seat was written to, an address has one seat of an item, an item one shared link."""
    keys = [each["key"] for each in books.shop["messages"]]
    for seat in books.invited_seats:
        name = f"claim:{seat['public_id']}:{seat['claim_version']}"
        if not any(key == name or key.startswith(f"{name}:") for key in keys):
            yield Complaint("lost", "an invitation without a mail")
    invited = Counter((each["order_item_id"], each["invited_email"]) for each in books.invited_seats)
    if any(count > 1 for count in invited.values()):
        yield Complaint("doubled", "an address is invited to two seats of one order")
    if any(count > 1 for count in Counter(each["order_item_id"] for each in books.shop["links"]).values()):
        yield Complaint("doubled", "two shared links give out the same seats")


def _judge_access(books: Books) -> Iterator[Complaint]:
    """The seats that were bought, each with at most one learner, and grants that follow them (I1, I2)."""
    numbered = {each["id"] for each in books.shop["orders"] if each["number"] is not None} - _list_late(books)
    for item in books.shop["items"]:
        seats = [each for each in books.shop["seats"] if each["order_item_id"] == item["id"]]
        wanted = item["quantity"] if item["order_id"] in numbered else 0
        if len(seats) != wanted:
            yield Complaint("doubled" if len(seats) > wanted else "lost", f"{len(seats)} seats instead of {wanted}")
    grants = Counter((each["seat_id"], each["user_id"], each["course_id"]) for each in books.shop["grants"])
    if any(count > 1 for count in grants.values()):
        yield Complaint("doubled", "a seat opens a course twice for one person")
    enrollments = Counter((each["user_id"], each["course_id"]) for each in books.shop["enrollments"])
    if any(count > 1 for count in enrollments.values()):
        yield Complaint("doubled", "a person is enrolled twice in a course")
    for seat in books.shop["seats"]:
        own = [each for each in books.shop["grants"] if each["seat_id"] == seat["id"]]
        live = [each for each in own if each["revoked_at"] is None and each["suspended_at"] is None]
        is_open = seat["status"] == "active" and seat["claimed_by_id"] is not None
        if is_open and not live:
            yield Complaint("lost", "a seat that was taken opens nothing")
        if live and not is_open:
            yield Complaint("wrong", f"a {seat['status']} seat opens a course")
        if any((each["user_id"], each["course_id"]) not in enrollments for each in own):
            yield Complaint("lost", "a grant without an enrollment")


def _judge_limits(books: Books) -> Iterator[Complaint]:
    """Each product counts exactly the seats that orders hold, each code exactly its uses (I4)."""
    states = {each["id"]: each["state"] for each in books.shop["orders"]}
    closed = Counter(each["order_item_id"] for each in books.shop["seats"] if each["status"] == "revoked")
    for product in books.shop["products"]:
        held = sum(
            each["quantity"] - closed[each["id"]]
            for each in books.shop["items"]
            if each["product_id"] == product["id"] and states[each["order_id"]] in HOLDING_STATES
        )
        if product["taken_seats"] != held:
            kind: Kind = "doubled" if product["taken_seats"] > held else "lost"
            yield Complaint(kind, f"{product['taken_seats']} seats are taken, orders hold {held}")
    for code in books.shop["codes"]:
        used = sum(
            each["promotion_code_id"] == code["id"] and each["status"] != "released"
            for each in books.shop["redemptions"]
        )
        if code["redeemed_count"] != used:
            kind = "doubled" if code["redeemed_count"] > used else "lost"
            yield Complaint(kind, f"a code counts {code['redeemed_count']} uses, orders have {used}")


def _judge_work(books: Books, answered: set[str]) -> Iterator[Complaint]:
    """Nothing waits any more (I6), and what was answered 2xx is there (I7)."""
    for event in books.shop["events"]:
        if event["state"] not in {"handled", "ignored"}:
            yield Complaint("lost", f"{event['type']} is still {event['state']}")
    if answered - {each["id"] for each in books.shop["events"]}:
        yield Complaint("lost", "an event that was answered 2xx is not in the inbox")
    for request in books.shop["requests"]:
        if request["stripe_refund_id"] is None:
            yield Complaint("lost", f"a refund of {request['amount']} was not sent: {request['error']}")
    for message in books.shop["messages"]:
        if message["sent_at"] is None:
            yield Complaint("lost", f"the mail {message['template']} was not sent")


def _judge_letters(books: Books, doubtful: set[str]) -> Iterator[Complaint]:
    """Each mail arrived once; once more, under the same Message-ID, only where F93 allows it."""
    for message in books.shop["messages"]:
        arrived = books.letters[message["message_id"]]
        if arrived < 1:
            yield Complaint("lost", f"the mail {message['template']} never arrived")
        if arrived > 1 + (message["message_id"] in doubtful):
            yield Complaint("doubled", f"the mail {message['template']} arrived {arrived} times")
    strays = set(books.letters) - {each["message_id"] for each in books.shop["messages"]}
    if strays:
        yield Complaint("doubled", f"{len(strays)} letters arrived that no row sent")
    if books.unfinished_files:
        yield Complaint("wrong", f"half-written mails were left: {books.unfinished_files}")
