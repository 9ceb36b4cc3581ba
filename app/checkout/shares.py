"""What a line or a seat is worth: shares of the captured money that always add up to it exactly."""

from collections.abc import Sequence
from itertools import pairwise

from app.checkout.models import OrderItem
from app.money import amount_step


def split_amount(amount: int, weights: Sequence[int], *, step: int = 1) -> list[int]:
    """Split amount (minor units, 0 or more) in proportion to the weights, by rounding the running total down.

    The parts are never negative and add up to amount; all but the last are multiples of step. Equal weights, also all
    zero, give parts that differ by one step at most (and by what amount has beyond a multiple of step).
    """
    total = sum(weights)
    if total == 0:
        weights, total = [1] * len(weights), len(weights)
    bounds = [0]
    running = 0
    for weight in weights:
        running += weight
        bounds.append(amount if running == total else amount * running // (total * step) * step)
    return [end - start for start, end in pairwise(bounds)]


def share_lines(items: Sequence[OrderItem], *, captured_amount: int) -> dict[int, int]:
    """What was captured for each item, tax included, by the item's id."""
    step = amount_step(items[0].currency)
    parts = split_amount(captured_amount, [item.total_amount for item in items], step=step)
    return {item.id: part for item, part in zip(items, parts, strict=True)}


def share_seats(item: OrderItem, *, line_amount: int) -> list[int]:
    """What was captured for each of the item's seats, by position."""
    return split_amount(line_amount, [1] * item.quantity, step=amount_step(item.currency))
