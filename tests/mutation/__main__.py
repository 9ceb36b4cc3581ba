"""`python -m tests.mutation`: a seeded sample of faults, each judged by tests that reach its line. Needs `make mutation`'s map."""

import argparse
import json
import math
import random
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from tests.mutation.mutants import PACKAGES, Mutant, list_mutants, take_sample
from tests.mutation.reach import FOLDER, Reach

EQUIVALENT = Path(__file__).parent / "equivalent.toml"
PROCESSES = 2
# One in so many is tried without its fault: then all of its tests must pass.
CONTROL_EVERY = 100
NORMAL_QUANTILE_95 = 1.96


def main() -> int:
    options = _read_options()
    mutants = list_mutants()
    chosen = [each for each in take_sample(mutants, options.sample, options.seed) if options.only in each.path]
    say(f"{len(mutants):,} faults can be made; {len(chosen)} are tried (seed {options.seed})")
    reach = Reach()
    trials = [
        {"number": number, "path": each.path, "function": each.function, "source": each.source, "tests": reach.choose_tests(each.path, each.line)}
        for number, each in enumerate(chosen)
    ]  # fmt: skip
    controls = [{**each, "number": -each["number"] - 1, "source": ""} for each in trials[::CONTROL_EVERY]]
    # In any order, so that a run that was stopped has judged a sample too.
    random.Random(options.seed).shuffle(trials)
    outcomes = _try_out(trials + controls)
    disturbed = [each for number, each in outcomes.items() if number < 0 and each["how"] != "survived"]
    if disturbed or len(outcomes) < len(controls) + len(trials):
        say(f"the figures say nothing: without any fault, or before the end, {disturbed or 'a process stopped'}")
        return 1
    _tell([(mutant, outcomes[number]) for number, mutant in enumerate(chosen)])
    return 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--sample", type=int, default=400, help="how many faults, drawn from all")
    parser.add_argument("--seed", type=int, default=7, help="of the sample")
    parser.add_argument("--only", default="", help="of the sample, only files with this in their path")
    return parser.parse_args()


def _try_out(trials: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The outcome of each, by its number; two processes share them."""
    running = []
    for part in range(PROCESSES):
        file = FOLDER / f"trials-{part}.jsonl"
        file.write_text("".join(json.dumps(each) + "\n" for each in trials[part::PROCESSES]))
        files = sorted({test.partition("::")[0] for each in trials[part::PROCESSES] for test in each["tests"]})
        command = [sys.executable, "-m", "pytest", "-p", "tests.mutation.trials", "--trials", str(file), *files]
        with file.with_suffix(".log").open("w") as log:
            running.append(
                (file, subprocess.Popen([*command, "tests/checkout/test_purchase.py"], stdout=log, stderr=log))
            )
    outcomes: dict[int, dict[str, Any]] = {}
    for file, process in running:
        process.wait()
        for line in file.with_suffix(".outcomes").read_text().splitlines():
            outcome = json.loads(line)
            outcomes[outcome["number"]] = outcome
    return outcomes


def _tell(judged: list[tuple[Mutant, dict[str, Any]]]) -> None:
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("equivalent", [])
    known = {tuple(each[name] for name in ("file", "function", "operator", "before", "after")) for each in entries}
    hows: dict[str, Counter[str]] = {package: Counter() for package in PACKAGES}
    for mutant, outcome in judged:
        described = mutant.describe()
        is_known = tuple(described.values()) in known
        how = "equivalent" if is_known and outcome["how"] == "survived" else outcome["how"]
        hows[str(Path(mutant.path).parent)][how] += 1
        if how in {"survived", "broken"}:
            say(
                f"\n{how} {mutant.path}:{mutant.line} {mutant.function} ({described['operator']}), {outcome['count']} tests"
            )
            say(f"  - {described['before']}\n  + {described['after']}")
        elif is_known and how != "equivalent":
            say(
                f"\nlisted as equivalent, but {how}: {mutant.path}:{mutant.line} {described['after']} by {outcome['by']}"
            )
    say("")
    for package, counts in [*hows.items(), ("all", sum(hows.values(), Counter()))]:
        _tell_score(package, counts)


def _tell_score(name: str, counts: Counter[str]) -> None:
    """Noticed faults over those that can be noticed, with Wilson's interval."""
    noticed, total = counts["killed"] + counts["timed out"], counts.total() - counts["equivalent"]
    if not total:
        return
    share, z = noticed / total, NORMAL_QUANTILE_95
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    say(
        f"{name:15} {counts['killed']:4} killed {counts['timed out']:3} timed out {counts['survived']:3} survived "
        f"{counts['equivalent']:3} equivalent, score {share:.1%} (95 % interval {middle - spread:.1%} to {middle + spread:.1%})"
    )


if __name__ == "__main__":
    sys.exit(main())
