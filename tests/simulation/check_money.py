"""Invariants I1 and I3: orders and their money are what Stripe says, to the minor unit."""

from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from tests.simulation.case import BY_ITSELF, Case, has_tax_on_top
from tests.simulation.evidence import Row, read_moment
from tests.simulation.model import Account
from tests.simulation.world import World

DAY = timedelta(hours=24)


def check_every_session_has_its_order(case: Case) -> list[str]:
    """I1, F05: Stripe holds no session of ours whose order is gone or says another sum."""
    found = []
    orders = {order["public_id"]: order for order in case.shop.orders}
    for public_id, account in case.books.accounts.items():
        order = orders.get(public_id)
        if order is None:
            found.append(f"Stripe has a session of {public_id}, which the shop does not know")
            continue
        for session in account.sessions:
            on_top = session["total_details"]["amount_tax"] if has_tax_on_top(case.world) else 0
            asked = (session["amount_total"] - on_top, session["currency"])
            snapshot = (order["total_amount"], order["currency"])
            if asked != snapshot:
                found.append(f"{public_id}: Stripe asks {asked}, the order says {snapshot}")
    return found


def check_buyers(case: Case) -> list[str]:
    """Whoever was sent to a session has the order behind it, for the course they chose."""
    found = []
    orders = {order["public_id"]: order for order in case.shop.orders}
    for buyer in case.world.buyers:
        # A guest who claims a seat has an account from then on.
        ids = {each["id"] for each in case.shop.users if each["email"] == buyer.email}
        ids |= {None} if buyer.user_id is None else set()
        handed_out = [(course, session) for course, sessions in buyer.session_ids.items() for session in sessions]
        for course, session_id in handed_out:
            order = orders.get(case.books.session_orders.get(session_id, ""))
            if order is None:
                found.append(f"{session_id} was handed to a buyer and belongs to no order")
            elif order["user_id"] not in ids:
                found.append(f"{order['public_id']} belongs to user {order['user_id']}, not to {buyer.email}")
            elif order["number"] is not None and order["email"] != buyer.email:
                found.append(f"{order['public_id']} is {order['email']}'s, not {buyer.email}'s")
            elif case.shop.items_of(order)[0]["product_id"] != case.world.course(course)["product_id"]:
                found.append(f"{order['public_id']} is not for {course}")
    return found


def check_prices(case: Case) -> list[str]:
    """The sum is the one the model works out from price, quantity and code."""
    return [
        f"{order['public_id']} costs {order['total_amount']}, should be {case.expected[order['public_id']].price}"
        for order in case.shop.orders
        if order["total_amount"] != case.expected[order["public_id"]].price
    ]


def check_states(case: Case) -> list[str]:
    """Each order's state is what its money says."""
    return [
        f"{order['public_id']} is {order['state']}, should be {case.expected[order['public_id']].state}"
        for order in case.shop.orders
        if order["state"] != case.expected[order["public_id"]].state
    ]


def check_ledger(case: Case) -> list[str]:
    """I3: entry by entry and in sum, to the minor unit; nothing is written that Stripe does not hold."""
    found = []
    for order in case.shop.orders:
        wanted = case.expected[order["public_id"]]
        account = case.books.accounts.get(order["public_id"])
        failed = (
            {each["id"]: each["amount"] for each in account.refunds if each["status"] == "failed"} if account else {}
        )
        entries = case.shop.entries_of(order)
        moved = {
            (entry["kind"], entry["stripe_object_id"]): entry["amount"]
            for entry in entries
            if entry["amount"] or entry["kind"] == "payment"
        }
        moved = {key: amount for key, amount in moved.items() if key[0] != "dispute_opened"}
        for refund_id, amount in failed.items():
            pair = [moved.pop((kind, refund_id), None) for kind in ("refund", "refund_failed")]
            if pair not in ([None, None], [amount, amount]):
                found.append(f"{order['public_id']}: failed refund {refund_id} of {amount} is written as {pair}")
        if moved != wanted.ledger:
            found.append(f"{order['public_id']}: ledger {_difference(moved, wanted.ledger)}")
        sums = Counter({entry["kind"]: 0 for entry in entries})
        for entry in entries:
            sums[entry["kind"]] += entry["amount"]
            if entry["currency"] != order["currency"]:
                found.append(f"{order['public_id']}: an entry in {entry['currency']}")
        shop_sums = {
            "captured": sums["payment"],
            "refunded": sums["refund"] - sums["refund_failed"],
            "withdrawn": sums["dispute_withdrawn"],
            "reinstated": sums["dispute_reinstated"],
        }
        if shop_sums != asdict(wanted.money):
            found.append(f"{order['public_id']}: sums {shop_sums}, Stripe's {asdict(wanted.money)}")
    return found


