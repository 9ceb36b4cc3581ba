"""Negative controls of the whole simulator: a shop without one of its guards is found out, the same shop with it is not."""

import pytest

from tests.simulation.faults import StripeFault
from tests.simulation.harness import Shop
from tests.simulation.judge import judge
from tests.simulation.money_steps import GiveUp, PayLate, PayTwice, RefundAtStripe, RefundFromShop
from tests.simulation.plan import Move, Plan
from tests.simulation.run import play
from tests.simulation.sabotage import SABOTAGES
from tests.simulation.seat_steps import ChangeSeat, Invite, Join, Share, TakeSeat
from tests.simulation.steps import ComeBack, Deliver, Enroll, Pay, Wish, Work

pytestmark = pytest.mark.simulation

NO_SESSION = StripeFault(
    "api_error", (("method", "POST"), ("path", "/v1/checkout/sessions"), ("when", "before")), steps=1
)
LOST_ANSWERS = StripeFault(
    "api_close", (("method", "POST"), ("path", "/v1/refunds"), ("when", "after"), ("count", 2)), steps=1
)
# An order whose session was never made, a paid one refunded at Stripe, and one whose refund Stripe did not confirm.
PLAN = Plan(
    seed=2,
    guests=(False, True),
    orders=3,
    moves=(
        Move(Enroll(0, "euro"), NO_SESSION, None),
        *[
            Move(step, None, None)
            for step in (
                Enroll(0, "dollar"),
                Pay(0, "dollar"),
                ComeBack(0, "dollar"),
                Enroll(1, "yen"),
                Pay(1, "yen"),
                RefundAtStripe(1, "yen", share=0.5),
                *[Deliver(0.5, number=3)] * 8,
            )
        ],
        Move(RefundFromShop(0, "dollar", key="key", share=0.25), LOST_ANSWERS, None),
    ),
)
# A team whose shared link lets in one of three and whose first member is replaced, a forgotten box, two payments of one
# order, and a last seat that is paid late.
SEATS_PLAN = Plan(
    seed=2,
    guests=(False, True, False),
    orders=4,
    moves=tuple(
        Move(step, None, None)
        for step in (
            Enroll(0, "yen", wish=Wish(quantity=5, form="team")),
            Pay(0, "yen"),
            ComeBack(0, "yen"),
            Invite(0, "yen", (1,)),
            Work(),
            TakeSeat(0.0),
            ChangeSeat(0, "yen", "reassign", 0.9, person=2),
            Share(0, "yen", limit=1),
            Join(0, "yen", (1, 2, 3)),
            Enroll(1, "dollar", wish=Wish(form="box", is_forgetful=True)),
            Enroll(1, "dollar", wish=Wish(form="boxes")),
            PayTwice(1, "dollar"),
            ComeBack(1, "dollar"),
            Enroll(0, "last_seat"),
            GiveUp(0, "last_seat"),
            Enroll(2, "last_seat"),
            Pay(2, "last_seat"),
            ComeBack(2, "last_seat"),
            PayLate(0, "last_seat"),
        )
    ),
    settings=(("is_tax_enabled", True), ("consents", ("terms",))),
)
FOUND = {
    "": [],
    "answers first": ["was answered 2xx and is not stored"],
    "mails without keys": ["2 mails “refunded NSL-", "3 mails “refunded NSL-", "4 mails “refunded NSL-"],
    "no reconciler": ["is pending, should be expired"],
    "refunds without keys": ["refunds asked for"],
}
FOUND_IN_SEATS = {
    "": [],
    "consents not asked": ["without a consent"],
    "late payments served": ["has a seat too many"],
    "links without limit": ["people joined by a link for 1"],
    "lost seats stay open": ["has lost the seat and is still inside"],
    "second payments kept": ["should have gone back"],
    "tax not written": ["tax (0, False), should be"],
}
TRIED = [(PLAN, name, words) for name, words in sorted(FOUND.items())]
TRIED += [(SEATS_PLAN, name, words) for name, words in sorted(FOUND_IN_SEATS.items())]


def test_every_sabotage_is_tried() -> None:
    assert set(FOUND) | set(FOUND_IN_SEATS) == {"", *SABOTAGES}


@pytest.mark.parametrize(("plan", "sabotage", "words"), TRIED)
def test_a_missing_guard_is_found_out(plan: Plan, sabotage: str, words: list[str]) -> None:
    with Shop(database="sqlite", name="sabotage", sabotage=sabotage) as shop:
        world = play(shop, plan)
        divergences = [*world.surprises, *judge(world)]

    if sabotage:
        assert any(each in sentence for sentence in divergences for each in words), divergences
    else:
        assert divergences == []
