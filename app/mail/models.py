"""The outbox."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime

HAS_FAILED = text("failed_at IS NOT NULL")


class Message(Base):
    """One e-mail that must go out once: its key names the cause ("receipt:ord_…"), so a cause cannot mail twice."""

    __tablename__ = "messages"
    __table_args__ = (
        Index("ix_messages_due", "sent_at", "send_after"),
        Index("ix_messages_failed", "failed_at", sqlite_where=HAS_FAILED, postgresql_where=HAS_FAILED),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    template: Mapped[str] = mapped_column(String(60))
    to_address: Mapped[str] = mapped_column(String(320), index=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    # Made with the row, so that a repeat after a crash carries the same Message-ID (fault F93).
    message_id: Mapped[str] = mapped_column(String(200), unique=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    send_after: Mapped[datetime] = mapped_column(UTCDateTime)
    attempt_count: Mapped[int] = mapped_column(default=0)
    lease_expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # held by a worker until then
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none until the server took it
    failed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # given up after the last attempt
    error: Mapped[str | None] = mapped_column(Text)
