"""The task queue: makes work quick. The rows that describe the work, and the sweeper over them, make it certain.

A task only says "look at row 7 now": huey deletes on dequeue, so a killed worker loses the task it held (tried).
"""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from flask import Flask, current_app
from huey import Huey, MemoryHuey, PostgresHuey, RedisHuey, SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer
from sqlalchemy.engine import make_url

from app.config import Settings, forget_settings
from app.db import after_commit, db
from app.job_runs import JobLog, get_job_log

log = structlog.get_logger()

TaskFunction = Callable[..., None]
FindIds = Callable[[], Sequence[int | str]]
RUN_TASK = "run_task"

_tasks: dict[str, TaskFunction] = {}
_sweeps: list["Sweep"] = []


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """Finds the ids of rows with unfinished work and runs their task: losing a task loses seconds, never work."""

    task: str
    find_ids: FindIds


class JsonSerializer(Serializer):
    """Messages as JSON: a queue that others can write to must not be able to run code (no pickle)."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(list(data), default=_plain).encode()

    def _deserialize(self, data: bytes) -> Any:
        return Message(*json.loads(data))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be part of a task")


def task(name: str) -> Callable[[TaskFunction], TaskFunction]:
    """Register a function as the task of that name. Its arguments are ids; it runs at least once."""

    def register(function: TaskFunction) -> TaskFunction:
        _tasks[name] = function
        return function

    return register


def sweep(task_name: str) -> Callable[[FindIds], FindIds]:
    """Register the query that finds rows for which the task still has to run."""

    def register(find_ids: FindIds) -> FindIds:
        _sweeps.append(Sweep(task=task_name, find_ids=find_ids))
        return find_ids

    return register


def send_after_commit(name: str, *arguments: int | str) -> None:
    """Ask a worker to run a task once the open transaction has committed."""
    after_commit(lambda: send(name, *arguments))


def send(name: str, *arguments: int | str) -> None:
    """Ask a worker to run a task now. A queue that is down is logged only: the sweeper finds the row."""
    huey: Huey = current_app.extensions["huey"]
    if current_app.config["QUEUE_IS_OFF"]:
        return
    try:
        current_app.extensions["huey_run_task"](name, list(arguments))
    except Exception as error:
        # Each kind of queue fails with errors of its own (sqlite3, psycopg, redis); the row is committed already.
        log.warning("queue_unavailable", task=name, error=type(error).__name__, queue=huey.name)


def run_task(name: str, arguments: Sequence[int | str]) -> None:
    """Run a task here and now; a failure is logged, its row stays for the sweeper."""
    forget_settings()
    try:
        _tasks[name](*arguments)
    except Exception as error:
        db.session.rollback()
        log.exception("task_failed", task=name, arguments=list(arguments), error=type(error).__name__)
        get_job_log().note_failure(name, type(error).__name__)
    finally:
        db.session.remove()


def list_sweeps() -> list[Sweep]:
    """Every kind of unfinished work. Each can be swept apart, so that none waits for the outside of another."""
    return list(_sweeps)


def run_sweeps() -> int:
    """Run every unfinished piece of work once, one after the other; returns how many were tried."""
    return sum(run_sweep(each) for each in _sweeps)


def run_sweep(each: Sweep, is_stopping: Callable[[], bool] = lambda: False) -> int:
    """Run every unfinished piece of one kind once; returns how many were tried. Asks between two whether to go on."""
    try:
        ids = list(each.find_ids())
    except Exception as error:
        # A database that is away for a moment must not end the sweeper, which is there to outlive such moments.
        log.exception("sweep_failed", task=each.task, error=type(error).__name__)
        ids = []
    finally:
        db.session.remove()
    for count, row_id in enumerate(ids):
        if is_stopping():
            return count
        run_task(each.task, [row_id])
    return len(ids)


def sweep_until(each: Sweep, stopping: threading.Event, *, app: Flask, pause_seconds: float) -> None:
    """Look for one kind of unfinished work again and again; returns between two pieces once the event is set."""
    while not stopping.is_set():
        try:
            with app.app_context():
                get_job_log().note_done(each.task, run_sweep(each, stopping.is_set))
        except Exception as error:
            # Out of memory or of file handles, even to give a connection back: the next round may have them again.
            log.exception("sweeper_failed", error=type(error).__name__)
        stopping.wait(pause_seconds)


def init_app(app: Flask, settings: Settings) -> None:
    """Make the app's queue: Redis where it is given, else beside the database, no queue at all in tests."""
    huey = _make_huey(settings)
    app.extensions["huey"] = huey
    app.extensions["job_log"] = JobLog()
    app.config.setdefault("QUEUE_IS_OFF", settings.app_env == "test")

    def run_in_app(name: str, arguments: Sequence[int | str]) -> None:
        with app.app_context():
            run_task(name, arguments)

    app.extensions["huey_run_task"] = huey.task(name=RUN_TASK)(run_in_app)


def _make_huey(settings: Settings) -> Huey:
    options: dict[str, Any] = {"results": False, "serializer": JsonSerializer()}
    if settings.app_env == "test":
        return MemoryHuey("tuition", **options)
    if settings.redis_url:
        return RedisHuey("tuition", url=settings.redis_url, **options)
    url = make_url(settings.database_url)
    if url.get_backend_name() == "postgresql":
        return PostgresHuey(
            "tuition", dsn=url.set(drivername="postgresql").render_as_string(hide_password=False), **options
        )
    return SqliteHuey("tuition", filename=str(settings.instance_path / "queue.sqlite"), **options)
