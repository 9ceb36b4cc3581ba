"""How the stripe commands say what differs, in lines for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.money import format_money

Outcome = Mapping[str, Any]

RESULTS = {
    "healed": "healed",
    "would_heal": "would be healed",
    "unhealed": "NOT HEALED",
    "unanswered": "NOT ANSWERED",
}


def tell_outcome(outcome: Outcome) -> Iterator[str]:
    """An order that differed, and what was done about it; outcome as Outcome.as_dict() gives it."""
    difference = outcome["difference"]
    number = difference["order_number"] if difference else ""
    yield f"{RESULTS[outcome['result']]:>15}  {outcome['subject']}" + (f" ({number})" if number else "")
    for line in tell_difference(difference):
        yield f"{'':>17}{line}"
    if outcome["reason"]:
        yield f"{'':>17}{outcome['reason']}"


def tell_difference(difference: Mapping[str, Any] | None) -> Iterator[str]:
    """What differs, one fact a line; difference as asdict() gives it, None where there is none."""
    if difference is None:
        return
    before, after = difference["state_before"], difference["state_after"]
    if before != after:
        yield f"state {before} -> {after}"
    for entry in difference["entries"]:
        amount = format_money(entry["amount"], entry["currency"])
        yield f"ledger + {entry['kind']} {amount} ({entry['stripe_object_id']})"
    for seat in difference["seats"]:
        yield f"seat {seat['position']} of {seat['title']}: {seat['before'] or 'none'} -> {seat['after']}"
    yield from _tell_each("mail", (f"{mail['template']} ({mail['key']})" for mail in difference["mails"]))
    yield from _tell_each("refund", difference["refunds"])
    yield from _tell_each("needs attention:", difference["findings"])
    yield from _tell_each("no longer needs attention:", difference["resolved"])
    yield from _tell_each("session found at Stripe:", difference["found_sessions"])
    yield from _tell_each("session closed at Stripe:", difference["closed_sessions"])
    columns = [name for name in difference["columns"] if name != "state"]
    if columns:
        yield f"also: {', '.join(columns)}"


def _tell_each(what: str, names: Sequence[str] | Iterator[str]) -> Iterator[str]:
    for name in names:
        yield f"{what} {name}"
