"""The judge can fail: a shop that came to rest rightly is spoiled in one place, and the judge says which."""

import shutil
from collections.abc import Iterator
from random import Random
from types import SimpleNamespace

import pytest

from tests.simulation.check_money import check_one_open_session
from tests.simulation.client import Answer, send_form
from tests.simulation.evidence import Evidence
from tests.simulation.faults import Faults
from tests.simulation.judge import judge
from tests.simulation.money_steps import (
    Dispute,
    EndDispute,
    RefundAtStripe,
    RefundFromShop,
    SettleDebit,
    SettleRefund,
)
from tests.simulation.noise import Noise
from tests.simulation.scenes import find_mail, play_scene, put_back
from tests.simulation.steps import Claim, ComeBack, Deliver, Enroll, PassTime, Pay, Step, Wish
from tests.simulation.stripe_double import KEY
from tests.simulation.world import World

pytestmark = pytest.mark.simulation

GUEST, USER, OTHER = 0, 1, 2
STORY: tuple[Step, ...] = (
    Enroll(GUEST, "dollar"),
    Pay(GUEST, "dollar"),
    ComeBack(GUEST, "dollar"),
    Enroll(USER, "dollar", clicks=2),
    Pay(USER, "dollar"),
    ComeBack(USER, "dollar"),
    Enroll(USER, "euro"),
    Pay(USER, "euro", method="bank_debit_fails"),
    SettleDebit(USER, "euro", "failed"),
    Enroll(OTHER, "yen"),
    Pay(OTHER, "yen"),
    RefundAtStripe(OTHER, "yen", share=1.0),
    Enroll(OTHER, "dinar"),
    Pay(OTHER, "dinar", card="4000000000005126"),
    RefundAtStripe(OTHER, "dinar", share=0.5),
    Enroll(OTHER, "euro", wish=Wish(quantity=3, code="HALF", form="first")),
    Pay(OTHER, "euro"),
    ComeBack(OTHER, "euro"),
    RefundFromShop(OTHER, "euro", key="one", seats=(2,), times=2),
    Enroll(OTHER, "dollar", wish=Wish(code="HALF", form="second")),
    Pay(OTHER, "dollar"),
    *[Deliver(0.3, number=3)] * 12,
    SettleRefund(OTHER, "dinar", "failed"),
    Enroll(USER, "last_seat"),
    Pay(USER, "last_seat"),
    Dispute(USER, "last_seat"),
    EndDispute(USER, "last_seat", "won"),
    PassTime(30.0),
    Claim(GUEST),
    Noise("unknown_order", 1),
    Noise("foreign", 2),
    *[Deliver(0.6, number=3)] * 12,
)


@pytest.fixture(scope="module")
def rested() -> Iterator[World]:
    """A world in which everything went well, and whose end the database keeps."""
    with play_scene(STORY, name="judge", orders=8) as world:
        yield world


@pytest.fixture
def world(rested: World) -> World:
    return put_back(rested)


