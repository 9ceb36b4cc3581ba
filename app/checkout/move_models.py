"""A purchase on its way to another address. What it changes, and when, is in moves.py."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime

WAITING = text("status = 'waiting'")


class OrderMove(Base):
    """Staff's promise to give an order to an address, once that address has proved itself by the mailed link."""

    __tablename__ = "order_moves"
    __table_args__ = (
        CheckConstraint("status IN ('waiting', 'moved', 'withdrawn', 'undone')", name="status"),
        # One at a time: two links that are out could end in either hand.
        Index("uq_order_moves_waiting", "order_id", unique=True, sqlite_where=WAITING, postgresql_where=WAITING),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    status: Mapped[str] = mapped_column(String(10), default="waiting")
    to_email: Mapped[str] = mapped_column(String(320))
    proof: Mapped[str] = mapped_column(Text)  # how staff know that the asker bought it
    requested_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # none: by the command line
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    moved_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none until the address proved itself
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # of a withdrawal or an undo
    # What it was before, for the undo: email, user_id, buyer_key, and each seat's holder. {} until moved.
    before: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
