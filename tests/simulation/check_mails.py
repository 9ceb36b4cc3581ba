"""Invariant I5: who is written to, about what, and how often."""

import re
from collections import Counter
from itertools import product
from typing import Any

from tests.simulation.case import BY_ITSELF, Case, list_refunded_seats
from tests.simulation.evidence import Row
from tests.simulation.model import MOVING, Account

# More invitations than that a mailbox does not get (attack A79): then a seat is kept without a mail.
MAILS_A_DAY = 5


def check_mails(case: Case) -> list[str]:
    """I5: one receipt, one link for whom a seat waits, one notice for each refund, one for a payment that failed."""
    found = []
    wanted: Counter[tuple[str, str]] = Counter()
    perhaps: Counter[tuple[str, str]] = Counter()
    for order in case.shop.orders:
        expected, number, to = case.expected[order["public_id"]], order["number"], str(order["email"])
        title = case.shop.items_of(order)[0]["title"]
        gift = next((each["recipient_email"] for each in case.shop.gifts if each["order_id"] == order["id"]), None)
        wanted[to, f"Your receipt NSL-{number}"] += expected.receipts
        # The link to a seat that was closed before it could be sent waits for the seat.
        seats = case.shop.seats_of(order)
        has_changed = any(case.world.seats_changed[seat["public_id"]] for seat in seats)
        is_open = expected.seat_status == "active" and not list_refunded_seats(case, order) and not has_changed
        invitation = (gift or to, f"Giver gave you {title}" if gift else f"Open {title}")
        (wanted if is_open else perhaps)[invitation] += expected.invitations
        wanted[to, f"Your payment for {title} didn’t come through"] += expected.failure_notices
        found += _add_refund_mails(case, order, wanted, perhaps)
        for seat in seats:
            _add_seat_mails(case, order, seat, wanted, perhaps)
    for (address, asked), title in product(case.world.mails_asked.items(), case.world.front_titles):
        perhaps[address, f"Open {title}"] += asked
    sent = Counter((mail.to, _shorten(mail.subject)) for mail in case.shop.mails)
    for key in sorted(sent | wanted):
        if not wanted[key] <= sent[key] <= wanted[key] + perhaps[key]:
            found.append(
                f"{key[0]}: {sent[key]} mails “{key[1]}”, should be {wanted[key]} (and perhaps {perhaps[key]})"
            )
    closed = tuple(f"claim:{seat['public_id']}:" for seat in case.shop.seats if seat["status"] != "active")
    return found + [
        f"mail {each['key']} was never sent"
        for each in case.shop.messages
        if each["sent_at"] is None and not each["key"].startswith(closed or ("-",))
    ]


def _add_seat_mails(case: Case, order: Row, seat: Row, wanted: Counter[Any], perhaps: Counter[Any]) -> None:
    """Whoever is invited got a link; whoever had to go was told, once each time."""
    title, owner = case.shop.items_of(order)[0]["title"], str(order["email"])
    changes, invited = case.world.seats_changed[seat["public_id"]], str(seat["invited_email"])
    if seat["status"] == "active" and invited != owner and 0 < case.world.mails_asked[invited] <= MAILS_A_DAY:
        wanted[invited, f"Open {title}"] += 1
        perhaps[invited, f"Open {title}"] -= 1
    for grant in case.shop.grants:
        address = str(case.shop.email_of(grant["user_id"]))
        if grant["seat_id"] != seat["id"] or address == owner:
            continue
        is_former = grant["user_id"] != seat["claimed_by_id"]
        # Whoever was told that a seat has ended may have it back since: a refund can fail, an owner can invite again.
        told = (address, f"Your seat in {title} has ended")
        (wanted if is_former or seat["status"] == "revoked" else perhaps)[told] += 1
        perhaps[told] += changes


def _add_refund_mails(case: Case, order: Row, wanted: Counter[Any], perhaps: Counter[Any]) -> list[str]:
    """A refund is told once; one that failed is told again, unless it had failed before the shop ever saw it."""
    account = case.books.accounts.get(order["public_id"], Account())
    returns = [each for each in case.shop.requests_of(order) if each["request_key"].startswith(BY_ITSELF)]
    by_itself = {each["public_id"] for each in returns}
    number, to = order["number"], str(order["email"])
    told, untold = (to, f"refunded NSL-{number}"), (to, f"came back NSL-{number}")
    wanted[to, "We’re returning"] += len(returns)
    for refund in account.refunds:
        is_told_before = (refund["metadata"] or {}).get("refund_request") in by_itself
        has_failed = refund["status"] not in MOVING
        if not is_told_before:
            (perhaps if has_failed else wanted)[told] += 1
        if has_failed:
            (wanted if is_told_before else perhaps)[untold] += 1
    sent = Counter((mail.to, _shorten(mail.subject)) for mail in case.shop.mails)
    if sent[told] - wanted[told] != sent[untold] - wanted[untold]:
        return [f"{order['public_id']}: {sent[told]} refunds told, {sent[untold]} taken back"]
    return []


def _shorten(subject: str) -> str:
    """A subject without the sums, which differ by language; what it is about stays."""
    number = re.search(r"order (NSL-\d+)", subject)
    for words in ("Your receipt", "refunded", "came back", "We’re returning"):
        if words in subject:
            return f"{words} {number.group(1)}" if number and words != "We’re returning" else words
    return subject
