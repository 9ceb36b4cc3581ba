"""Negative controls of the whole simulator: a shop without one of its guards is found out, the same shop with it is not."""

import pytest

from tests.simulation.faults import StripeFault
from tests.simulation.harness import Shop
from tests.simulation.judge import judge
from tests.simulation.plan import Move, Plan
from tests.simulation.run import play
from tests.simulation.sabotage import SABOTAGES
from tests.simulation.steps import ComeBack, Deliver, Enroll, Pay, RefundAtStripe, RefundFromShop

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
FOUND = {
    "": [],
    "answers first": ["was answered 2xx and is not stored"],
    "mails without keys": ["2 mails “refunded NSL-", "3 mails “refunded NSL-", "4 mails “refunded NSL-"],
    "no reconciler": ["is pending, should be expired"],
    "refunds without keys": ["refunds asked for"],
}


def test_every_sabotage_is_tried() -> None:
    assert set(FOUND) == {"", *SABOTAGES}


@pytest.mark.parametrize("sabotage", sorted(FOUND))
def test_a_missing_guard_is_found_out(sabotage: str) -> None:
    with Shop(database="sqlite", name="sabotage", sabotage=sabotage) as shop:
        world = play(shop, PLAN)
        divergences = [*world.surprises, *judge(world)]

    if sabotage:
        assert any(words in sentence for sentence in divergences for words in FOUND[sabotage]), divergences
    else:
        assert divergences == []
