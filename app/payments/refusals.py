"""Counts the webhooks that were refused for their signature, so that a person learns of a wrong secret.

Whoever knows the address can send such requests, so they must stay cheap: they are counted in the process and written
down once a minute at most. What is counted is therefore "at least", and a process that ends may lose a minute's.
"""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from flask import Flask, current_app
from sqlalchemy import func, select, update
from sqlalchemy.exc import DBAPIError

from app import clock
from app.db import DatabaseBusy, db, insert_once, transaction
from app.payments.models import WebhookRefusal
from app.payments.probe import WRONG_SECRET
from app.payments.signature import SignatureInvalid, verify_signature

log = structlog.get_logger()

WRITTEN_EVERY = timedelta(minutes=1)
# Requests without a signature at all are passers-by, not Stripe with another secret.
COUNTED_REASONS = frozenset({"signature", "timestamp"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusals:
    """How many webhooks were refused, at least, and when the last one was."""

    count: int
    last_at: datetime
    reason: str


class RefusalCounter:
    """Of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._written_at: datetime | None = None

    def add(self, reason: str, moment: datetime) -> dict[str, int]:
        """Count one; gives what is to be written down now, mostly nothing."""
        with self._lock:
            self._counts[reason] = self._counts.get(reason, 0) + 1
            if self._written_at is not None and abs(moment - self._written_at) < WRITTEN_EVERY:
                return {}
            self._written_at = moment
            counts, self._counts = self._counts, {}
            return counts


def init_app(app: Flask) -> None:
    """Give the app's process its counter."""
    app.extensions["webhook_refusals"] = RefusalCounter()


def note_refusal(reason: str, *, payload: bytes, header: str) -> None:
    """Count a refused webhook, the doctor's own not. Never fails: the refusal is the answer, counted or not."""
    moment = clock.now()
    if reason not in COUNTED_REASONS or _is_doctors(payload, header, moment):
        return
    counter: RefusalCounter = current_app.extensions["webhook_refusals"]
    counts = counter.add(reason, moment)
    if not counts:
        return
    try:
        _write(counts, moment)
    except (DBAPIError, DatabaseBusy) as error:
        log.warning("refusals_not_counted", error=type(error).__name__)


def find_refusals(*, since: datetime | None) -> Refusals | None:
    """The webhooks refused after a moment, or ever; None where there were none. The hour it falls in counts whole."""
    hours = select(func.sum(WebhookRefusal.count), func.max(WebhookRefusal.last_at), WebhookRefusal.reason).group_by(
        WebhookRefusal.reason
    )
    if since is not None:
        hours = hours.where(WebhookRefusal.last_at > since)
    rows = sorted(db.session.execute(hours).all(), key=lambda row: row[0])
    if not rows:
        return None
    return Refusals(
        count=sum(row[0] for row in rows), last_at=max(row[1] for row in rows), reason=rows[-1][2]
    )  # fmt: skip


def _is_doctors(payload: bytes, header: str, moment: datetime) -> bool:
    try:
        verify_signature(payload=payload, header=header, secrets=(WRONG_SECRET,), moment=moment)
    except SignatureInvalid:
        return False
    return True


def _write(counts: dict[str, int], moment: datetime) -> None:
    hour_at = moment.replace(minute=0, second=0, microsecond=0)
    with transaction() as session:
        for reason, count in counts.items():
            values = {"hour_at": hour_at, "reason": reason, "count": 0, "last_at": moment}
            insert_once(WebhookRefusal, values, unique=["hour_at", "reason"])
            session.execute(
                update(WebhookRefusal)
                .where(WebhookRefusal.hour_at == hour_at, WebhookRefusal.reason == reason)
                .values(count=WebhookRefusal.count + count, last_at=moment)
            )
