"""Invariants I5 to I7: invoice numbers, events, the reconciler's runs, and what was left for people."""

from tests.simulation.case import Case

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


def check_reconciler(case: Case) -> list[str]:
    """F98: a run of the reconciler that was killed is gone on with to its end."""
    return [
        f"the reconciler never came to the end of {each['kind']} ({each['run_key']})"
        for each in case.shop.scans
        if each["finished_at"] is None
    ]
