"""How often posts are opened: counted in memory, written in batches as a sum for each post and day.

No cookie, no script and no person is in it. Caches have to ask for a post each time (app/caching.py), so a page that
a cache holds is counted like any other. What a process has counted in its last seconds is lost when it is killed.
"""

from collections import Counter
from datetime import date
from threading import Lock, Timer
from zoneinfo import ZoneInfo

import structlog
from flask import Flask, current_app
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.blog.models import Post, PostReads
from app.config import current_settings
from app.db import DatabaseBusy, db, retry_conflicts, transaction

log = structlog.get_logger()

BATCH_SECONDS = 10
EXTENSION = "read_counter"

Counts = Counter[tuple[int, date]]


class ReadCounter:
    """What this process has counted and not written yet, by post and day. Safe to share between threads."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._lock = Lock()
        self._counts: Counts = Counter()
        self._timer: Timer | None = None

    def add(self, counts: Counts) -> None:
        """Count on; the first one after a while sets the clock for the batch's writing."""
        with self._lock:
            self._counts.update(counts)
            if self._timer is None and not self._app.config["QUEUE_IS_OFF"]:
                self._timer = Timer(BATCH_SECONDS, self._write)
                self._timer.daemon = True
                self._timer.start()

    def take(self) -> Counts:
        """Everything counted so far; the next batch begins at zero."""
        with self._lock:
            counts, self._counts, self._timer = self._counts, Counter(), None
            return counts

    def _write(self) -> None:
        with self._app.app_context():
            write_reads()


def init_app(app: Flask) -> None:
    """Give the app its counter."""
    app.extensions[EXTENSION] = ReadCounter(app)


def count_read(post_id: int) -> None:
    """Note that a reader opened a post today, in the shop's time zone. Writes nothing yet."""
    settings = current_settings()
    today = clock.now().astimezone(ZoneInfo(settings.site_timezone)).date()
    _counter().add(Counter({(post_id, today): 1}))


def write_reads() -> None:
    """Write what was counted; what cannot be written now is kept for the next batch."""
    counts = _counter().take()
    if not counts:
        return
    try:
        _add_reads(counts)
    except (SQLAlchemyError, DatabaseBusy) as error:
        log.warning("reads_not_written", error=type(error).__name__, reads=counts.total())
        _counter().add(counts)


@retry_conflicts
def _add_reads(counts: Counts) -> None:
    dialect_insert = sqlite.insert if db.engine.dialect.name == "sqlite" else postgresql.insert
    with transaction() as session:
        # A post may have been removed since it was read.
        known = set(session.scalars(select(Post.id).where(Post.id.in_({post_id for post_id, _ in counts}))))
        # In one order everywhere: two processes that write the same posts must not wait for each other.
        for post_id, day in sorted(counts):
            if post_id in known:
                statement = dialect_insert(PostReads).values(post_id=post_id, day=day, reads=counts[post_id, day])
                session.execute(
                    statement.on_conflict_do_update(
                        index_elements=["post_id", "day"], set_={"reads": PostReads.reads + statement.excluded.reads}
                    )
                )


def _counter() -> ReadCounter:
    counter: ReadCounter = current_app.extensions[EXTENSION]
    return counter