def test_a_shop_that_is_right_is_found_right(world: World) -> None:
    assert world.surprises == []
    assert judge(world) == []
    states = sorted(order["state"] for order in Evidence(world.shop.database, world.shop.mail_folder).orders)
    assert states == ["failed", *["paid"] * 5, "partially_refunded", "refunded"]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM enrollments WHERE id = (SELECT min(id) FROM enrollments)", "0 enrollments, granted True"),
        ("DELETE FROM grants WHERE id = (SELECT min(id) FROM grants)", "grants []"),
        ("UPDATE grants SET revoked_at = NULL", "access is active, its money says revoked"),
        ("UPDATE grants SET suspended_at = granted_at WHERE revoked_at IS NULL", "access is suspended"),
        ("UPDATE seats SET status = 'active' WHERE status = 'revoked'", "a seat is active, should be revoked"),
        ("UPDATE seats SET claimed_by_id = NULL, claimed_at = NULL", "paid, None sits there"),
        ("UPDATE orders SET state = 'paid' WHERE state = 'refunded'", "is paid, should be refunded"),
        ("UPDATE orders SET state = 'expired' WHERE state = 'failed'", "is expired, should be failed"),
        ("UPDATE orders SET public_id = 'ord_x' WHERE email LIKE 'guest%'", "which the shop does not know"),
        ("UPDATE orders SET total_amount = total_amount - 1 WHERE email LIKE 'guest%'", "Stripe asks (9700, 'usd')"),
        ("UPDATE orders SET email = 'other@example.org' WHERE email LIKE 'guest%'", "is other@example.org's, not"),
        (
            "UPDATE orders SET user_id = NULL WHERE total_amount = 9700 AND user_id IS NOT NULL",
            "belongs to user None, not to",
        ),
        ("UPDATE orders SET number = 1009 WHERE number = 1007", "with a gap or twice"),
        ("UPDATE orders SET number = NULL WHERE number = 1007", "has the number None"),
        ("UPDATE invoice_counters SET last_number = last_number + 1", "the counter stands at 1008 for 7"),
        ("UPDATE products SET taken_seats = taken_seats + 1 WHERE capacity IS NULL", "orders hold"),
        ("UPDATE products SET taken_seats = 0 WHERE capacity = 1", "0 seats counted as taken, orders hold 1 to 1"),
        (
            (
                "UPDATE order_items SET product_id = (SELECT id FROM products WHERE capacity = 1)"
                " WHERE order_id = (SELECT id FROM orders WHERE email LIKE 'guest%')"
            ),
            "1 taken and 2 open of 1 seats",
        ),
        ("DELETE FROM ledger_entries WHERE kind = 'payment' AND amount = 19900", "None, Stripe 19900"),
        ("UPDATE ledger_entries SET amount = amount + 1 WHERE kind = 'refund'", "12501, Stripe 12500"),
        ("UPDATE ledger_entries SET amount = 1 WHERE kind = 'dispute_reinstated'", "'reinstated': 1"),
        ("UPDATE ledger_entries SET currency = 'eur' WHERE amount = 19900", "an entry in eur"),
        ("DELETE FROM ledger_entries WHERE kind = 'refund_failed'", "is written as [22500, None]"),
        (
            "UPDATE ledger_entries SET stripe_object_id = 'ch_x' WHERE amount = 19900 AND kind = 'payment'",
            "ch_x: 19900",
        ),
        ("UPDATE stripe_events SET state = 'received' WHERE state = 'handled'", "is received"),
        ("UPDATE stripe_events SET state = 'failed' WHERE state = 'ignored'", "is failed"),
        ("UPDATE stripe_events SET state = 'handled' WHERE id LIKE 'evt_noise1%'", "evt_noise1"),
        ("DELETE FROM stripe_events WHERE state = 'handled'", "was answered 2xx and is not stored"),
        ("UPDATE messages SET sent_at = NULL WHERE key LIKE 'receipt:%'", "was never sent"),
        ("UPDATE findings SET kind = 'amount_mismatch'", "finding amount_mismatch"),
        ("UPDATE promotion_codes SET redeemed_count = 0", "HALF: 0 uses counted, 2 are in use"),
        ("UPDATE promotion_codes SET redeemed_count = 1, max_redemptions = 1 WHERE code = 'HALF'", "1 uses counted, 2"),
        ("UPDATE promotion_codes SET per_customer_limit = 1 WHERE code = 'HALF'", "HALF: 2 uses by one customer"),
        ("UPDATE promotion_redemptions SET status = 'released'", "is released, should be redeemed"),
        ("DELETE FROM promotion_redemptions", "costs 4850, should be 9700"),
        ("UPDATE refund_requests SET seat_id = NULL, order_item_id = NULL", "a seat is revoked, should be active"),
        ("UPDATE refund_requests SET stripe_refund_id = 're_x'", "refunds asked for ['re_x'], made ['re_"),
        ("DELETE FROM findings", "0 unknown orders told of 1"),
        (
            (
                "INSERT INTO findings (key, order_id, kind, detail, created_at)"
                " SELECT 'x', id, 'late_payment', '', created_at FROM orders WHERE email LIKE 'guest%'"
            ),
            "9700 should have gone back, 0 did",
        ),
        (
            (
                "INSERT INTO findings (key, order_id, kind, detail, created_at)"
                " SELECT 'x', id, 'late_payment', '', created_at FROM orders WHERE email LIKE 'guest%'"
            ),
            "found no seat though there was one",
        ),
        (
            "UPDATE orders SET buyer_key = (SELECT buyer_key FROM orders WHERE email LIKE 'guest%') WHERE total_amount = 9700 AND user_id IS NOT NULL",
            "paid twice for product",
        ),
        (
            (
                "INSERT INTO refund_requests (public_id, order_id, request_key, amount, currency, reason, stripe_charge_id,"
                " attempt_count, next_attempt_at, created_at) SELECT 'rfr_x', id, 'x', 1, 'usd', '', 'ch_x', 0, created_at,"
                " created_at FROM orders WHERE email LIKE 'guest%'"
            ),
            "refund rfr_x was never answered",
        ),
        (
            (
                "INSERT INTO refund_requests (public_id, order_id, request_key, amount, currency, reason, stripe_charge_id,"
                " stripe_refund_id, attempt_count, next_attempt_at, created_at) SELECT 'rfr_x', id, 'x', 1, 'usd', '',"
                " 'ch_x', 're_x', 0, created_at, created_at FROM orders WHERE email LIKE 'guest%'"
            ),
            "refunds asked for",
        ),
    ],
)
def test_what_is_spoiled_in_the_database_is_named(world: World, statement: str, words: str) -> None:
    world.shop.database.execute(statement)

    assert any(words in sentence for sentence in judge(world)), judge(world)


