"""What a mailed link of an order carries. After a move to another address the links that were out are dead."""

from typing import Any

from app.checkout.models import Order

ORDER_PURPOSE = "order"


def order_link_words(order: Order) -> tuple[str, *tuple[int, ...]]:
    """The order's public id, and its version once it was moved: mails of before carry none."""
    return (order.public_id,) if order.link_version == 1 else (order.public_id, order.link_version)


def order_link_value(order: Order) -> str | list[str | int]:
    """The value of a link to the order's page, to be signed."""
    words = order_link_words(order)
    return words[0] if len(words) == 1 else list(words)


def read_order_link(value: Any) -> tuple[str, int] | None:
    """(public id, version) of a link's value; None for what we never signed."""
    match value:
        case str(public_id):
            return public_id, 1
        case [str(public_id), int(version)]:
            return public_id, version
    return None
