"""The doctor asked from a browser: what it said is kept, so that pages show it without asking Stripe again."""

from dataclasses import asdict

from sqlalchemy import delete, select

from app import clock
from app.db import db, retry_conflicts, transaction
from app.payments.doctor import Check
from app.payments.gateway import brief_patience
from app.payments.models import DoctorRun
from app.reports.doctor import examine

# How long the page waits for the worker.
WAIT_SECONDS = 5.0
RUNS_KEPT = 20


def run_doctor() -> DoctorRun:
    """Make all checks and keep what they say. Answers within a minute whatever hangs: each question has its own end."""
    with brief_patience():
        checks = list(examine(wait_seconds=WAIT_SECONDS))
    return _save(checks)


def find_last_run() -> DoctorRun | None:
    """What the doctor said last, None where nobody has asked it."""
    return db.session.scalar(select(DoctorRun).order_by(DoctorRun.id.desc()).limit(1))


@retry_conflicts
def _save(checks: list[Check]) -> DoctorRun:
    with transaction() as session:
        run = DoctorRun(checked_at=clock.now(), checks=[asdict(each) for each in checks])
        session.add(run)
        session.flush()
        session.execute(delete(DoctorRun).where(DoctorRun.id <= run.id - RUNS_KEPT))
    return run
