"""From a seed to its plan: who buys what, what becomes of it, and which faults and kills fall between. Nothing else
decides: the same seed gives the same plan on every machine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.simulation.faults import Fault, choose_lock, choose_mail_fault, choose_stripe_fault
from tests.simulation.steps import (
    NOISES,
    Claim,
    ComeBack,
    Deliver,
    Dispute,
    EndDispute,
    Enroll,
    Expire,
    GoBack,
    Noise,
    PassTime,
    Pay,
    RefundAtStripe,
    RefundFromShop,
    SettleDebit,
    SettleRefund,
    Step,
    Wish,
)

# 1 to 8 orders and 20 to 120 steps, the small numbers more often: most of what can meet meets in a few orders.
ORDER_WEIGHTS = (38, 24, 14, 9, 6, 4, 3, 2)
FEWEST_STEPS, MOST_STEPS = 20, 120
USERS, MOST_BUYERS = 4, 6
KILL, STRIPE_FAULT, LOCK, MAIL_FAULT = 0.10, 0.15, 0.03, 0.03
LATEST_KILL_SECONDS = 0.06
COURSES = ("dollar", "dollar", "euro", "yen", "dinar", "last_seat", "last_seat", "two_seats", "free")

Course = str
Story = Callable[[Random, int, Course], list[Step]]


@dataclass(frozen=True)
class Kill:
    """SIGKILL of a part, so many seconds after a step began."""

    part: str
    after: float


@dataclass(frozen=True)
class Move:
    """A step, and what strikes while it happens."""

    step: Step
    fault: Fault | None
    kill: Kill | None


@dataclass(frozen=True)
class Plan:
    """Everything a seed decides. guests: for each buyer whether they have no account."""

    seed: int
    guests: tuple[bool, ...]
    orders: int
    moves: tuple[Move, ...]

    def describe(self) -> str:
        lines = [f"seed {self.seed}: {self.orders} orders, guests {self.guests}"]
        for number, move in enumerate(self.moves):
            extras = "".join(f"  + {each}" for each in (move.fault, move.kill) if each is not None)
            lines.append(f"{number:3} {move.step}{extras}")
        return "\n".join(lines)


def _click(rng: Random, buyer: int, course: Course) -> Enroll:
    return Enroll(buyer, course, clicks=rng.choice((1, 1, 1, 2, 3)), wish=_wish(rng))


def _wish(rng: Random) -> Wish:
    """Most people press the button; the others fill in the checkout page."""
    lot = rng.random()
    form = f"form{rng.randrange(10**9)}"
    if lot < 0.68:
        return Wish()
    if lot < 0.79:
        quantity = rng.randint(2, 4)
        code = rng.choice(("", "TEAM", "HALF")) if quantity > 2 else ""
        return Wish(quantity=quantity, takes_seat=rng.random() < 0.7, code=code, form=form)
    if lot < 0.87:
        return Wish(
            gift=rng.randrange(10**6), gift_days=rng.choice((0, 0, 1, 2)), code=rng.choice(("", "LAST")), form=form
        )
    return Wish(code=rng.choice(("HALF", "LAST", "LAST", "ONCE", "ALL")), form=form)


def pays_and_returns(rng: Random, buyer: int, course: Course) -> list[Step]:
    card = rng.choice(("4242424242424242", "5555555555554444", "4000000000007726", "4000000000005126"))
    return [_click(rng, buyer, course), Pay(buyer, course, card), ComeBack(buyer, course, times=rng.randint(1, 2))]


def pays_and_never_returns(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [_click(rng, buyer, course), Pay(buyer, course)]


def is_declined_first(rng: Random, buyer: int, course: Course) -> list[Step]:
    declined = rng.choice(("4000000000000002", "4000000000009995", "4100000000000019"))
    return [_click(rng, buyer, course), Pay(buyer, course, declined), *_ends_well(rng, buyer, course)]


def is_asked_for_3ds(rng: Random, buyer: int, course: Course) -> list[Step]:
    verdict = rng.choice(("complete", "fail"))
    steps: list[Step] = [_click(rng, buyer, course), Pay(buyer, course, "4000002760003184", three_d_secure=verdict)]
    return [*steps, *(_ends_well(rng, buyer, course) if verdict == "fail" else [ComeBack(buyer, course)])]


def pays_by_debit(rng: Random, buyer: int, course: Course) -> list[Step]:
    outcome = rng.choice(("succeeded", "succeeded", "failed"))
    method = "bank_debit" if outcome == "succeeded" else "bank_debit_fails"
    steps: list[Step] = [_click(rng, buyer, course), Pay(buyer, course, method=method)]
    if rng.random() < 0.5:
        steps.append(ComeBack(buyer, course))
    if rng.random() < 0.3:
        steps.append(_click(rng, buyer, course))
    return [*steps, SettleDebit(buyer, course, outcome)]


def lets_it_expire(rng: Random, buyer: int, course: Course) -> list[Step]:
    steps: list[Step] = [_click(rng, buyer, course), GoBack(buyer), Expire(buyer, course)]
    return [*steps, *(pays_and_returns(rng, buyer, course) if rng.random() < 0.5 else [])]


def never_pays(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [_click(rng, buyer, course)]


def pays_in_two_tabs(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [Enroll(buyer, course, clicks=2), Pay(buyer, course, tabs=2), ComeBack(buyer, course, times=2)]


def presses_again_after_paying(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [*pays_and_returns(rng, buyer, course), Enroll(buyer, course), Pay(buyer, course), ComeBack(buyer, course)]


def presses_again_before_paying(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [_click(rng, buyer, course), Enroll(buyer, course), *_ends_well(rng, buyer, course)]


def pays_a_closing_session(rng: Random, buyer: int, course: Course) -> list[Step]:
    steps: list[Step] = [Pay(buyer, course), Expire(buyer, course)]
    rng.shuffle(steps)
    return [_click(rng, buyer, course), *steps, ComeBack(buyer, course)]


STORIES: tuple[tuple[int, Story], ...] = (
    (22, pays_and_returns),
    (12, pays_and_never_returns),
    (8, is_declined_first),
    (7, is_asked_for_3ds),
    (12, pays_by_debit),
    (8, lets_it_expire),
    (6, never_pays),
    (6, pays_in_two_tabs),
    (6, presses_again_after_paying),
    (6, presses_again_before_paying),
    (6, pays_a_closing_session),
)


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
    return [*steps, *([EndDispute(buyer, course, rng.choice(("won", "lost")))] if rng.random() < 0.8 else [])]


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


def make_plan(seed: int) -> Plan:
    """The plan of a seed."""
    rng = Random(seed)
    guests = tuple(rng.random() < 0.5 for _ in range(rng.randint(1, MOST_BUYERS)))
    if guests.count(False) > USERS:
        guests = (True, True, *guests[2:])
    orders = rng.choices(range(1, len(ORDER_WEIGHTS) + 1), ORDER_WEIGHTS)[0]
    threads = [_tell_story(rng, guests) for _ in range(orders)]
    steps = _interleave(rng, threads)
    number = max(FEWEST_STEPS + int((MOST_STEPS - FEWEST_STEPS) * rng.random() ** 3), min(len(steps) + 8, MOST_STEPS))
    for each in range(max(number - len(steps), 0)):
        # Events come of steps: the later half of the gaps is where most of them wait.
        steps.insert(rng.randint(1, len(steps)), _fill(rng, each))
    return Plan(seed, guests, orders, tuple(_strike(rng, step) for step in steps[:MOST_STEPS]))


def _tell_story(rng: Random, guests: tuple[bool, ...]) -> list[Step]:
    buyer, course = rng.randrange(len(guests)), rng.choice(COURSES)
    steps = _pick(rng, STORIES)(rng, buyer, course) + _pick(rng, AFTERMATHS)(rng, buyer, course)
    if guests[buyer] and rng.random() < 0.5:
        steps.insert(rng.randint(2, len(steps)) if len(steps) > 1 else 1, Claim(buyer, clicks=rng.randint(1, 2)))
    return steps


def _ends_well(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [Pay(buyer, course), *([ComeBack(buyer, course)] if rng.random() < 0.7 else [])]


def _pick(rng: Random, weighted: tuple[tuple[int, Story], ...]) -> Story:
    return rng.choices([story for _, story in weighted], [weight for weight, _ in weighted])[0]


def _interleave(rng: Random, threads: list[list[Step]]) -> list[Step]:
    """All the threads' steps, each thread's in its own order."""
    merged: list[Step] = []
    waiting = [list(reversed(thread)) for thread in threads]
    while waiting:
        chosen = rng.choice(waiting)
        merged.append(chosen.pop())
        waiting = [thread for thread in waiting if thread]
    return merged


def _fill(rng: Random, number: int) -> Step:
    lot = rng.random()
    if lot < 0.82:
        return Deliver(rng.random(), number=rng.choice((1, 1, 1, 2, 3)))
    if lot < 0.92:
        # The longest one lets sessions end and Stripe forget its idempotency keys (F44).
        return PassTime(rng.choices((2.0, 6.0, 25.0, 130.0, 600.0, 90_000.0), (4, 4, 4, 4, 3, 1))[0])
    return Noise(rng.choice(NOISES), number)


def _strike(rng: Random, step: Step) -> Move:
    fault: Fault | None = None
    lot = rng.random()
    if lot < STRIPE_FAULT:
        fault = choose_stripe_fault(rng)
    elif lot < STRIPE_FAULT + LOCK:
        fault = choose_lock(rng)
    elif lot < STRIPE_FAULT + LOCK + MAIL_FAULT:
        fault = choose_mail_fault(rng)
    kill = None
    if rng.random() < KILL:
        kill = Kill(rng.choice(("web", "worker")), after=round(rng.random() * LATEST_KILL_SECONDS, 4))
    return Move(step, fault, kill)
