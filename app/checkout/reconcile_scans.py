"""Runs of the reconciler: resumable after any object, shared by any number of processes.

A run is one row for each kind of page. Whoever claims a row's lease looks at its next page, heals what differs and
saves after each heal how far it came: a killed process loses at most the order it was at. Two runs at once have the
effect of one, for whatever is healed is healed by settle().
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

import structlog
from sqlalchemy import or_, select, update

from app import clock
from app.audit import record_audit
from app.checkout.models import Order
from app.checkout.owners import close_found_orders
from app.checkout.reconcile_models import ReconcileScan
from app.checkout.reconcile_orders import Outcome, heal_order
from app.checkout.reconcile_pages import KINDS, Kind, heal_item, plan_item, read_page
from app.db import db, insert_once, make_public_id, retry_conflicts, transaction
from app.payments.gateway import PaymentUnavailable, StripeObjectMissing
from app.queue import send_after_commit

log = structlog.get_logger()

Step = Literal["worked", "busy", "unavailable"]

DEFAULT_SPAN = timedelta(days=35)
DAY = timedelta(days=1)
DAILY = "daily:"
# Runs that a person began in the browser, and those that only say what they would heal.
MANUAL = "manual:"
PLAN = "plan:"
# Longer than one order can take; renewed after each.
LEASE = timedelta(minutes=5)
# When Stripe does not answer, the scan rests.
PAUSE = timedelta(minutes=1)
# What a row keeps of its outcomes; its counts are exact beyond that.
MOST_OUTCOMES = 500


@dataclass(kw_only=True, slots=True)
class Claim:
    """A scan that only this process may go on with until lease_expires_at, which is also how it proves that."""

    scan_id: int
    run_key: str
    kind: Kind
    since: datetime
    read_before: datetime
    cursor: str | None
    lease_expires_at: datetime


@retry_conflicts
def begin_run(*, since: datetime) -> str:
    """Begin a run over what was made since then, or join one that goes as far back and is not finished.

    Returns the run's key.
    """
    with transaction() as session:
        unfinished = session.scalar(
            select(ReconcileScan.run_key)
            .where(ReconcileScan.finished_at.is_(None), ReconcileScan.since <= since)
            .where(ReconcileScan.run_key.not_like(f"{DAILY}%"), ReconcileScan.run_key.not_like(f"{PLAN}%"))
            .order_by(ReconcileScan.id)
            .limit(1)
        )
        run_key = unfinished or make_public_id("run")
        if unfinished is None:
            _insert_scans(run_key, since=since, read_before=clock.now())
    return run_key


@retry_conflicts
def begin_manual_run() -> bool:
    """Begin a run over the last 35 days on a person's word, for the workers. False when one is under way already.

    Of two people who press at once, the database lets one begin it.
    """
    return _begin_numbered(MANUAL)


@retry_conflicts
def begin_plan_run() -> bool:
    """As begin_manual_run(), but what differs is only written down: nothing is healed."""
    return _begin_numbered(PLAN)


def _begin_numbered(prefix: str) -> bool:
    moment = clock.now()
    with transaction() as session:
        last = session.scalar(
            select(ReconcileScan)
            .where(ReconcileScan.run_key.like(f"{prefix}%"))
            .order_by(ReconcileScan.id.desc())
            .limit(1)
        )
        if last is not None and _is_running(last.run_key):
            return False
        # Named after the one before, so that two at once are one.
        run_key = f"{prefix}{0 if last is None else last.id}"
        is_new = _insert_scans(run_key, since=moment - DEFAULT_SPAN, read_before=moment)
        if is_new:
            record_audit(
                action="reconcile.planned" if prefix == PLAN else "reconcile.begun",
                subject_type="reconcile", subject_id=run_key, after={"since": (moment - DEFAULT_SPAN).isoformat()},
            )  # fmt: skip
    return is_new


def list_daily_runs_due() -> list[int]:
    """[the last scan of the last daily run, 0 for none] when the next run is due, else [].

    A shop without an order older than a day has nothing that the checks of single orders would not see.
    """
    yesterday = clock.now() - DAY
    last = db.session.scalar(
        select(ReconcileScan).where(ReconcileScan.run_key.like(f"{DAILY}%")).order_by(ReconcileScan.id.desc()).limit(1)
    )
    if last is not None:
        return [last.id] if last.started_at <= yesterday and not _is_running(last.run_key) else []
    return [] if db.session.scalar(select(Order.id).where(Order.created_at <= yesterday).limit(1)) is None else [0]


@retry_conflicts
def begin_daily_run(last_scan_id: int) -> None:
    """Begin the day's run that follows the one whose last scan is named; of two at once, one does."""
    moment = clock.now()
    with transaction():
        # What the checks of single orders have read within a day need not be read again.
        _insert_scans(f"{DAILY}{last_scan_id}", since=moment - DEFAULT_SPAN, read_before=moment - DAY)


def list_free_scan_ids() -> list[int]:
    """Scans with pages left that nobody is at, oldest first."""
    query = select(ReconcileScan.id).where(
        ReconcileScan.finished_at.is_(None),
        or_(ReconcileScan.lease_expires_at.is_(None), ReconcileScan.lease_expires_at < clock.now()),
    )
    return list(db.session.scalars(query.order_by(ReconcileScan.id)))


def list_scans(run_key: str) -> list[ReconcileScan]:
    """The scans of a run as they are now."""
    db.session.rollback()
    query = select(ReconcileScan).where(ReconcileScan.run_key == run_key).order_by(ReconcileScan.id)
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


