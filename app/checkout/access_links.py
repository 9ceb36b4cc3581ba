"""The signed address of the page that says why a course is open or not: in receipts, and after paying."""

from typing import Any

from app.signing import sign_link

ACCESS_PURPOSE = "access"


def make_access_token(order_public_id: str, link_version: int = 1) -> str:
    """The token of /access/<token> for whoever has the order; it dies when the order moves to another address."""
    return sign_link(ACCESS_PURPOSE, [order_public_id, *([link_version] if link_version > 1 else [])])


def make_seat_access_token(seat_public_id: str, claim_version: int) -> str:
    """The token of /access/<token> for whoever is invited to the seat; it dies with the claim links of that version."""
    return sign_link(ACCESS_PURPOSE, [seat_public_id, claim_version])


def describe_access_link(public_id: str, *version: int) -> dict[str, Any]:
    """The link of an order or seat, with its version, as a mail's data carries it: signed on rendering."""
    return {"path": "/access/{token}", "purpose": ACCESS_PURPOSE, "value": [public_id, *version]}
