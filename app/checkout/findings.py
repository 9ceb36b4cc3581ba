"""What a machine could not heal: open until a later reading, or a person, resolves it."""

import structlog
from sqlalchemy import select, update

from app import clock
from app.audit import record_audit
from app.checkout.models import Finding, Order
from app.db import after_commit, db, insert_once, retry_conflicts, transaction
from app.errors import InvalidInput, NotFound

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
def dismiss_finding(*, key: str, reason: str) -> None:
    """Take something off the list because the person who acts says so, with their reason. Raises NotFound.

    One that is off it already stays as it was.
    """
    with transaction():
        finding = get_finding(key)
        if resolve_finding(key=key, resolution=reason):
            record_audit(
                action="finding.dismissed",
                subject_type="finding",
                subject_id=finding.key,
                before={"resolution": None},
                after={"resolution": reason},
                reason=reason,
            )


@retry_conflicts
def close_finding(*, key: str, resolution: str) -> bool:
    """Take something off the list because somebody says so, or another reading does. False when it was not on it."""
    with transaction():
        return resolve_finding(key=key, resolution=resolution)


@retry_conflicts
def resolve_order_finding(*, order_public_id: str, finding_id: int, reason: str) -> bool:
    """Take a finding about an order off the list because somebody says so, and note who. False when it is off already.

    Raises InvalidInput without a reason, NotFound when the order has no such finding.
    """
    if not reason.strip():
        raise InvalidInput("Say what you did about it: the reason is kept.", field="reason")
    with transaction() as session:
        finding = session.scalar(
            select(Finding)
            .join(Order, Order.id == Finding.order_id)
            .where(Order.public_id == order_public_id, Finding.id == finding_id)
        )
        if finding is None:
            raise NotFound
        is_new = resolve_finding(key=finding.key, resolution=reason.strip()[:1000])
        if is_new:
            record_audit(
                action="order.finding_resolved", subject_type="order", subject_id=order_public_id,
                before={"finding": finding.kind}, reason=reason.strip()[:1000],
            )  # fmt: skip
        return is_new


def list_open_findings() -> list[Finding]:
    """What needs a person, oldest first."""
    return list(db.session.scalars(select(Finding).where(Finding.resolved_at.is_(None)).order_by(Finding.id)))


def get_finding(key: str) -> Finding:
    """One finding by its key, open or resolved. Raises NotFound."""
    finding = db.session.scalar(select(Finding).where(Finding.key == key))
    if finding is None:
        raise NotFound
    return finding
