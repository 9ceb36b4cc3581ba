"""What a replay or comparison would change, as label and words for people; the command line has lines of its own."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.formatting import money
from app.reports.order_timelines import MAIL_WORDS

ENTRIES = {
    "payment": "{amount} paid",
    "refund": "{amount} refunded",
    "refund_failed": "a refund of {amount} failed and came back",
    "dispute_opened": "the buyer’s bank disputes {amount}",
    "dispute_withdrawn": "the bank took {amount}",
    "dispute_reinstated": "the bank gave {amount} back",
    "dispute_won": "the dispute was won",
    "dispute_lost": "the dispute was lost",
}


def describe_difference(difference: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """One pair for each fact; difference as asdict() gives it, [] where there is none."""
    return [] if difference is None else list(_tell(difference))


def _tell(difference: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    before, after = difference["state_before"], difference["state_after"]
    if before != after:
        yield "Order", f"{_word(before)} → {_word(after)}"
    for entry in difference["entries"]:
        amount = money(entry["amount"], entry["currency"])
        words = ENTRIES.get(entry["kind"], f"{entry['kind']} {{amount}}").format(amount=amount)
        yield "Money", f"{words} ({entry['stripe_object_id']})"
    for seat in difference["seats"]:
        yield f"Seat {seat['position']}", f"{seat['title']}: {seat['before'] or 'none'} → {seat['after']}"
    for mail in difference["mails"]:
        yield "Mail", MAIL_WORDS.get(mail["template"], mail["template"].replace("_", " ").capitalize())
    for label, name in (
        ("Refund", "refunds"), ("Needs a person", "findings"), ("No longer needs one", "resolved"),
        ("Session found", "found_sessions"), ("Session closed", "closed_sessions"),
    ):  # fmt: skip
        for each in difference[name]:
            yield label, str(each)
    columns = [name for name in difference["columns"] if name != "state"]
    if columns:
        yield "Also", ", ".join(each.replace("_", " ") for each in columns)


def _word(state: str) -> str:
    return state.replace("_", " ").capitalize()
