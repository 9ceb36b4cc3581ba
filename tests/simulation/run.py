"""One seed from its first step to its verdict: the plan is played, everything comes to rest, then it is judged."""

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from tests.simulation.buyer import Buyer
from tests.simulation.check_money import check_one_open_session
from tests.simulation.harness import PARTS, Shop
from tests.simulation.judge import judge
from tests.simulation.plan import Kill, Move, Plan, make_plan, make_rehearsal
from tests.simulation.seat_steps import take_seats
from tests.simulation.steps import Claim
from tests.simulation.world import World

THREADS = 6
HOUR = 3600.0
# Past the end of every session and of its margin; then past the shop's daily look at each paid order.
REST_HOURS = (2.0, 25.0)
MOST_EXTRA_DAYS = 4
UNFINISHED = (
    "SELECT (SELECT count(*) FROM stripe_events WHERE state = 'received')"
    " + (SELECT count(*) FROM messages WHERE sent_at IS NULL AND failed_at IS NULL AND send_after < '2999-01-01')"
    " + (SELECT count(*) FROM refund_requests WHERE stripe_refund_id IS NULL AND error IS NULL) AS number"
)


@dataclass(frozen=True)
class Result:
    """What came of one seed. divergences: one sentence each, none when the shop is right."""

    plan: Plan
    divergences: list[str]
    counts: Counter[str]
    seconds: float
    log: str


def run_seed(shop: Shop, seed: int) -> Result:
    """Play a seed in a shop that is put back first. Leaves the shop's end state for whoever wants to look."""
    began = time.monotonic()
    plan = make_plan(seed)
    world = play(shop, plan)
    divergences = world.surprises + judge(world)
    return Result(plan, divergences, world.counts, time.monotonic() - began, shop.log() if divergences else "")


def rehearse(shop: Shop) -> None:
    """Let the shop load and compile what a seed needs, before its processes are forked."""
    with shop.rehearsal():
        play(shop, make_rehearsal())


def play(shop: Shop, plan: Plan) -> World:
    """Let a plan happen in a fresh shop and come to rest."""
    shop.reset(dict(plan.settings))
    with ThreadPoolExecutor(THREADS) as pool:
        world = World(shop, pool, Random(f"fates {plan.seed}"))
        world.settings = dict(plan.settings)
        world.buyers = _make_buyers(world, plan)
        for move in plan.moves:
            _play(world, move)
        come_to_rest(world, Random(f"rest {plan.seed}"), days_away=plan.days_away)
    world.counts["orders"] += plan.orders
    world.counts["steps"] += len(plan.moves)
    return world


def come_to_rest(world: World, rng: Random, *, days_away: int = 0) -> None:
    """End the faults, deliver what is not lost, and let the shop work for days until nothing is left to do."""
    shop = world.shop
    world.faults.end_all()
    for part in PARTS:
        shop.start(part)
    world.surprises += check_one_open_session(world)
    _deliver_all(world, rng)
    shop.kill("worker")
    for hours in (*REST_HOURS, *[days_away * 24.0] * bool(days_away), *[25.0] * MOST_EXTRA_DAYS):
        shop.let_time_pass(hours * HOUR)
        _work(world)
        if _deliver_all(world, rng):
            _work(world)
        if hours > REST_HOURS[-1] * bool(days_away) and hours != REST_HOURS[0] and _unfinished(world) == 0:
            break
    for number, buyer in enumerate(world.buyers):
        if buyer.user_id is None and rng.random() < 0.8:
            Claim(number).run(world)
    for address in sorted(world.gifts | set(world.people)):
        if rng.random() < 0.7:
            take_seats(world, address)
    if world.counts["reconcilers"]:
        world.surprises += reconcile_again(world)


def reconcile_again(world: World) -> list[str]:
    """Whoever compares everything with Stripe once more finds nothing to do."""
    code, output = world.shop.run("stripe", "reconcile", "--dry-run", "--json", "--since", "3650")
    if code is None or not output.startswith("{"):
        return [f"the reconciler ended with {code}: {output[-500:]}"]
    found = json.loads(output)
    return [f"the reconciler still finds {found['differed']}"] if found["differed"] or not found["complete"] else []


def _deliver_all(world: World, rng: Random) -> bool:
    """Deliver whatever waits, and what comes of it; says whether there was anything."""
    is_any = False
    while world.deliveries.collect() or world.deliveries.waiting:
        is_any = True
        world.deliveries.deliver_rest(rng, world.pool)
        if world.deliveries.waiting:
            world.surprises.append(f"{len(world.deliveries.waiting)} events are refused though nothing is wrong")
            break
    return is_any


def _work(world: World) -> None:
    """What the worker does when it looks for unfinished work, until there is none that is due."""
    code, output = world.shop.run("jobs", "run-once")
    if code != 0:
        world.surprises.append(f"the worker's round ended with {code}: {output}")


def _unfinished(world: World) -> int:
    return int(world.shop.database.execute(UNFINISHED)[0]["number"]) - len(
        world.unknown_orders & world.deliveries.answered
    )


def _make_buyers(world: World, plan: Plan) -> list[Buyer]:
    people = iter(world.shop.front["people"])
    buyers = []
    for number, is_guest in enumerate(plan.guests):
        buyer = Buyer(world.shop, number, f"guest{number}@example.org", world.check)
        if not is_guest:
            person = next(people)
            buyer.email, buyer.user_id, buyer.cookie = person["email"], person["id"], person["cookie"]
        buyers.append(buyer)
    return buyers


def _play(world: World, move: Move) -> None:
    if move.fault is not None:
        world.faults.begin(move.fault)
    killing = threading.Thread(target=_kill, args=(world, move.kill)) if move.kill is not None else None
    if killing is not None:
        killing.start()
    try:
        move.step.run(world)
    finally:
        if killing is not None:
            killing.join()
    world.faults.end_step()


def _kill(world: World, kill: Kill) -> None:
    time.sleep(kill.after)
    world.faults.note_kill(kill.part)
    world.shop.kill(kill.part)
    world.shop.start(kill.part)
