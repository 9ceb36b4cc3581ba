"""Invariants I5 to I7: invoice numbers, mails, events, and what was left for people."""

import re
from collections import Counter
from typing import Any

from tests.simulation.case import BY_ITSELF, Case, list_refunded_seats
from tests.simulation.evidence import Row
from tests.simulation.model import MOVING, Account

FIRST_NUMBER = 1001
# What a machine rightly hands to a person. Anything else on the list would be a mistake of the shop's.
EXPECTED_FINDINGS = {
    "late_payment",
    "second_payment",
    "oversold",
    "code_over_limit",
    "refund_refused",
    "refund_failed",
    "unknown_order",
}


def check_numbers(case: Case) -> list[str]:
    """I5: one invoice number for each order that money reached, without a gap."""
    found = [
        f"{order['public_id']} ({order['state']}) has the number {order['number']}"
        for order in case.shop.orders
        if (order["number"] is not None) != case.expected[order["public_id"]].is_numbered
    ]
    numbers = sorted(order["number"] for order in case.shop.orders if order["number"] is not None)
    if numbers != list(range(FIRST_NUMBER, FIRST_NUMBER + len(numbers))):
        found.append(f"invoice numbers with a gap or twice: {numbers}")
    if case.shop.last_number != FIRST_NUMBER - 1 + len(numbers):
        found.append(f"the counter stands at {case.shop.last_number} for {len(numbers)} numbers")
    return found


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
        is_open = expected.seat_status == "active" and not list_refunded_seats(case, order)
        invitation = (gift or to, f"Giver gave you {title}" if gift else f"Open {title}")
        (wanted if is_open else perhaps)[invitation] += expected.invitations
        wanted[to, f"Your payment for {title} didn’t come through"] += expected.failure_notices
        found += _add_refund_mails(case, order, wanted, perhaps)
        for seat in case.shop.seats_of(order):
            taker = case.shop.email_of(seat["claimed_by_id"])
            if taker not in (None, to):
                # Whoever was told that a seat has ended may have it back since: a refund can fail.
                (wanted if seat["status"] == "revoked" else perhaps)[str(taker), f"Your seat in {title} has ended"] += 1
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


def check_events(case: Case) -> list[str]:
    """I6, I7: every event that was answered 2xx is stored, and every stored one is done with."""
    stored = {event["id"]: event for event in case.shop.events}
    found = [
        f"{each} was answered 2xx and is not stored" for each in sorted(case.world.deliveries.answered - set(stored))
    ]
    for event_id, event in stored.items():
        is_nobodys = event_id in case.world.unknown_orders
        if (event["state"] not in {"handled", "ignored"}) != is_nobodys:
            found.append(f"{event_id} ({event['type']}) is {event['state']}: {event['error']}")
    return found


def check_findings(case: Case) -> list[str]:
    """Only what a machine cannot decide is handed to people."""
    found = [
        f"finding {each['kind']}: {each['detail']}"
        for each in case.shop.findings
        if each["kind"] not in EXPECTED_FINDINGS
    ]
    told = sum(each["kind"] == "unknown_order" for each in case.shop.findings)
    wanted = len(case.world.unknown_orders & {event["id"] for event in case.shop.events})
    return found + ([f"{told} unknown orders told of {wanted}"] if told != wanted else [])
