"""What the workers have before them: each kind of work with its depth, its oldest piece and its last look."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select

from app import clock
from app.checkout.models import Order, RefundRequest
from app.checkout.reconcile_models import ReconcileScan
from app.db import db
from app.job_runs import JobRun, list_job_runs
from app.mail.models import Message
from app.payments.models import StripeEvent
from app.queue import list_sweeps

# A worker says every minute that it looks.
PATIENCE = timedelta(minutes=3)
MOST_MAILS = 50
WORDS = {
    "checkout.handle_event": ("Stripe’s events", "Bring the order of each event in line with Stripe."),
    "mail.deliver_message": ("Mails", "Hand each mail to the mail server."),
    "checkout.send_refund": ("Refunds", "Send refunds to Stripe that were asked for."),
    "checkout.check_order": ("Open checkouts", "Ask Stripe about orders that nobody came back for."),
    "checkout.begin_daily_run": ("Daily comparison", "Begin the day’s comparison of the books with Stripe."),
    "checkout.reconcile_page": ("Comparison with Stripe", "Go through the pages of a comparison."),
    "checkout.empty_old_payloads": ("Old payloads", "Empty the payloads of events after 90 days."),
    "checkout.sound_alarm": ("Alarm", "Log an error while events wait for over five minutes."),
    "checkout.send_product": ("Products for Stripe", "Send products and prices again that somebody asked to send."),
    "publish_course": ("Scheduled courses", "Publish courses whose time has come."),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One kind of work. depth: how many pieces are due, as far as one look goes; oldest_at: since when the oldest is,
    None where there is none or it keeps no time. run: what workers wrote down, None where none ever did."""

    task: str
    label: str
    what: str
    depth: int
    oldest_at: datetime | None
    run: JobRun | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Heartbeat:
    """When a worker last said that it works, None for never."""

    seen_at: datetime | None
    is_alive: bool


def list_jobs() -> list[Job]:
    """Every kind of work, those with work before the others."""
    runs = list_job_runs()
    jobs = [_read_job(each.task, each.find_ids(), runs.get(each.task)) for each in list_sweeps()]
    return sorted(jobs, key=lambda job: (not job.depth, job.label))


def read_heartbeat() -> Heartbeat:
    """Whether a worker runs, by what it wrote down last."""
    seen_at = db.session.scalar(select(func.max(JobRun.seen_at)))
    return Heartbeat(seen_at=seen_at, is_alive=seen_at is not None and seen_at > clock.now() - PATIENCE)


def list_failed_mails() -> list[Message]:
    """Mails that were given up, the last one first."""
    return list(db.session.scalars(select_failed_mails()))


def select_failed_mails() -> Select[Message]:
    """The statement of list_failed_mails()."""
    return (
        select(Message)
        .where(Message.failed_at.is_not(None))
        .order_by(Message.failed_at.desc(), Message.id.desc())
        .limit(MOST_MAILS)
    )


def list_refused_refunds() -> list[tuple[str, int | None, RefundRequest]]:
    """Refunds that Stripe refused, with public id and number of their order, the last one first."""
    rows = db.session.execute(
        select(Order.public_id, Order.number, RefundRequest)
        .join(Order, Order.id == RefundRequest.order_id)
        .where(RefundRequest.error.is_not(None))
        .order_by(RefundRequest.id.desc())
        .limit(MOST_MAILS)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _read_job(task: str, ids: Sequence[Any], run: JobRun | None) -> Job:
    label, what = WORDS.get(task, (task.rpartition(".")[2].replace("_", " ").capitalize(), ""))
    return Job(
        task=task, label=label, what=what, depth=len(ids), run=run, oldest_at=_find_oldest(task) if ids else None
    )


def _find_oldest(task: str) -> datetime | None:
    queries: dict[str, Select[Any]] = {
        "checkout.handle_event": select(func.min(StripeEvent.received_at)).where(StripeEvent.state == "received"),
        "mail.deliver_message": select(func.min(Message.created_at)).where(
            Message.sent_at.is_(None), Message.failed_at.is_(None), Message.send_after <= clock.now()
        ),
        "checkout.send_refund": select(func.min(RefundRequest.created_at)).where(
            RefundRequest.stripe_refund_id.is_(None), RefundRequest.error.is_(None)
        ),
        "checkout.check_order": select(func.min(Order.check_after)),
        "checkout.reconcile_page": select(func.min(ReconcileScan.started_at)).where(
            ReconcileScan.finished_at.is_(None)
        ),
    }
    found: datetime | None = db.session.scalar(queries[task]) if task in queries else None
    return found
