"""How far the reconciler has come."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime


class ReconcileScan(Base):
    """One kind of object of one run, page by page. Its row is the work to do until finished_at."""

    __tablename__ = "reconcile_scans"
    __table_args__ = (
        UniqueConstraint("run_key", "kind"),
        CheckConstraint("kind IN ('sessions', 'refunds', 'disputes', 'orders')", name="kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_key: Mapped[str] = mapped_column(String(60))  # the same for the kinds of one run
    kind: Mapped[str] = mapped_column(String(20))
    since: Mapped[datetime] = mapped_column(UTCDateTime)  # objects made before are not listed
    read_before: Mapped[datetime] = mapped_column(UTCDateTime)  # orders that were read after it are left out
    cursor: Mapped[str | None] = mapped_column(String(255))  # the last object looked at; none: not begun
    lease_expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # held by a process until then
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)  # none while there are more pages
    seen_count: Mapped[int] = mapped_column(default=0)
    healed_count: Mapped[int] = mapped_column(default=0)
    unhealed_count: Mapped[int] = mapped_column(default=0)
    outcomes: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # what differed and what was done
