"""The simulator in the gate: so many seeds, no divergence. Their number by SIMULATION_SEEDS, how many at once by
SIMULATION_JOBS; the database is the suite's, TEST_DATABASE.
"""

import ast
import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.databases import DATABASE
from tests.simulation import money_steps, noise, seat_steps, steps
from tests.simulation.deliveries import draw_fate
from tests.simulation.faults import LockFault, MailFault, StripeFault
from tests.simulation.plan import make_plan
from tests.simulation.report import print_failure
from tests.simulation.runner import run_seeds

# Tests wait for the worker; seeds do not.
UNPLANNED = {"Step", "Work"}
STEPS = [
    step
    for module in (money_steps, noise, seat_steps, steps)
    for name, step in vars(module).items()
    if isinstance(step, type) and hasattr(step, "run") and step.__module__ == module.__name__ and name not in UNPLANNED
]
FOLDER = Path(__file__).parent
SEEDS = int(os.environ.get("SIMULATION_SEEDS", "100"))
JOBS = int(os.environ.get("SIMULATION_JOBS", "2"))
MODEL_LINES = 300
MEANT = (
    "deliveries", "duplicates", "second ids", "lost", "stripe faults", "locks", "mail faults", "kills",
    "reconcilers killed", "seats changed", "seats lost", "joins", "late payments", "second payments", "verdicts missed",
    "taxed orders", "invoices", "consents", "consents refused",
)  # fmt: skip


@pytest.mark.simulation
def test_seeds_show_no_divergence_from_the_model() -> None:
    totals = run_seeds(
        range(1, SEEDS + 1), database=DATABASE, jobs=JOBS, on_result=lambda result, _: print_failure(result, None)
    )

    assert totals.failed_seeds == []
    assert totals.seeds == SEEDS
    # What was meant to hurt did happen.
    assert [kind for kind in MEANT if not totals.counts[kind]] == []


def test_the_same_seed_gives_the_same_plan() -> None:
    assert [make_plan(seed) for seed in range(1, 40)] == [make_plan(seed) for seed in range(1, 40)]
    assert len({make_plan(seed).moves for seed in range(1, 40)}) == 39


def test_plans_keep_to_the_sizes_and_rates_of_the_goal() -> None:
    plans = [make_plan(seed) for seed in range(1, 1001)]
    moves = [move for plan in plans for move in plan.moves]
    faults = Counter(type(move.fault) for move in moves)

    assert {plan.orders for plan in plans} == set(range(1, 9))
    assert min(len(plan.moves) for plan in plans) >= 20
    assert max(len(plan.moves) for plan in plans) in range(100, 121)
    assert 0.09 < sum(move.kill is not None for move in moves) / len(moves) < 0.11
    assert 0.14 < faults[StripeFault] / len(moves) < 0.16
    assert 0.02 < faults[LockFault] / len(moves) < 0.04
    assert 0.02 < faults[MailFault] / len(moves) < 0.04
    assert {type(move.step) for move in moves} == set(STEPS)
    assert 0.35 < sum(bool(plan.settings) for plan in plans) / len(plans) < 0.55
    assert {plan.days_away for plan in plans} == {0, 40, 200}


def test_events_meet_the_fates_of_the_goal() -> None:
    rng = Random(1)
    fates = [draw_fate(rng) for _ in range(10_000)]

    assert 0.29 < sum(fate.copies > 1 for fate in fates) / len(fates) < 0.31
    assert 0.09 < sum(fate.has_second_id for fate in fates) / len(fates) < 0.11
    assert 0.19 < sum(fate.is_lost for fate in fates) / len(fates) < 0.21


def test_the_model_is_short_and_shares_no_code_with_the_shop() -> None:
    assert len((FOLDER / "model.py").read_text().splitlines()) <= MODEL_LINES
    for name in ("model.py", "case.py", "judge.py", "evidence.py", *(path.name for path in FOLDER.glob("check_*.py"))):
        tree = ast.parse((FOLDER / name).read_text())
        imported = {
            module
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for module in (
                [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
            )
        }
        assert not {module for module in imported if module.split(".")[0] == "app"}, name
