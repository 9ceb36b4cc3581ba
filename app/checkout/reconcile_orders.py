"""Brings one order in line and says what differed, or why it could not be: nothing about one order stops the others."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog
from sqlalchemy import exists, or_, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import aliased

from app import clock
from app.audit import record_audit
from app.checkout.errors import AmountMismatch
from app.checkout.findings import close_finding, list_open_findings, record_finding
from app.checkout.models import Finding, LedgerEntry, Order
from app.checkout.preview import Difference, preview_settle
from app.checkout.settle import OPEN_STATES, settle
from app.db import DatabaseBusy, db, retry_conflicts, transaction
from app.errors import AppError, NotFound
from app.payments.gateway import PaymentUnavailable, StripeObjectMissing

log = structlog.get_logger()

Result = Literal["healed", "would_heal", "unhealed", "unanswered"]
# An order that Stripe did not answer for is asked about again soon, by the check of single orders.
ASKED_AGAIN_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one order or object that did not agree with Stripe; reason says why it is not healed."""

    subject: str
    result: Result
    reason: str = ""
    difference: Difference | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON keeps it; no addresses are in it."""
        return asdict(self)


def heal_order(order_id: int, *, session_id: str | None = None) -> Outcome | None:
    """Settle an order if it differs from Stripe; None when it agrees. Any number of times, also at once.

    What cannot be healed becomes a finding; what agrees again resolves its own. session_id as in settle().
    """
    outcome = plan_order(order_id, session_id=session_id)
    if outcome is None:
        _resolve_own_findings(order_id)
        return None
    if outcome.result == "unanswered":
        _ask_again(order_id)
        return outcome
    if outcome.result == "unhealed" and (outcome.difference is None or outcome.difference.mismatch is None):
        _record(order_id, outcome)
        return outcome
    try:
        settle(order_id=order_id, session_id=session_id)
    except AmountMismatch as error:
        return _change(outcome, result="unhealed", reason=outcome.reason or error.sentence)
    except PaymentUnavailable:
        _ask_again(order_id)
        return _change(outcome, result="unanswered", reason=PaymentUnavailable.sentence)
    _resolve_own_findings(order_id)
    log.info("order_reconciled", order=outcome.subject)
    return _change(outcome, result="healed", reason="")


def look_again(order_public_id: str) -> Outcome | None:
    """heal_order() on a person's word, with an entry in the audit log. Raises NotFound."""
    order = db.session.execute(select(Order.id, Order.state).where(Order.public_id == order_public_id)).one_or_none()
    if order is None:
        raise NotFound
    outcome = heal_order(order.id)
    _record_look(order.id, order_public_id, before=order.state)
    return outcome


@retry_conflicts
def _record_look(order_id: int, order_public_id: str, *, before: str) -> None:
    with transaction() as session:
        record_audit(
            action="order.compared",
            subject_type="order",
            subject_id=order_public_id,
            before={"state": before},
            after={"state": session.scalar(select(Order.state).where(Order.id == order_id))},
        )


def plan_order(order_id: int, *, session_id: str | None = None) -> Outcome | None:
    """What heal_order() would do; None when the order agrees with Stripe. Writes nothing.

    Raises DBAPIError when the database is away.
    """
    subject = db.session.scalars(select(Order.public_id).where(Order.id == order_id)).one()
    try:
        difference = preview_settle(order_id=order_id, session_id=session_id)
    except DBAPIError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever one order holds, it must not hold up the others (F15)
        db.session.rollback()
        return _explain(subject, error)
    if difference.is_empty:
        return None
    if difference.mismatch is not None:
        return Outcome(subject=subject, result="unhealed", reason=difference.mismatch, difference=difference)
    return Outcome(subject=subject, result="would_heal", difference=difference)


def list_orders_to_read(*, since: datetime, read_before: datetime, after: str | None, limit: int) -> list[int]:
    """A page of orders whose sums only a look at Stripe can compare, newest first, below the id in after.

    Open ones, those made since then, those with a dispute without verdict however old (F80), and those with an open
    finding; not those that were read from Stripe after read_before.
    """
    verdict = aliased(LedgerEntry)
    has_open_dispute = exists().where(
        LedgerEntry.order_id == Order.id,
        LedgerEntry.kind == "dispute_opened",
        ~exists().where(
            verdict.stripe_object_id == LedgerEntry.stripe_object_id, verdict.kind.in_(("dispute_won", "dispute_lost"))
        ),
    )
    has_finding = exists().where(Finding.order_id == Order.id, Finding.resolved_at.is_(None))
    query = (
        select(Order.id)
        .where(or_(Order.state.in_(OPEN_STATES), Order.created_at >= since, has_open_dispute, has_finding))
        .where(or_(Order.read_started_at.is_(None), Order.read_started_at < read_before))
        .order_by(Order.id.desc())
        .limit(limit)
    )
    return list(db.session.scalars(query if after is None else query.where(Order.id < int(after))))


def _explain(subject: str, error: Exception) -> Outcome:
    if isinstance(error, PaymentUnavailable | DatabaseBusy):
        return Outcome(subject=subject, result="unanswered", reason=error.sentence)
    if isinstance(error, StripeObjectMissing):
        return Outcome(subject=subject, result="unhealed", reason="Stripe does not know a payment that we have.")
    if isinstance(error, AppError):
        return Outcome(subject=subject, result="unhealed", reason=error.sentence)
    log.error("order_unreadable", order=subject, error=type(error).__name__, exc_info=error)
    return Outcome(subject=subject, result="unhealed", reason=f"Reading it fails with {type(error).__name__}.")


def _change(outcome: Outcome, *, result: Result, reason: str) -> Outcome:
    return Outcome(subject=outcome.subject, result=result, reason=reason, difference=outcome.difference)


def _record(order_id: int, outcome: Outcome) -> None:
    record_finding(
        key=f"unreadable:{outcome.subject}",
        order_id=order_id,
        kind="unreadable",
        detail=f"The order cannot be compared with Stripe. {outcome.reason}",
    )


def _resolve_own_findings(order_id: int) -> None:
    """What was wrong with the reading itself is over once the order can be read and agrees."""
    for finding in list_open_findings():
        if finding.order_id == order_id and finding.kind in {"unreadable", "amount_mismatch"}:
            close_finding(key=finding.key, resolution="The order agrees with Stripe now.")


@retry_conflicts
def _ask_again(order_id: int) -> None:
    moment = clock.now() + ASKED_AGAIN_AFTER
    with transaction() as session:
        session.execute(
            update(Order)
            .where(Order.id == order_id, or_(Order.check_after.is_(None), Order.check_after > moment))
            .values(check_after=moment)
        )
