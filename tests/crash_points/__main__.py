"""`python -m tests.crash_points`: every point of every flow, or a part of them. Exit code 1 on the first thing lost or doubled."""

import argparse
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.crash_points.controls import CONTROLS
from tests.crash_points.flows import FLOWS
from tests.crash_points.points import KINDS, kind_of
from tests.crash_points.runs import Rehearsal, Verdict, kill_at, rehearse, warm_up
from tests.crash_points.world import World


def main() -> int:
    options = _read_options()
    say(
        f"crash points on {options.database}"
        + (f", sample of {options.sample}, seed {options.seed}" if options.sample else "")
    )
    # Killed processes lose nothing that a disk would have kept: memory is as good, and quicker.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="crash_points_", dir=memory) as folder,
        World(Path(folder), options.database) as world,
    ):
        return _run(world, options)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash_points", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--flow", choices=sorted(FLOWS), action="append", help="only this flow; may be repeated")
    parser.add_argument("--point", type=int, help="only this point of the one flow that is named")
    parser.add_argument("--sample", type=int, help="only so many points, drawn from all")
    parser.add_argument("--seed", type=int, default=7, help="of the sample")
    parser.add_argument("--controls", action="store_true", help="instead: take guards out, and see that it is noticed")
    parser.add_argument("--list", action="store_true", help="name the points, kill nothing")
    options = parser.parse_args()
    if options.point is not None and len(options.flow or ()) != 1:
        parser.error("--point needs one --flow")
    return options


def _run(world: World, options: argparse.Namespace) -> int:
    started = time.monotonic()
    warm_up(world)
    if options.controls:
        return _try_controls(world)
    rehearsals = {name: rehearse(world, FLOWS[name]) for name in options.flow or FLOWS}
    chosen = [(name, point) for name, each in rehearsals.items() for point in range(1, len(each.points) + 1)]
    total = len(chosen)
    if options.list:
        for name, point in chosen:
            say(f"{name} {point}: {rehearsals[name].points[point - 1]}")
        return 0
    if options.point is not None:
        chosen = [each for each in chosen if each[1] == options.point]
    if options.sample:
        chosen = sorted(random.Random(options.seed).sample(chosen, min(options.sample, total)))
    verdicts = []
    for name, rehearsal in rehearsals.items():
        own = [kill_at(world, FLOWS[name], rehearsal, point) for flow, point in chosen if flow == name]
        _tell_flow(name, rehearsal, own)
        verdicts += own
    _tell_all(rehearsals, verdicts, total, seconds=time.monotonic() - started, database=options.database)
    return 0 if verdicts and not any(each.complaints for each in verdicts) else 1


def _try_controls(world: World) -> int:
    blind = 0
    for control in CONTROLS:
        complaint = control.try_out(world)
        blind += complaint is None
        say(f"not noticed: {control.name}" if complaint is None else f"noticed: {control.name}: {complaint.text}")
    say(f"{len(CONTROLS)} controls, {blind} not noticed")
    return 1 if blind else 0


def _tell_flow(name: str, rehearsal: Rehearsal, verdicts: list[Verdict]) -> None:
    lost, doubled, wrong = (sum(bool(each.count(kind)) for each in verdicts) for kind in ("lost", "doubled", "wrong"))
    say(
        f"{name:20} {len(rehearsal.points):4} points {len(verdicts):4} kills {lost:3} lost {doubled:3} doubled {wrong:3} wrong"
    )
    for verdict in verdicts:
        for complaint in verdict.complaints:
            say(f"  {verdict.flow} point {verdict.point} ({verdict.label}): {complaint.kind}, {complaint.text}")
        if verdict.complaints:
            say(f"  again: python -m tests.crash_points --flow {verdict.flow} --point {verdict.point}")


def _tell_all(
    rehearsals: dict[str, Rehearsal], verdicts: list[Verdict], total: int, *, seconds: float, database: str
) -> None:
    kinds = Counter(kind_of(label) for each in rehearsals.values() for label in each.points)
    say("points by kind: " + ", ".join(f"{kind} {kinds[kind]}" for kind in KINDS))
    lost, doubled, wrong = (sum(bool(each.count(kind)) for each in verdicts) for kind in ("lost", "doubled", "wrong"))
    repeats = sum(each.repeats for each in verdicts)
    say(f"mails that came twice under one Message-ID, as F93 allows: {repeats}")
    say(
        f"{database}: {len(rehearsals)} flows, {total} points, {len(verdicts)} kills, {lost} lost, {doubled} doubled, "
        f"{wrong} wrong, {seconds:.0f} s"
    )


if __name__ == "__main__":
    logging.raiseExceptions = False
    sys.exit(main())
