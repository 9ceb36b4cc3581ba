"""Both sides of one seed, as every invariant sees them."""

from dataclasses import dataclass

from tests.simulation.evidence import Evidence, Row
from tests.simulation.model import MOVING, Account, Asked, Books, Expected
from tests.simulation.world import World

APP_ID = "tuition_simulation"
# Keys of refunds that the shop plans without being asked: the seat was gone, the order was paid twice.
BY_ITSELF = ("capacity:", "second-payment:")


@dataclass(frozen=True)
class Case:
    """The run, the shop's rows and mails, Stripe's books, and what the model expects of each order."""

    world: World
    shop: Evidence
    books: Books
    expected: dict[str, Expected]


def open_case(world: World) -> Case:
    """Read everything there is, once."""
    shop = Evidence(world.shop.database, world.shop.mail_folder)
    books = Books(world.shop.stripe, APP_ID)
    expected = {order["public_id"]: _expect(world, shop, books, order) for order in shop.orders}
    return Case(world, shop, books, expected)


def has_tax_on_top(world: World) -> bool:
    """Whether the run's shop sells at prices without tax, and takes tax."""
    return bool(world.settings.get("is_tax_enabled")) and world.settings.get("tax_behavior") != "inclusive"


def list_refunded_seats(case: Case, order: Row) -> set[int]:
    """The seats that went back one by one, or with their line, and whose money is out."""
    account = case.books.accounts.get(order["public_id"], Account())
    out = {refund["id"] for refund in account.refunds if refund["status"] in MOVING}
    requests = [each for each in case.shop.requests_of(order) if each["stripe_refund_id"] in out]
    lines = {each["order_item_id"] for each in requests if each["seat_id"] is None and each["order_item_id"]}
    return {each["seat_id"] for each in requests if each["seat_id"]} | {
        seat["id"] for seat in case.shop.seats_of(order) if seat["order_item_id"] in lines
    }


def _expect(world: World, shop: Evidence, books: Books, order: Row) -> Expected:
    item = shop.items_of(order)[0]
    courses = world.shop.front["courses"].values()
    code_ids = [each["promotion_code_id"] for each in shop.redemptions if each["order_id"] == order["id"]]
    code = next((each["code"] for each in shop.codes if each["id"] in code_ids), None)
    is_own_guest = order["user_id"] is None and order["takes_seat"]
    asked = Asked(
        unit_amount=next(each["amount"] for each in courses if each["product_id"] == item["product_id"]),
        quantity=item["quantity"],
        terms=world.shop.front["codes"][code] if code else {},
        is_mailed=bool(is_own_guest or order["purpose"] == "gift"),
        has_tax_on_top=has_tax_on_top(world),
    )
    return books.expect(order["public_id"], asked, is_late=_is_late(shop, books, order))


def _is_late(shop: Evidence, books: Books, order: Row) -> bool:
    """P3; a late payment whose return failed later is served after all."""
    if "late_payment" not in shop.finding_kinds(order, is_open=False):
        return False
    account = books.accounts.get(order["public_id"], Account())
    has_failed = any(refund["status"] == "failed" for refund in account.returned_by_shop)
    return not (has_failed and account.state() in {"paid", "partially_refunded"})
