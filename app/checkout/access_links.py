"""The signed address of the page that says why a course is open or not: in receipts, and after paying."""

from typing import Any

from app.signing import sign_link

ACCESS_PURPOSE = "access"


def make_access_token(order_public_id: str) -> str:
    """The token of /access/<token> for whoever placed the order."""
    return sign_link(ACCESS_PURPOSE, [order_public_id])


def make_seat_access_token(seat_public_id: str, claim_version: int) -> str:
    """The token of /access/<token> for whoever is invited to the seat; it dies with the claim links of that version."""
    return sign_link(ACCESS_PURPOSE, [seat_public_id, claim_version])


def describe_access_link(public_id: str, *version: int) -> dict[str, Any]:
    """The link of an order, or of a seat and its claim_version, as a mail's data carries it: signed on rendering."""
    return {"path": "/access/{token}", "purpose": ACCESS_PURPOSE, "value": [public_id, *version]}
