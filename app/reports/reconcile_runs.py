"""The reconciler's last runs, and what the last dry run found, for the back-office."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select

from app.checkout.models import Order
from app.checkout.numbers import format_order_number
from app.checkout.reconcile_models import ReconcileScan
from app.checkout.reconcile_scans import DAILY, MANUAL, PLAN
from app.db import db

MOST_RUNS = 20
MOST_SHOWN = 100
KINDS = ((DAILY, "Daily"), (MANUAL, "By hand"), (PLAN, "Dry run"))


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconcileRun:
    """A run: how many objects and orders were looked at, how many healed (would be, in a dry run) and not."""

    run_key: str
    kind: str
    started_at: datetime
    finished_at: datetime | None
    seen_count: int
    healed_count: int
    unhealed_count: int

    @property
    def is_plan(self) -> bool:
        """Whether it healed nothing by design."""
        return self.run_key.startswith(PLAN)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOutcome:
    """One order that differed; difference as Difference holds it, None where it could not be read."""

    subject: str
    order_name: str
    result: str
    reason: str
    difference: dict[str, Any] | None


def list_runs() -> list[ReconcileRun]:
    """The newest runs, newest first."""
    newest = func.max(ReconcileScan.id)
    unfinished = func.sum(case((ReconcileScan.finished_at.is_(None), 1), else_=0))
    rows = db.session.execute(
        select(
            ReconcileScan.run_key,
            func.min(ReconcileScan.started_at),
            func.max(ReconcileScan.finished_at),
            unfinished,
            func.sum(ReconcileScan.seen_count),
            func.sum(ReconcileScan.healed_count),
            func.sum(ReconcileScan.unhealed_count),
        )
        .group_by(ReconcileScan.run_key)
        .order_by(newest.desc())
        .limit(MOST_RUNS)
    )
    return [
        ReconcileRun(
            run_key=key, kind=next((word for prefix, word in KINDS if key.startswith(prefix)), "Command line"),
            started_at=started_at, finished_at=None if left else finished_at, seen_count=int(seen),
            healed_count=int(healed), unhealed_count=int(unhealed),
        )
        for key, started_at, finished_at, left, seen, healed, unhealed in rows
    ]  # fmt: skip


def list_run_outcomes(run_key: str) -> Sequence[RunOutcome]:
    """What differed in a run, each order once, as far as it is kept. Asks nobody but the database."""
    found: dict[str, dict[str, Any]] = {}
    for outcomes in db.session.scalars(
        select(ReconcileScan.outcomes).where(ReconcileScan.run_key == run_key).order_by(ReconcileScan.id)
    ):
        for outcome in outcomes:
            found.setdefault(outcome["subject"], outcome)
    shown = list(found.values())[:MOST_SHOWN]
    numbers: dict[str, int | None] = dict(
        db.session.execute(
            select(Order.public_id, Order.number).where(Order.public_id.in_([each["subject"] for each in shown]))
        ).all()
    )
    return [
        RunOutcome(
            subject=each["subject"], result=each["result"], reason=each["reason"], difference=each["difference"],
            order_name=(format_order_number(numbers[each["subject"]]) or "Not paid yet")
            if each["subject"] in numbers else "",
        )
        for each in shown
    ]  # fmt: skip