def check_money_that_goes_back_by_itself(case: Case) -> list[str]:
    """P3, P4: what came too late or twice is returned, once; and every wish to return got its answer."""
    found = []
    for order in case.shop.orders:
        account, kinds = case.books.accounts.get(order["public_id"]), case.shop.finding_kinds(order, is_open=False)
        if account is None:
            continue
        due = account.money.captured if "late_payment" in kinds else sum(each["amount"] for each in account.charges[1:])
        given = sum(refund["amount"] for refund in account.refunds) + account.money.withdrawn
        if due > given and "refund_refused" not in kinds:
            found.append(f"{order['public_id']}: {due} should have gone back, {given} did")
        by_itself = [each for each in case.shop.requests_of(order) if each["request_key"].startswith(BY_ITSELF)]
        if len(by_itself) > len(account.charges):
            found.append(f"{order['public_id']}: returned more often than paid")
    answers = Counter(each["stripe_refund_id"] for each in case.shop.refund_requests if each["stripe_refund_id"])
    known = {refund["id"] for account in case.books.accounts.values() for refund in account.returned_by_shop}
    if set(answers) != known or any(count > 1 for count in answers.values()):
        found.append(f"refunds asked for {sorted(answers)}, made {sorted(known)}")
    found += [
        f"refund {each['public_id']} was never answered"
        for each in case.shop.refund_requests
        if each["stripe_refund_id"] is None and each["error"] is None
    ]
    return found


def check_nobody_pays_twice(case: Case) -> list[str]:
    """F50-F52: one buyer, one product, one untouched payment a day; a guest is forgotten after that (P12)."""
    found = []
    last: dict[tuple[str, int], Row] = {}
    for order in sorted(case.shop.orders, key=lambda each: each["id"]):
        account = case.books.accounts.get(order["public_id"], Account())
        if order["purpose"] != "self" or order["state"] != "paid" or account.disputes or account.refunds:
            continue
        if order["public_id"] in case.world.given_up:
            continue
        key = (order["buyer_key"], case.shop.items_of(order)[0]["product_id"])
        before = last.get(key)
        if before is not None and read_moment(order["created_at"]) - read_moment(before["paid_at"]) < DAY:
            found.append(f"{key[0]} paid twice for product {key[1]}")
        last[key] = order
    return found


def check_one_open_session(world: World) -> list[str]:
    """While people are still buying: a buyer has one payable session for one product, never two."""
    open_sessions = [
        session
        for session in world.shop.stripe.list_all("/v1/checkout/sessions")
        # But for orders of which somebody inside the shop made it so.
        if session["status"] == "open" and session["metadata"]["order"] not in world.given_up | world.opened_twice
    ]
    orders = {order["public_id"]: order for order in world.shop.database.table("orders")}
    payable = Counter(
        (orders[session["metadata"]["order"]]["buyer_key"], orders[session["metadata"]["order"]]["choice_key"])
        for session in open_sessions
    )
    return [
        f"{buyer} has {count} payable sessions for {choice}" for (buyer, choice), count in payable.items() if count > 1
    ]


def _difference(shop: dict[Any, int], stripe: dict[Any, int]) -> str:
    keys = sorted(key for key in shop.keys() | stripe.keys() if shop.get(key) != stripe.get(key))
    return "; ".join(
        f"{kind} {name}: {shop.get((kind, name))}, Stripe {stripe.get((kind, name))}" for kind, name in keys
    )
