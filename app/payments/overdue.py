"""The alarm: an event that nobody has handled for five minutes means that the worker is down or an event is poison."""

import threading
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Select, func, select

from app import clock
from app.db import db
from app.payments.models import StripeEvent

log = structlog.get_logger()

PATIENCE = timedelta(minutes=5)
SILENCE = timedelta(minutes=1)


class _Alarm:
    """When this process last said so. Each process that looks may say it: the worker's own alarm dies with it (F22)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said_at: datetime | None = None

    def is_silent(self) -> bool:
        """Whether it sounded less than a minute ago; a clock that was set back does not silence it for longer."""
        return self._said_at is not None and abs(clock.now() - self._said_at) < SILENCE

    def may_sound(self) -> bool:
        """True for one caller a minute."""
        with self._lock:
            if self.is_silent():
                return False
            self._said_at = clock.now()
            return True


_alarm = _Alarm()


def list_alarming_event_ids() -> list[str]:
    """The event that waits longest beyond five minutes, as long as the alarm about it is still to be sounded."""
    return [] if _alarm.is_silent() else list(db.session.scalars(_overdue().limit(1)))


def sound_alarm() -> int:
    """Count the events that wait longer than five minutes; where there are any, log an error, once a minute at most.

    Returns their number. Those that were given up after many tries are not among them: they are "failed".
    """
    count = db.session.scalar(select(func.count()).select_from(_overdue().order_by(None).subquery())) or 0
    if count and _alarm.may_sound():
        oldest_at = db.session.scalar(select(func.min(StripeEvent.received_at)).where(StripeEvent.state == "received"))
        age = clock.now() - (oldest_at or clock.now())
        log.error("events_overdue", count=count, oldest_seconds=int(age.total_seconds()))
    return count


def _overdue() -> Select[str]:
    return (
        select(StripeEvent.id)
        .where(StripeEvent.state == "received", StripeEvent.received_at < clock.now() - PATIENCE)
        .order_by(StripeEvent.received_at)
    )
