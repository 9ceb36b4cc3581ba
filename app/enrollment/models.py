"""Seats and what they open. Access is any live grant; progress outlives access."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime

GIVEN_BY_HAND = text("seat_id IS NULL AND membership_id IS NULL")


class Seat(Base):
    """One of the quantity an order item bought. status says what its money allows, claimed_by_id who sits there."""

    __tablename__ = "seats"
    __table_args__ = (
        UniqueConstraint("order_item_id", "position"),
        CheckConstraint("status IN ('active', 'suspended', 'revoked')", name="status"),
        CheckConstraint("(claimed_by_id IS NULL) = (claimed_at IS NULL)", name="claimed"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    order_item_id: Mapped[int] = mapped_column(ForeignKey("order_items.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    position: Mapped[int]
    status: Mapped[str] = mapped_column(String(20), default="active")
    claimed_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)  # none: not taken yet
    claimed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # Counts up whenever the links that are out must die (revoked, reassigned); the signed link carries it.
    claim_version: Mapped[int] = mapped_column(default=1)
    claim_expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # of the newest link; none: none is out
    invited_email: Mapped[str | None] = mapped_column(String(320), index=True)  # none: nobody was invited
    invited_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none with invited_email
    courses: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # course_id, access_days, as they were sold
    gift_message: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class SeatLink(Base):
    """One shared link that gives out a team's seats, up to a limit."""

    __tablename__ = "seat_links"
    __table_args__ = (CheckConstraint("used_count <= limit_count", name="limit_count"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    order_item_id: Mapped[int] = mapped_column(ForeignKey("order_items.id"), index=True)
    limit_count: Mapped[int]
    used_count: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none while it may be used


class Membership(Base):
    """Access that lasts while a Stripe Subscription does."""

    __tablename__ = "memberships"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    stripe_subscription_id: Mapped[str] = mapped_column(String(255), unique=True)
    status: Mapped[str] = mapped_column(String(30))
    current_period_ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Grant(Base):
    """A reason why somebody may open a course. Live: not suspended, not revoked, not expired."""

    __tablename__ = "grants"
    __table_args__ = (
        UniqueConstraint("seat_id", "user_id", "course_id"),
        CheckConstraint(
            "(CASE WHEN seat_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN membership_id IS NULL THEN 0 ELSE 1 END) <= 1",
            name="one_source",
        ),
        Index("ix_grants_access", "user_id", "course_id"),
        # The few that staff gave, among all that were bought.
        Index("ix_grants_by_hand", "id", sqlite_where=GIVEN_BY_HAND, postgresql_where=GIVEN_BY_HAND),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"), index=True)
    seat_id: Mapped[int | None] = mapped_column(ForeignKey("seats.id"))  # none: by hand or by membership
    membership_id: Mapped[int | None] = mapped_column(ForeignKey("memberships.id"), index=True)
    reason: Mapped[str] = mapped_column(String(200), default="")
    granted_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # none: by purchase
    granted_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none: does not end
    suspended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none unless a dispute is open
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none while the money stands


class Enrollment(Base):
    """One learner in one course; keeps progress when access goes and comes back."""

    __tablename__ = "enrollments"
    __table_args__ = (UniqueConstraint("user_id", "course_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"), index=True)
    last_lesson_id: Mapped[int | None] = mapped_column(ForeignKey("lessons.id", ondelete="SET NULL"))  # none: not begun
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_opened_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none: not begun


class LessonProgress(Base):
    """A lesson somebody marked as done."""

    __tablename__ = "lesson_progress"

    enrollment_id: Mapped[int] = mapped_column(ForeignKey("enrollments.id", ondelete="CASCADE"), primary_key=True)
    lesson_id: Mapped[int] = mapped_column(ForeignKey("lessons.id", ondelete="CASCADE"), primary_key=True)
    completed_at: Mapped[datetime] = mapped_column(UTCDateTime)
