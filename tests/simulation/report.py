"""What the command prints: progress, failures with all that is needed to replay them, and the figures at the end."""

import sys
from pathlib import Path

from tests.simulation.run import Result
from tests.simulation.runner import Totals

PROGRESS_EVERY = 25


def print_progress(result: Result, done: int, all_of_them: int) -> None:
    if done % PROGRESS_EVERY == 0 or done == all_of_them:
        _say(f"{done} of {all_of_them} seeds")


def print_failure(result: Result, logs: Path | None) -> None:
    """The seed, its plan, how the shop differed, and the end of what it logged."""
    if not result.divergences:
        return
    _say(f"\nDIVERGENCE at seed {result.plan.seed} (replay: python -m tests.simulation --seed {result.plan.seed})")
    _say(result.plan.describe())
    for sentence in result.divergences:
        _say(f"  - {sentence}")
    if logs is not None:
        logs.mkdir(parents=True, exist_ok=True)
        (logs / f"seed-{result.plan.seed}.log").write_text(result.log)


def print_summary(totals: Totals, database: str) -> None:
    counts = totals.counts
    _say(
        f"\n{totals.seeds} seeds on {database}: {counts['orders']} orders, {counts['steps']} steps,"
        f" {counts['clicks']} clicks\n"
        f"  events       {counts['events']}, deliveries {counts['deliveries']}, of these {counts['duplicates']} again,"
        f" {counts['second ids']} under a second id, {counts['lost']} events lost\n"
        f"  faults       {counts['stripe faults']} of Stripe, {counts['locks']} locks, {counts['mail faults']} of mail,"
        f" {counts['refusals']} answers 5xx, all explained\n"
        f"  kills        {counts['kills']}, {counts['reconcilers killed']} of them of {counts['reconcilers']}"
        f" reconcilers\n"
        f"  seats        {counts['seats changed']} changed, {counts['joins']} joins by shared links\n"
        f"  money        {counts['late payments']} payments too late, {counts['second payments']} too many,"
        f" {counts['verdicts missed']} events of verdicts missed\n"
        f"  settings     {counts['taxed orders']} orders with tax, {counts['invoices']} invoices,"
        f" {counts['consents']} consents, {counts['consents refused']} clicks without\n"
        f"  divergences  {totals.divergences}{'' if not totals.failed_seeds else f' at seeds {totals.failed_seeds}'}\n"
        f"  seconds      {totals.seconds:.0f}"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
