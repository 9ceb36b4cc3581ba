"""What a machine could not heal: open until a person or a later reading resolves it."""

import structlog
from sqlalchemy import select

from app import clock
from app.checkout.models import Finding
from app.db import db, insert_once, retry_conflicts, transaction

log = structlog.get_logger()


@retry_conflicts
def record_finding(*, key: str, order_id: int | None, kind: str, detail: str) -> None:
    """Put something on the "needs attention" list, once for each key."""
    with transaction():
        add_finding(key=key, order_id=order_id, kind=kind, detail=detail)


def add_finding(*, key: str, order_id: int | None, kind: str, detail: str) -> None:
    """As record_finding(), as a step of a larger use case: inside its transaction()."""
    row_id = insert_once(
        Finding,
        {"key": key[:200], "order_id": order_id, "kind": kind, "detail": detail, "created_at": clock.now()},
        unique=["key"],
    )
    if row_id is not None:
        log.error("finding_recorded", kind=kind, key=key[:200])


def list_open_findings() -> list[Finding]:
    """What needs a person, oldest first."""
    return list(db.session.scalars(select(Finding).where(Finding.resolved_at.is_(None)).order_by(Finding.id)))