def list_outcomes(run_key: str) -> list[dict[str, Any]]:
    """What differed in a run and what was done, each order once: what was healed on one page counts for all.

    Orders that Stripe did not answer for are asked about once more.
    """
    by_subject: dict[str, dict[str, Any]] = {}
    for scan in list_scans(run_key):
        for outcome in scan.outcomes:
            earlier = by_subject.get(outcome["subject"])
            if earlier is None or earlier["result"] != "healed":
                by_subject[outcome["subject"]] = outcome
    return [_ask_once_more(outcome) for outcome in by_subject.values()]


def work_on_page(scan_id: int) -> Step:
    """Look at the next page of a scan and heal what differs. Safe to call at once and to be killed anywhere.

    "busy": another process is at it, or it is finished. "unavailable": Stripe does not answer; the scan rests a minute.
    """
    claim = _claim(scan_id)
    if claim is None:
        return "busy"
    try:
        page = read_page(claim.kind, since=claim.since, read_before=claim.read_before, after=claim.cursor)
    except StripeObjectMissing:
        _release(claim, cursor=None)
        return "worked"
    except PaymentUnavailable:
        _release(claim, cursor=claim.cursor, rest=PAUSE)
        return "unavailable"
    seen = 0
    for item in page.items:
        seen += 1
        outcome = plan_item(item) if claim.run_key.startswith(PLAN) else heal_item(item)
        if outcome is None:
            continue
        if not _keep(claim, cursor=item.cursor, seen=seen, outcome=outcome):
            return "busy"
        if outcome.result == "unanswered":
            _release(claim, cursor=item.cursor, rest=PAUSE)
            return "unavailable"
        seen = 0
    last = page.items[-1].cursor if page.items else claim.cursor
    _release(claim, cursor=last, seen=seen, is_finished=not page.has_more)
    return "worked"


def _ask_once_more(outcome: dict[str, Any]) -> dict[str, Any]:
    if outcome["result"] != "unanswered":
        return outcome
    order_id = db.session.scalars(select(Order.id).where(Order.public_id == outcome["subject"])).one()
    again = heal_order(order_id)
    return {**outcome, "result": "healed", "reason": ""} if again is None else again.as_dict()


def _insert_scans(run_key: str, *, since: datetime, read_before: datetime) -> bool:
    """False when another process has begun this run."""
    is_new = False
    for kind in KINDS:
        values = {
            "run_key": run_key,
            "kind": kind,
            "since": since,
            "read_before": read_before,
            "started_at": clock.now(),
            "seen_count": 0,
            "healed_count": 0,
            "unhealed_count": 0,
            "outcomes": [],
        }
        scan_id = insert_once(ReconcileScan, values, unique=["run_key", "kind"])
        if scan_id is not None:
            is_new = True
            send_after_commit("checkout.reconcile_page", scan_id)
    return is_new


def _is_running(run_key: str) -> bool:
    query = select(ReconcileScan.id).where(ReconcileScan.run_key == run_key, ReconcileScan.finished_at.is_(None))
    return db.session.scalar(query.limit(1)) is not None


@retry_conflicts
def _claim(scan_id: int) -> Claim | None:
    moment = clock.now()
    with transaction() as session:
        claimed = session.execute(
            update(ReconcileScan)
            .where(ReconcileScan.id == scan_id, ReconcileScan.finished_at.is_(None))
            .where(or_(ReconcileScan.lease_expires_at.is_(None), ReconcileScan.lease_expires_at < moment))
            .values(lease_expires_at=moment + LEASE)
            .returning(ReconcileScan.id)
        ).scalar_one_or_none()
        if claimed is None:
            return None
        scan = session.get_one(ReconcileScan, scan_id, populate_existing=True)
        return Claim(
            scan_id=scan_id,
            run_key=scan.run_key,
            kind=cast(Kind, scan.kind),
            since=scan.since,
            read_before=scan.read_before,
            cursor=scan.cursor,
            lease_expires_at=moment + LEASE,
        )


@retry_conflicts
def _keep(claim: Claim, *, cursor: str, seen: int, outcome: Outcome) -> bool:
    """Save what became of an item and renew the lease; False when another process took the scan over meanwhile."""
    lease_expires_at = clock.now() + LEASE
    with transaction():
        scan = _lock(claim)
        if scan is None:
            return False
        scan.cursor = cursor
        scan.lease_expires_at = lease_expires_at
        scan.seen_count += seen
        scan.healed_count += outcome.result in {"healed", "would_heal"}
        scan.unhealed_count += outcome.result not in {"healed", "would_heal"}
        if len(scan.outcomes) < MOST_OUTCOMES:
            scan.outcomes = [*scan.outcomes, outcome.as_dict()]
    claim.lease_expires_at = lease_expires_at
    return True


@retry_conflicts
def _release(
    claim: Claim, *, cursor: str | None, seen: int = 0, rest: timedelta | None = None, is_finished: bool = False
) -> None:
    """Save how far the scan came and let others go on with it, after a rest where one is given."""
    moment = clock.now()
    with transaction():
        scan = _lock(claim)
        if scan is None:
            return
        scan.cursor = cursor
        scan.lease_expires_at = None if rest is None else moment + rest
        scan.seen_count += seen
        scan.finished_at = moment if is_finished else None
        if not is_finished and rest is None:
            send_after_commit("checkout.reconcile_page", claim.scan_id)
    if is_finished and not claim.run_key.startswith(PLAN) and not _is_running(claim.run_key):
        close_found_orders()
        log.info("reconciled", run=claim.run_key)


def _lock(claim: Claim) -> ReconcileScan | None:
    return db.session.scalar(
        select(ReconcileScan)
        .where(ReconcileScan.id == claim.scan_id, ReconcileScan.finished_at.is_(None))
        .where(ReconcileScan.lease_expires_at == claim.lease_expires_at)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
