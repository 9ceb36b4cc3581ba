"""Invariants I1, I2 and I4: seats, access and limits follow the money."""

from collections import Counter

from tests.simulation.case import Case, list_refunded_seats
from tests.simulation.evidence import Row
from tests.simulation.model import MOVING

HOLDING = ("pending", "processing", "paid", "partially_refunded", "disputed")


def check_seats_and_access(case: Case) -> list[str]:
    """I1, I2: a seat for what was paid, closed with the money; one grant and one enrollment for who sits there."""
    found = []
    for order in case.shop.orders:
        wanted = case.expected[order["public_id"]].seat_status
        quantity = sum(item["quantity"] for item in case.shop.items_of(order)) if wanted else 0
        seats = case.shop.seats_of(order)
        refunded = list_refunded_seats(case, order)
        if len(seats) != quantity:
            found.append(f"{order['public_id']}: {len(seats)} seats, should be {quantity}")
        for seat in seats:
            found += _check_seat(case, order, seat, "revoked" if seat["id"] in refunded else wanted)
        is_own = order["takes_seat"] and order["user_id"] is not None
        # A team's buyer may give their own seat to somebody else.
        if (
            is_own
            and seats
            and not case.world.seats_changed[seats[0]["public_id"]]
            and seats[0]["claimed_by_id"] != order["user_id"]
        ):
            found.append(f"{order['public_id']}: user {order['user_id']} paid, {seats[0]['claimed_by_id']} sits there")
    granted = {(grant["user_id"], grant["course_id"]) for grant in case.shop.grants}
    enrolled = Counter((each["user_id"], each["course_id"]) for each in case.shop.enrollments)
    for person in sorted(granted | set(enrolled)):
        if enrolled[person] != 1 or person not in granted:
            found.append(f"user and course {person}: {enrolled[person]} enrollments, granted {person in granted}")
    return found


def _check_seat(case: Case, order: Row, seat: Row, wanted: str | None) -> list[str]:
    found, changes = [], case.world.seats_changed[seat["public_id"]]
    if seat["status"] != wanted:
        found.append(f"{order['public_id']}: a seat is {seat['status']}, should be {wanted}")
    all_grants = [grant for grant in case.shop.grants if grant["seat_id"] == seat["id"]]
    # Who had the seat before is judged in check_seats.
    grants = [grant for grant in all_grants if grant["user_id"] == seat["claimed_by_id"]]
    if len(grants) != (seat["claimed_by_id"] is not None) or len(all_grants) > len(grants) + changes:
        found.append(f"{order['public_id']}: seat of user {seat['claimed_by_id']}, grants {grants}")
    taker = case.shop.email_of(seat["claimed_by_id"])
    if taker is not None and taker != (seat["invited_email"] or order["email"]):
        found.append(f"{order['public_id']}: {taker} sits on a seat of {seat['invited_email']}")
    for grant in grants:
        status = "revoked" if grant["revoked_at"] else "suspended" if grant["suspended_at"] else "active"
        if status != wanted:
            found.append(f"{order['public_id']}: access is {status}, its money says {wanted}")
    return found


def check_limits(case: Case) -> list[str]:
    """I4: what is counted as taken is what orders hold, and never more seats than there are."""
    found = []
    for name, course in case.world.shop.front["courses"].items():
        product = next(each for each in case.shop.products if each["id"] == course["product_id"])
        orders = [
            order
            for order in case.shop.orders
            if any(item["product_id"] == product["id"] for item in case.shop.items_of(order))
        ]
        held, perhaps, oversold, active = (
            sum(each) for each in zip((0,) * 4, *[_count(case, order) for order in orders], strict=True)
        )
        taken, capacity = product["taken_seats"], product["capacity"]
        if not held <= taken <= perhaps:
            found.append(f"{name}: {taken} seats counted as taken, orders hold {held} to {perhaps}")
        if capacity is not None and (taken > capacity or active > capacity + oversold):
            found.append(f"{name}: {taken} taken and {active} open of {capacity} seats ({oversold} known as too many)")
        found += [
            f"{name}: {order['public_id']} has a seat too many though none of its money came back"
            for order in orders
            if "oversold" in case.shop.finding_kinds(order, is_open=False) and not _has_come_back(case, order)
        ]
        late = [order for order in orders if "late_payment" in case.shop.finding_kinds(order, is_open=False)]
        asked = sum(item["quantity"] for order in orders for item in case.shop.items_of(order))
        if late and (capacity is None or asked <= capacity):
            found.append(f"{name}: {late[0]['public_id']} found no seat though there was one")
    return found


def _has_come_back(case: Case, order: Row) -> bool:
    """P6: the seat was given up with the money, and a refund that failed brought both back."""
    return any(refund["status"] not in MOVING for refund in case.books.accounts[order["public_id"]].refunds)


def _count(case: Case, order: Row) -> tuple[int, int, int, int]:
    """Seats that an order surely holds, perhaps holds, has beyond capacity with people's knowledge, and has open."""
    seats, kinds = case.shop.seats_of(order), case.shop.finding_kinds(order, is_open=False)
    quantity = sum(item["quantity"] for item in case.shop.items_of(order)) - len(list_refunded_seats(case, order))
    is_oversold = "oversold" in kinds
    is_holding = order["state"] in HOLDING and (bool(seats) or order["number"] is None)
    return (
        quantity * (is_holding and not is_oversold),
        quantity * is_holding,
        quantity * is_oversold,
        sum(seat["status"] != "revoked" for seat in seats),
    )


def check_codes(case: Case) -> list[str]:
    """I4: a code's uses are counted, within its limits, and follow the money of the orders that used it."""
    found = []
    for code in case.shop.codes:
        uses = [each for each in case.shop.redemptions if each["promotion_code_id"] == code["id"]]
        counted = [each for each in uses if each["status"] != "released"]
        if code["redeemed_count"] != len(counted) or len(counted) > (code["max_redemptions"] or len(counted)):
            found.append(f"{code['code']}: {code['redeemed_count']} uses counted, {len(counted)} are in use")
        most = max(Counter(each["customer_key"] for each in counted).values(), default=0)
        if most > (code["per_customer_limit"] or most):
            found.append(f"{code['code']}: {most} uses by one customer")
        for each in uses:
            order = next(order for order in case.shop.orders if order["id"] == each["order_id"])
            wanted = case.expected[order["public_id"]].code_status
            if each["status"] != wanted and "code_over_limit" not in case.shop.finding_kinds(order):
                found.append(f"{order['public_id']}: its use of {code['code']} is {each['status']}, should be {wanted}")
    return found
