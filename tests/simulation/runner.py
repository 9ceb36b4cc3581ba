"""Many seeds over one or two shops, each shop with processes and a database of its own."""

import multiprocessing
import os
import queue
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.queues import Queue

from tests.simulation.harness import Shop
from tests.simulation.run import Result, rehearse, run_seed

SILENCE_SECONDS = 5.0
# A rehearsal costs as much as some ten seeds save by it.
SHORT_RUN = 10


class RunBroken(RuntimeError):
    """A shop could not be run to the end: the harness or the machine failed, not the shop."""


@dataclass
class Totals:
    """What many seeds came to."""

    seeds: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    divergences: int = 0
    failed_seeds: list[int] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, result: Result) -> None:
        self.seeds += 1
        self.counts += result.counts
        self.divergences += len(result.divergences)
        if result.divergences:
            self.failed_seeds.append(result.plan.seed)


def run_seeds(seeds: Sequence[int], *, database: str, jobs: int, on_result: Callable[[Result, int], object]) -> Totals:
    """Run every seed; on_result hears of each as it ends, with how many are done. Raises what a shop's run raises."""
    began = time.monotonic()
    totals = Totals()
    context = multiprocessing.get_context("spawn")
    results: Queue[Result | str] = context.Queue()
    workers = [
        context.Process(target=_work, args=(list(seeds[number::jobs]), database, f"job{number}", results))
        for number in range(jobs)
    ]
    for worker in workers:
        worker.start()
    try:
        while totals.seeds < len(seeds):
            try:
                result = results.get(timeout=SILENCE_SECONDS)
            except queue.Empty:
                if any(worker.is_alive() for worker in workers):
                    continue
                raise RunBroken("every job ended before its last seed") from None
            if isinstance(result, str):
                raise RunBroken(result)
            totals.add(result)
            on_result(result, totals.seeds)
    finally:
        for worker in workers:
            worker.join(10)
            if worker.is_alive():
                worker.terminate()
    totals.failed_seeds.sort()
    totals.seconds = time.monotonic() - began
    return totals


def _work(seeds: list[int], database: str, name: str, results: "Queue[Result | str]") -> None:
    parent = os.getppid()
    try:
        with Shop(database=database, name=name) as shop:
            if len(seeds) > SHORT_RUN:
                rehearse(shop)
            for seed in seeds:
                if os.getppid() != parent:
                    return  # whoever asked was killed: nobody hears the rest
                results.put(run_seed(shop, seed))
    except BaseException as error:
        results.put(f"{name} broke off: {error!r}")
        raise
