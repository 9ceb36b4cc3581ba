"""Invariant I4 for seats that are given out: who sits where, who had to go, and what shared links let in."""

from collections import Counter

from tests.simulation.case import Case, list_refunded_seats
from tests.simulation.evidence import Row, read_moment
from tests.simulation.model import OPEN_STATES


def check_people_in_seats(case: Case) -> list[str]:
    """Never more people than seats that were bought and not refunded; nobody twice; whoever lost a seat is out."""
    found = []
    for order in case.shop.orders:
        seats, grants = case.shop.seats_of(order), case.shop.grants_of(order)
        bought = sum(item["quantity"] for item in case.shop.items_of(order))
        left = bought - len(list_refunded_seats(case, order)) if order["state"] in OPEN_STATES else 0
        inside = {grant["user_id"] for grant in grants if grant["revoked_at"] is None}
        if len(inside) > left:
            found.append(f"{order['public_id']}: {len(inside)} people inside, {left} seats are paid for")
        addresses = Counter(seat["invited_email"] for seat in seats if seat["invited_email"])
        holders = Counter(seat["claimed_by_id"] for seat in seats if seat["claimed_by_id"])
        twice = [name for name, count in (*addresses.items(), *holders.items()) if count > 1]
        if twice:
            found.append(f"{order['public_id']}: {twice} have several seats")
        found += [
            f"{order['public_id']}: user {grant['user_id']} has lost the seat and is still inside"
            for grant in grants
            if grant["revoked_at"] is None and grant["user_id"] != _seat_of(seats, grant)["claimed_by_id"]
        ]
        found += _check_used(case, order, grants, seats)
    return found


def _check_used(case: Case, order: Row, grants: list[Row], seats: list[Row]) -> list[str]:
    """A seat whose learner has opened a lesson is theirs until its money goes back."""
    found = []
    for grant in grants:
        if grant["revoked_at"] is None or grant["user_id"] == _seat_of(seats, grant)["claimed_by_id"]:
            continue
        opened = next(
            each["last_opened_at"]
            for each in case.shop.enrollments
            if (each["user_id"], each["course_id"]) == (grant["user_id"], grant["course_id"])
        )
        if opened and read_moment(grant["granted_at"]) <= read_moment(opened) <= read_moment(grant["revoked_at"]):
            found.append(f"{order['public_id']}: user {grant['user_id']} had opened a lesson and lost the seat")
    return found


def check_shared_links(case: Case) -> list[str]:
    """A shared link never gives more seats than its owner was told, and counts each that it gave."""
    found = []
    addresses = [seat["invited_email"] for seat in case.shop.seats]
    for link in case.world.links:
        # Each link has addresses of its own; people with an account may have come by several.
        joined = [each for each in addresses if str(each).startswith(f"joiner{link.number}x")]
        if len(joined) > link.limit:
            found.append(f"{len(joined)} people joined by a link for {link.limit}: {sorted(joined)}")
    items = {link["order_item_id"] for link in case.shop.links}
    for item_id in sorted(items):
        used = sum(link["used_count"] for link in case.shop.links if link["order_item_id"] == item_id)
        came = [
            seat
            for seat in case.shop.seats
            if seat["order_item_id"] == item_id and str(seat["invited_email"]).startswith("joiner")
        ]
        if len(came) > used:
            found.append(f"item {item_id}: {len(came)} people came by shared links that count {used}")
    return found


def _seat_of(seats: list[Row], grant: Row) -> Row:
    return next(seat for seat in seats if seat["id"] == grant["seat_id"])
