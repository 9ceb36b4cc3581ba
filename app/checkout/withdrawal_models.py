"""Buyers' withdrawals from their contracts. What follows from one is in withdrawals.py."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime


class WithdrawalRequest(Base):
    """A buyer's declaration, kept as it was received: one for each order, however often it is sent."""

    __tablename__ = "withdrawal_requests"
    __table_args__ = (
        CheckConstraint("verdict IN ('in_time', 'late', 'waived')", name="verdict"),
        CheckConstraint("refund_state IN ('none', 'by_hand', 'due', 'asked', 'not_possible')", name="refund_state"),
        Index("ix_withdrawal_requests_refund_state", "refund_state", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), unique=True)
    # Whether the sender had the order's signed link or page; a number and an address could be anybody's guess.
    is_proved: Mapped[bool]
    verdict: Mapped[str] = mapped_column(String(10))
    items: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # title, quantity
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)  # when the period ends or ended
    # "none": no right any more; "due", "asked", "not_possible": by the shop itself; "by_hand": a person decides.
    refund_state: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
