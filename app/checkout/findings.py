"""What a machine could not heal: open until a later reading, or a person, resolves it."""

import structlog
from sqlalchemy import select, update

from app import clock
from app.audit import record_audit
from app.checkout.models import Finding, Order
from app.db import after_commit, db, insert_once, retry_conflicts, transaction
from app.errors import NotFound

log = structlog.get_logger()


@retry_conflicts
def record_finding(*, key: str, order_id: int | None, kind: str, detail: str) -> None:
    """Put something on the "needs attention" list, once for each key; one that was resolved is opened again."""
    with transaction():
        add_finding(key=key, order_id=order_id, kind=kind, detail=detail)


def add_finding(*, key: str, order_id: int | None, kind: str, detail: str) -> None:
    """As record_finding(), as a step of a larger use case: inside its transaction()."""
    row_id = insert_once(
        Finding,
        {"key": key[:200], "order_id": order_id, "kind": kind, "detail": detail, "created_at": clock.now()},
        unique=["key"],
    )
    if row_id is None:
        row_id = db.session.execute(
            update(Finding)
            .where(Finding.key == key[:200], Finding.resolved_at.is_not(None))
            .values(resolved_at=None, resolution=None, detail=detail, created_at=clock.now())
            .returning(Finding.id)
        ).scalar_one_or_none()
    if row_id is not None:
        # Only what is kept is worth an alarm: a preview rolls back.
        after_commit(lambda: log.error("finding_recorded", kind=kind, key=key[:200]))


def resolve_finding(*, key: str, resolution: str) -> bool:
    """Take something off the list as a step of a larger use case, inside its transaction(); resolution says why.

    False when it was not on it.
    """
    found = db.session.execute(
        update(Finding)
        .where(Finding.key == key[:200], Finding.resolved_at.is_(None))
        .values(resolved_at=clock.now(), resolution=resolution)
        .returning(Finding.id)
    ).scalar_one_or_none()
    if found is not None:
        after_commit(lambda: log.info("finding_resolved", key=key[:200]))
    return found is not None


@retry_conflicts
def dismiss_finding(*, key: str, reason: str) -> bool:
    """Take something off the list because the person who acts says so, with their reason. Raises NotFound.

    False when it was off already; it stays as it was. What is about an order stands in that order's history.
    """
    with transaction() as session:
        finding = get_finding(key)
        is_new = resolve_finding(key=key, resolution=reason)
        if is_new:
            order = session.get(Order, finding.order_id) if finding.order_id else None
            record_audit(
                action="finding.dismissed",
                subject_type="order" if order else "finding",
                subject_id=order.public_id if order else finding.key,
                before={"finding": finding.kind, "resolution": None},
                after={"finding": finding.kind, "resolution": reason},
                reason=reason,
            )
        return is_new


@retry_conflicts
def close_finding(*, key: str, resolution: str) -> bool:
    """Take something off the list because somebody says so, or another reading does. False when it was not on it."""
    with transaction():
        return resolve_finding(key=key, resolution=resolution)


def list_open_findings() -> list[Finding]:
    """What needs a person, oldest first."""
    return list(db.session.scalars(select(Finding).where(Finding.resolved_at.is_(None)).order_by(Finding.id)))


def get_finding(key: str) -> Finding:
    """One finding by its key, open or resolved. Raises NotFound."""
    finding = db.session.scalar(select(Finding).where(Finding.key == key))
    if finding is None:
        raise NotFound
    return finding
