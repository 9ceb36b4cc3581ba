"""The judge can fail: seats that were given out, shared links, taxes, invoices and consents, each spoiled in one place."""

import shutil
from collections.abc import Iterator

import pytest

from tests.simulation.evidence import Evidence
from tests.simulation.judge import judge
from tests.simulation.money_steps import GiveUp, PayLate, PayTwice, Reconcile
from tests.simulation.run import reconcile_again
from tests.simulation.scenes import find_mail, play_scene, put_back
from tests.simulation.seat_steps import ChangeSeat, Invite, Join, OpenLesson, Share, StopSharing, TakeSeat
from tests.simulation.steps import ComeBack, Deliver, Enroll, PassTime, Pay, Step, Wish, Work
from tests.simulation.world import World

pytestmark = pytest.mark.simulation

GUEST, USER, OTHER = 0, 1, 2
SETTINGS = {"is_tax_enabled": True, "tax_behavior": "exclusive", "makes_invoices": True, "consents": ("terms",)}
STORY: tuple[Step, ...] = (
    # Six seats, the buyer on the first: three by a pasted list, of which one is passed on and one taken back; one by link.
    Enroll(OTHER, "yen", wish=Wish(quantity=6, form="team")),
    Pay(OTHER, "yen"),
    ComeBack(OTHER, "yen"),
    Invite(OTHER, "yen", (1, 2, 3), times=2),
    *[Deliver(0.3, number=3)] * 4,
    PassTime(700.0),
    Work(),
    TakeSeat(0.0, clicks=2),
    ChangeSeat(OTHER, "yen", "reassign", 0.3, person=5),
    ChangeSeat(OTHER, "yen", "resend", 0.5),
    ChangeSeat(OTHER, "yen", "take-back", 0.9),
    Share(OTHER, "yen", limit=1),
    Join(OTHER, "yen", (1, 2, 3)),
    StopSharing(OTHER, "yen"),
    Join(OTHER, "yen", (4,), is_old=True),
    PassTime(30.0),
    Work(),
    TakeSeat(0.5),
    OpenLesson(0.5),
    # A guest with tax on top and a forgotten box, an order that is paid twice, and one that is paid too late.
    Enroll(GUEST, "dollar", wish=Wish(form="first", is_forgetful=True)),
    Enroll(GUEST, "dollar", wish=Wish(form="second")),
    Pay(GUEST, "dollar"),
    ComeBack(GUEST, "dollar"),
    Enroll(USER, "euro"),
    PayTwice(USER, "euro"),
    ComeBack(USER, "euro"),
    Enroll(USER, "last_seat"),
    GiveUp(USER, "last_seat"),
    Enroll(OTHER, "last_seat"),
    Pay(OTHER, "last_seat"),
    PayLate(USER, "last_seat"),
    Reconcile((None, 0.1), events=2),
    *[Deliver(0.6, number=3)] * 8,
)
TEAM = "(SELECT id FROM order_items WHERE quantity = 6)"
GUESTS = "(SELECT id FROM orders WHERE email LIKE 'guest%')"


@pytest.fixture(scope="module")
def rested() -> Iterator[World]:
    """A world in which everything went well, and whose end the database keeps."""
    with play_scene(STORY, name="judge_seats", orders=5, settings=SETTINGS) as world:
        yield world


@pytest.fixture
def world(rested: World) -> World:
    return put_back(rested)


