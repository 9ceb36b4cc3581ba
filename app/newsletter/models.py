"""Newsletter subscribers."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime


class Subscriber(Base):
    """An address that asked for the newsletter; it gets none before it confirmed."""

    __tablename__ = "subscribers"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'confirmed', 'unsubscribed', 'erased')", name="status"),
        Index("ix_subscribers_status", "status", "id"),
        # Addresses by how they begin: the unique index is in the order of the database's language.
        Index("ix_subscribers_email_prefix", "email", postgresql_ops={"email": "varchar_pattern_ops"}),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    # Of an erased one only a hash stands here: enough to leave the address alone, too little to read it.
    email: Mapped[str] = mapped_column(String(320), unique=True)
    status: Mapped[str] = mapped_column(String(20), default="pending")
    source: Mapped[str] = mapped_column(String(200), default="", index=True)  # the page the box stood on
    request_count: Mapped[int] = mapped_column(default=1)
    requested_at: Mapped[datetime] = mapped_column(UTCDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)  # none until confirmed
    unsubscribed_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)  # none while subscribed
