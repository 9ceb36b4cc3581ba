"""When a worker last looked at each kind of work, and what failed: the workers' heartbeat, written once a minute."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import String, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import Base, UTCDateTime, db, insert_once, retry_conflicts, transaction

# A worker looks every three seconds; saying so each time would be the busiest writer of a quiet shop.
BEAT = timedelta(minutes=1)


class JobRun(Base):
    """One kind of work: when a worker last looked for it, last did some, and how it last failed."""

    __tablename__ = "job_runs"

    task: Mapped[str] = mapped_column(String(80), primary_key=True)
    seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none: no worker ever looked
    worked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none: there was never anything to do
    done_count: Mapped[int] = mapped_column(default=0)
    failure_count: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none: it never failed
    error: Mapped[str | None] = mapped_column(String(200))  # the kind of the last failure


@dataclass(kw_only=True, slots=True)
class _Tally:
    """What this process has seen of a kind of work since it last wrote it down."""

    written_at: datetime | None = None
    worked_at: datetime | None = None
    done_count: int = 0
    failure_count: int = 0
    failed_at: datetime | None = None
    error: str = ""


class JobLog:
    """Of one process; its threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[str, _Tally] = {}

    def note_done(self, task: str, count: int) -> None:
        """A look at the work is over; count pieces were tried. Writes once a minute at most."""
        moment = clock.now()
        with self._lock:
            tally = self._tallies.setdefault(task, _Tally())
            if count:
                tally.worked_at = moment
                tally.done_count += count
            if tally.written_at is not None and abs(moment - tally.written_at) < BEAT:
                return
            self._tallies[task] = _Tally(written_at=moment)
        _write(task, tally, moment)

    def note_failure(self, task: str, error: str) -> None:
        """A piece of work failed; written down with the next look."""
        with self._lock:
            tally = self._tallies.setdefault(task, _Tally())
            tally.failure_count += 1
            tally.failed_at, tally.error = clock.now(), error[:200]


def get_job_log() -> JobLog:
    """The log of this process."""
    found: JobLog = current_app.extensions["job_log"]
    return found


def list_job_runs() -> dict[str, JobRun]:
    """What is known of each kind of work, by its task."""
    rows = db.session.scalars(select(JobRun).execution_options(populate_existing=True))
    return {row.task: row for row in rows}


@retry_conflicts
def _write(task: str, tally: _Tally, moment: datetime) -> None:
    values = {"done_count": JobRun.done_count + tally.done_count, "seen_at": moment}
    if tally.worked_at is not None:
        values["worked_at"] = tally.worked_at
    if tally.failed_at is not None:
        values |= {"failed_at": tally.failed_at, "error": tally.error}
        values["failure_count"] = JobRun.failure_count + tally.failure_count
    with transaction() as session:
        insert_once(JobRun, {"task": task, "done_count": 0, "failure_count": 0}, unique=["task"])
        session.execute(update(JobRun).where(JobRun.task == task).values(**values))
