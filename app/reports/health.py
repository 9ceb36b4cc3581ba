"""How the shop does, in numbers read from the database: for the metrics page, the health detail and the doctor."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, or_, select

from app import clock
from app.checkout.models import Finding, Order, RefundRequest
from app.checkout.reconcile_models import ReconcileScan
from app.checkout.reconcile_scans import PLAN
from app.db import db
from app.mail.models import Message
from app.payments.models import StripeEvent
from app.payments.overdue import PATIENCE


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """Counts of rows, ages in seconds; 0 where there is nothing to count. reconciled_age_seconds: -1 for never."""

    events_unhandled: int
    events_overdue: int
    events_oldest_age_seconds: int
    events_failed: int
    mails_due: int
    mails_failed: int
    findings_open: int
    orders_open: int
    queue_lag_seconds: int
    reconciled_age_seconds: int

    @property
    def is_well(self) -> bool:
        """Whether nothing asks for a person."""
        return not any((self.events_overdue, self.events_failed, self.mails_failed, self.findings_open))


def read_health() -> Health:
    """The numbers as they are now; a dozen indexed queries."""
    moment = clock.now()
    is_received = StripeEvent.state == "received"
    oldest_event_at = db.session.scalar(select(func.min(StripeEvent.received_at)).where(is_received))
    finished_at = db.session.scalar(
        select(func.max(ReconcileScan.finished_at)).where(ReconcileScan.run_key.not_like(f"{PLAN}%"))
    )
    mails_due = _list_due_mails(moment)
    return Health(
        events_unhandled=_count(select(StripeEvent.id).where(is_received)),
        events_overdue=_count(select(StripeEvent.id).where(is_received, StripeEvent.received_at < moment - PATIENCE)),
        events_oldest_age_seconds=_age(moment, oldest_event_at),
        events_failed=_count(select(StripeEvent.id).where(StripeEvent.state == "failed")),
        mails_due=_count(mails_due),
        mails_failed=_count(select(Message.id).where(Message.failed_at.is_not(None))),
        findings_open=_count(select(Finding.id).where(Finding.resolved_at.is_(None))),
        orders_open=_count(select(Order.id).where(Order.state.in_(("pending", "processing")))),
        queue_lag_seconds=_age(moment, min(_list_due_times(moment), default=None)),
        reconciled_age_seconds=-1 if finished_at is None else _age(moment, finished_at),
    )


def _list_due_mails(moment: datetime) -> Select[int]:
    return select(Message.id).where(
        Message.sent_at.is_(None),
        Message.failed_at.is_(None),
        Message.send_after <= moment,
        or_(Message.lease_expires_at.is_(None), Message.lease_expires_at < moment),
    )


def _list_due_times(moment: datetime) -> list[datetime]:
    """Since when the oldest work of each kind is due and nobody does it: the lag of the workers."""
    found: list[Any] = [
        db.session.scalar(query)
        for query in (
            select(func.min(StripeEvent.next_attempt_at)).where(StripeEvent.state == "received"),
            _list_due_mails(moment).with_only_columns(func.min(Message.send_after)),
            select(func.min(Order.check_after)),
            select(func.min(RefundRequest.next_attempt_at)).where(
                RefundRequest.stripe_refund_id.is_(None), RefundRequest.error.is_(None)
            ),
        )
    ]
    return [each for each in found if each is not None and each <= moment]


def _count(query: Select[Any]) -> int:
    return db.session.scalar(select(func.count()).select_from(query.subquery())) or 0


def _age(moment: datetime, since: datetime | None) -> int:
    return 0 if since is None else max(0, int((moment - since) / timedelta(seconds=1)))