def test_a_shop_that_is_right_is_found_right(world: World) -> None:
    assert world.surprises == []
    assert judge(world) == []
    shop = Evidence(world.shop.database, world.shop.mail_folder)
    assert sorted(order["state"] for order in shop.orders) == [*["paid"] * 3, "partially_refunded", "refunded"]
    assert sorted(each["kind"] for each in shop.findings) == ["late_payment", "second_payment"]
    assert [(link["limit_count"], link["used_count"]) for link in shop.links] == [(1, 1)]
    assert len([seat for seat in shop.seats if seat["claim_version"] > 1]) == 2
    assert len([grant for grant in shop.grants if grant["revoked_at"]]) == 1
    assert len(shop.consents) == len(shop.orders) == 5


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE grants SET revoked_at = NULL", "has lost the seat and is still inside"),
        ("UPDATE orders SET state = 'refunded' WHERE purpose = 'team'", "people inside, 0 seats are paid for"),
        ("UPDATE seats SET claimed_by_id = NULL, claimed_at = NULL", "has lost the seat and is still inside"),
        (
            f"UPDATE seats SET invited_email = 'member2@example.org' WHERE order_item_id = {TEAM}",
            "['member2@example.org'] have several seats",
        ),
        (
            f"UPDATE seats SET claimed_by_id = 1, claimed_at = created_at WHERE order_item_id = {TEAM}",
            "[1] have several seats",
        ),
        (
            "UPDATE enrollments SET last_opened_at = (SELECT revoked_at FROM grants WHERE revoked_at IS NOT NULL)",
            "had opened a lesson and lost the seat",
        ),
        (
            (
                "UPDATE seats SET invited_email = 'joiner0x' || position || '@example.org'"
                f" WHERE order_item_id = {TEAM} AND position IN (3, 6)"
            ),
            "people joined by a link for 1",
        ),
        ("UPDATE seat_links SET used_count = 0", "1 people came by shared links that count 0"),
        (f"UPDATE orders SET tax_amount = tax_amount + 1 WHERE id = {GUESTS}", "should be (1843, False)"),
        (f"UPDATE orders SET is_tax_included = TRUE WHERE id = {GUESTS}", "tax (1843, True)"),
        (
            (
                """UPDATE messages SET data = replace(data, '"tax_amount": 1843', '"tax_amount": 0')"""
                " WHERE key LIKE 'receipt:%'"
            ),
            "the receipt tells [(11543, 0)]",
        ),
        (
            """UPDATE messages SET data = replace(data, '"total_amount": 11543', '"total_amount": 9700')""",
            "the receipt tells [(9700, 1843)]",
        ),
        ("UPDATE orders SET stripe_invoice_id = NULL", "invoice None, Stripe made ['in_"),
        (f"UPDATE orders SET stripe_invoice_id = 'in_x' WHERE id = {GUESTS}", "invoice in_x, Stripe made"),
        (f"UPDATE orders SET currency = 'eur' WHERE id = {GUESTS}", "invoice ('usd', 11543, 1843)"),
        (f"DELETE FROM order_consents WHERE order_id = {GUESTS}", "consents [], asked were ['terms']"),
        (f"UPDATE order_consents SET kind = 'eu_waiver' WHERE order_id = {GUESTS}", "consents ['eu_waiver'], asked"),
        ("UPDATE order_consents SET given_at = '2020-01-01 00:00:00.000000'", "apart"),
        ("UPDATE order_consents SET text_version = ''", "consent terms ''"),
        ("UPDATE order_consents SET text = ''", "consent terms '2026-11'"),
        (f"UPDATE order_consents SET text_version = '2' WHERE order_id = {GUESTS}", "one consent in several words"),
        ("UPDATE reconcile_scans SET finished_at = NULL WHERE kind = 'refunds'", "never came to the end of refunds"),
        ("DELETE FROM refund_requests WHERE request_key LIKE 'second-payment:%'", "refunds asked for"),
    ],
)
def test_what_is_spoiled_in_the_database_is_named(world: World, statement: str, words: str) -> None:
    world.shop.database.execute(statement)

    assert any(words in sentence for sentence in judge(world)), judge(world)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("To: member5@", "member5@example.org: 0 mails “Open yen”, should be 1"),
        ("Your seat in yen has ended", "0 mails “Your seat in yen has ended”, should be 1"),
        ("returning", "1 mails “We’re returning”, should be 2"),
    ],
)
def test_a_mail_that_never_came_is_named(world: World, words: str, sentence: str) -> None:
    find_mail(world, words).unlink()

    assert any(sentence in each for each in judge(world)), judge(world)


def test_an_invitation_that_nobody_asked_for_is_named(world: World) -> None:
    mail = find_mail(world, "To: joiner0x")
    for number in range(3):
        shutil.copy(mail, mail.with_name(f"again{number}.eml"))

    assert any("4 mails “Open yen”, should be 1" in each for each in judge(world)), judge(world)


def test_a_reconciler_with_something_left_to_do_is_named(world: World) -> None:
    world.shop.database.execute("DELETE FROM ledger_entries WHERE kind = 'refund'")

    assert any("the reconciler still finds" in each for each in reconcile_again(world))
