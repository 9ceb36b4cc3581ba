"""What is known of our products and prices at Stripe."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime

IS_TROUBLE = text("state <> 'in_sync' OR error IS NOT NULL")
IS_WANTED = text("wanted_at IS NOT NULL")


class MirrorState(Base):
    """One product or price of ours: what Stripe had when it was last looked at, and why sending it failed last."""

    __tablename__ = "mirror_states"
    __table_args__ = (
        CheckConstraint("state IN ('in_sync', 'differs', 'missing', 'archived')", name="state"),
        Index("ix_mirror_states_trouble", "public_id", sqlite_where=IS_TROUBLE, postgresql_where=IS_TROUBLE),
        Index("ix_mirror_states_wanted", "wanted_at", sqlite_where=IS_WANTED, postgresql_where=IS_WANTED),
    )

    public_id: Mapped[str] = mapped_column(String(40), primary_key=True)  # of the product or price
    state: Mapped[str | None] = mapped_column(String(20))  # none: never compared
    detail: Mapped[str] = mapped_column(Text, default="")  # what differs, in words
    checked_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)  # none: never compared
    error: Mapped[str | None] = mapped_column(Text)  # a code; none: the last sending succeeded
    error_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none with error
    # A worker shall send the product with its prices from then on; none: nobody asked. Moved ahead while one is at it.
    wanted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
