"""The command: runs seeds, prints what was done to the shop and every divergence. Exit code 1 when there was one.

python -m tests.simulation --seeds 100 [--first 1] [--database sqlite|postgresql] [--jobs 2]
python -m tests.simulation --seed 42      one seed again, with its plan
"""

import argparse
import sys
from pathlib import Path

from tests.simulation.plan import make_plan
from tests.simulation.report import print_failure, print_progress, print_summary
from tests.simulation.runner import run_seeds


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first one")
    parser.add_argument("--seed", type=int, help="this one only, with its plan")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--jobs", type=int, default=2, help="how many shops at once")
    parser.add_argument("--logs", type=Path, help="folder for the shop's log of each failing seed")
    given = parser.parse_args()
    seeds = [given.seed] if given.seed is not None else list(range(given.first, given.first + given.seeds))
    if given.seed is not None:
        sys.stdout.write(make_plan(given.seed).describe() + "\n")
    totals = run_seeds(
        seeds,
        database=given.database,
        jobs=min(given.jobs, len(seeds)),
        on_result=lambda result, done: (print_progress(result, done, len(seeds)), print_failure(result, given.logs)),
    )
    print_summary(totals, given.database)
    return 1 if totals.failed_seeds else 0


if __name__ == "__main__":
    sys.exit(main())
