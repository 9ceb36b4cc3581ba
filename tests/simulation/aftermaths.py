"""What becomes of an order after it was paid: refunds from either side, disputes, inquiries."""

from random import Random

from tests.simulation.money_steps import Dispute, EndDispute, RefundAtStripe, RefundFromShop, SettleRefund
from tests.simulation.steps import Step
from tests.simulation.stories import Course, Story


def nothing_more(_rng: Random, _buyer: int, _course: Course) -> list[Step]:
    return []


def is_refunded(_rng: Random, buyer: int, course: Course) -> list[Step]:
    return [RefundAtStripe(buyer, course, share=1.0)]


def is_refunded_in_parts(rng: Random, buyer: int, course: Course) -> list[Step]:
    shares = [0.25, 0.5, 1.0][: rng.randint(1, 3)]
    return [RefundAtStripe(buyer, course, share) for share in shares]


def is_refunded_and_it_fails(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [RefundAtStripe(buyer, course, rng.choice((0.5, 1.0))), SettleRefund(buyer, course, "failed")]


def is_disputed(rng: Random, buyer: int, course: Course) -> list[Step]:
    steps: list[Step] = [Dispute(buyer, course, share=rng.choice((1.0, 1.0, 0.5)))]
    if rng.random() < 0.8:
        steps.append(EndDispute(buyer, course, rng.choice(("won", "lost")), is_missed=rng.random() < 0.3))
    return steps


def is_asked_about(rng: Random, buyer: int, course: Course) -> list[Step]:
    ends = rng.choice(((), ("closed",), ("escalate",), ("escalate", "won"), ("escalate", "lost")))
    return [Dispute(buyer, course, is_inquiry=True), *(EndDispute(buyer, course, end) for end in ends)]


def is_refunded_then_disputed(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [RefundAtStripe(buyer, course, share=0.4), *is_disputed(rng, buyer, course)]


def is_disputed_then_refunded(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [Dispute(buyer, course), EndDispute(buyer, course, "won"), RefundAtStripe(buyer, course, share=1.0)]


def is_refunded_by_the_shop(rng: Random, buyer: int, course: Course) -> list[Step]:
    steps: list[Step] = []
    for _ in range(rng.randint(1, 2)):
        kill_after = round(rng.random() * 0.2, 3) if rng.random() < 0.4 else None
        share, seats = rng.choice(((None, ()), (0.5, ()), (None, (1,)), (None, (1, 2))))
        key = f"refund{rng.randrange(10**9)}"
        steps.append(RefundFromShop(buyer, course, key, share, seats, times=rng.randint(1, 2), kill_after=kill_after))
    return steps


AFTERMATHS: tuple[tuple[int, Story], ...] = (
    (45, nothing_more),
    (12, is_refunded),
    (10, is_refunded_in_parts),
    (8, is_refunded_and_it_fails),
    (10, is_disputed),
    (7, is_asked_about),
    (4, is_refunded_then_disputed),
    (4, is_disputed_then_refunded),
    (14, is_refunded_by_the_shop),
)