def test_a_second_receipt_is_named(world: World) -> None:
    receipt = find_mail(world, "Your receipt")
    shutil.copy(receipt, receipt.with_name("again.eml"))

    assert any("2 mails “Your receipt NSL" in sentence for sentence in judge(world))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("Your receipt", "0 mails “Your receipt NSL"),
        ("/seats/claim/", "0 mails “Open dollar”, should be 1"),
        ("24.50", "0 mails “refunded NSL"),
        ("come through", "0 mails “Your payment for euro"),
    ],
)
def test_a_mail_that_never_came_is_named(world: World, words: str, sentence: str) -> None:
    find_mail(world, words).unlink()

    assert any(sentence in each for each in judge(world)), judge(world)


def test_a_second_payable_session_is_named(world: World) -> None:
    # given: of one buyer's two orders one is closed here while both are payable there
    stripe = world.shop.stripe
    orders = Evidence(world.shop.database, world.shop.mail_folder).orders
    for order in orders[:2]:
        answer = send_form(
            f"{stripe.url}/v1/checkout/sessions",
            {
                "mode": "payment",
                "success_url": "https://shop.test/",
                "line_items[0][quantity]": "1",
                "line_items[0][price_data][currency]": "usd",
                "line_items[0][price_data][unit_amount]": "9700",
                "line_items[0][price_data][product_data][name]": "x",
                "metadata[order]": order["public_id"],
            },
            {"Authorization": f"Bearer {KEY}"},
        )
        assert answer.status == 200, answer.body
    world.shop.database.execute("UPDATE orders SET buyer_key = 'user:1', choice_key = 'x'")

    # when
    found = check_one_open_session(world)

    # then
    assert found == ["user:1 has 2 payable sessions for x"]


@pytest.mark.parametrize(
    ("kind", "status", "is_fault", "is_surprise"),
    [
        ("webhook", 503, None, True),
        ("webhook", 503, "stripe", True),
        ("webhook", 503, "lock", False),
        ("webhook", 400, "lock", True),
        ("page", 500, "stripe", True),
        ("page", 503, "lock", False),
        ("checkout", 503, "stripe", False),
        ("checkout", 404, "stripe", True),
        ("checkout", 303, None, False),
        ("seats", 409, None, False),
        ("seats", 400, "lock", True),
        ("seats", 503, "stripe", True),
        ("page", None, "lock", True),
        ("page", None, "kill", False),
    ],
)
def test_only_what_a_fault_explains_is_forgiven(
    world: World, kind: str, status: int | None, is_fault: str | None, is_surprise: bool
) -> None:
    judged = World(world.shop, world.pool, Random(1))
    judged.faults = Faults(world.shop, judged.counts)
    if is_fault == "lock":
        judged.faults.locks.append(SimpleNamespace(began=1.0, ended=3.0))
    elif is_fault == "kill":
        judged.faults.killed.append(("web", 2.0))
    elif is_fault == "stripe":
        judged.faults.began_at["stripe"] = 1.0

    judged.check(kind, Answer(status=status, began=1.5, ended=2.5))

    assert len(judged.surprises) == int(is_surprise)
