"""From a seed to its plan: who buys what, what becomes of it, and which faults and kills fall between. Nothing else
decides: the same seed gives the same plan on every machine.
"""

from dataclasses import dataclass, replace
from itertools import zip_longest
from random import Random
from typing import Any

from tests.simulation import aftermaths, stories
from tests.simulation.aftermaths import AFTERMATHS, nothing_more
from tests.simulation.faults import Fault, choose_lock, choose_mail_fault, choose_stripe_fault
from tests.simulation.money_steps import EndDispute, Reconcile
from tests.simulation.noise import NOISES, Noise
from tests.simulation.seat_steps import OpenLesson, TakeSeat
from tests.simulation.steps import Claim, Deliver, PassTime, Step
from tests.simulation.stories import COURSES, COURSES_OF, STORIES, Story

# 1 to 8 orders and 20 to 120 steps, the small numbers more often: most of what can meet meets in a few orders.
ORDER_WEIGHTS = (38, 24, 14, 9, 6, 4, 3, 2)
FEWEST_STEPS, MOST_STEPS = 20, 120
USERS, MOST_BUYERS = 4, 6
KILL, STRIPE_FAULT, LOCK, MAIL_FAULT = 0.10, 0.15, 0.03, 0.03
LATEST_KILL_SECONDS = 0.06
LATEST_RECONCILER_SECONDS = 0.6

REHEARSED = (
    stories.pays_and_returns,
    stories.is_declined_first,
    stories.pays_by_debit,
    stories.lets_it_expire,
    stories.buys_for_a_team,
    stories.shares_a_link,
    stories.is_given_up_and_pays_late,
    stories.pays_twice,
)
REHEARSED_AFTERMATHS = (
    aftermaths.is_refunded_by_the_shop,
    aftermaths.is_refunded_and_it_fails,
    aftermaths.nothing_more,
    aftermaths.is_disputed_then_refunded,
)


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
    """Everything a seed decides. guests: for each buyer whether they have no account.

    settings: of the shop, by their names in app.config.Settings. days_away: how long nothing runs in the end.
    """

    seed: int
    guests: tuple[bool, ...]
    orders: int
    moves: tuple[Move, ...]
    settings: tuple[tuple[str, Any], ...] = ()
    days_away: int = 0

    def describe(self) -> str:
        lines = [f"seed {self.seed}: {self.orders} orders, guests {self.guests}"]
        lines += [f"    {name} = {value}" for name, value in self.settings]
        lines += [f"    then nobody looks for {self.days_away} days"] if self.days_away else []
        for number, move in enumerate(self.moves):
            extras = "".join(f"  + {each}" for each in (move.fault, move.kill) if each is not None)
            lines.append(f"{number:3} {move.step}{extras}")
        return "\n".join(lines)


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
    moves = tuple(_strike(rng, step) for step in steps[:MOST_STEPS])
    has_missed = any(isinstance(step, EndDispute) and step.is_missed for step in steps)
    # Events can be listed for 30 days, paid orders are looked at for 180; what is undecided then has to be found (F80).
    days_away = rng.choice((0, 40, 200)) if has_missed else 0
    return Plan(seed, guests, orders, moves, _choose_settings(rng), days_away)


def make_rehearsal() -> Plan:
    """What there is to load and to compile: most stories and aftermaths once, and nothing goes wrong."""
    rng = Random("rehearsal")
    people = (True, False, True, False)
    threads = []
    for number, (story, aftermath) in enumerate(zip_longest(REHEARSED, REHEARSED_AFTERMATHS, fillvalue=nothing_more)):
        courses = COURSES_OF.get(story, COURSES)
        buyer, course = number % (len(people) - 1), courses[number % len(courses)]
        threads.append([*story(rng, buyer, course), *aftermath(rng, buyer, course), *[Deliver(0.5, number=3)] * 2])
    steps = [step for thread in threads for step in thread]
    steps += [Reconcile((None,)), Noise("unknown_order", 0), TakeSeat(0.1), OpenLesson(0.1), Claim(0)]
    settings = {"is_tax_enabled": True, "makes_invoices": True, "consents": ("terms",)}
    return Plan(0, people, 0, tuple(Move(step, None, None) for step in steps), tuple(settings.items()))


def _tell_story(rng: Random, guests: tuple[bool, ...]) -> list[Step]:
    buyer, story = rng.randrange(len(guests)), _pick(rng, STORIES)
    course = rng.choice(COURSES_OF.get(story, COURSES))
    steps = story(rng, buyer, course) + _pick(rng, AFTERMATHS)(rng, buyer, course)
    # A story may name the next buyer.
    steps = [replace(step, buyer=step.buyer % len(guests)) if hasattr(step, "buyer") else step for step in steps]
    if guests[buyer] and rng.random() < 0.5:
        steps.insert(rng.randint(2, len(steps)) if len(steps) > 1 else 1, Claim(buyer, clicks=rng.randint(1, 2)))
    return steps


def _choose_settings(rng: Random) -> tuple[tuple[str, Any], ...]:
    """Half of the shops leave everything as it is."""
    settings: dict[str, Any] = {}
    if rng.random() < 0.5:
        return ()
    if rng.random() < 0.5:
        settings |= {"is_tax_enabled": True, "tax_behavior": rng.choice(("exclusive", "inclusive"))}
        settings |= {"collects_tax_ids": rng.random() < 0.5}
    if rng.random() < 0.5:
        settings["makes_invoices"] = True
    if rng.random() < 0.5:
        settings["consents"] = rng.choice((("terms",), ("eu_waiver",), ("terms", "eu_waiver")))
    return tuple(settings.items())


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
    if lot < 0.80:
        return Deliver(rng.random(), number=rng.choice((1, 1, 1, 2, 3)))
    if lot < 0.82:
        # One that ends, one that dies on its way, both, or two that die: F97, F98.
        kills = [None, round(rng.random() * LATEST_RECONCILER_SECONDS, 3), round(rng.random() * 0.2, 3)]
        return Reconcile(tuple(rng.sample(kills, rng.randint(1, 3))), events=rng.randint(0, 2))
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
