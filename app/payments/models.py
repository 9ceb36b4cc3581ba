"""The inbox of Stripe's events, what its door refused, and what the doctor found."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime

HAS_PAYLOAD = text("payload <> ''")


class StripeEvent(Base):
    """One Event object as Stripe sent it. Its row is the work to do until state leaves "received" or "failed".

    Rows are never removed: their ids keep a redelivery from having an effect (F11). Only old payloads are emptied.
    """

    __tablename__ = "stripe_events"
    __table_args__ = (
        CheckConstraint("state IN ('received', 'handled', 'ignored', 'failed')", name="state"),
        Index("ix_stripe_events_due", "state", "next_attempt_at"),
        Index("ix_stripe_events_with_payload", "received_at", sqlite_where=HAS_PAYLOAD, postgresql_where=HAS_PAYLOAD),
        # The back-office's list, whole, by state and by type.
        Index("ix_stripe_events_received", "received_at", "id"),
        Index("ix_stripe_events_in_state", "state", "received_at", "id"),
        Index("ix_stripe_events_of_type", "type", "received_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    type: Mapped[str] = mapped_column(String(120))
    api_version: Mapped[str | None] = mapped_column(String(60))  # absent in thin events
    livemode: Mapped[bool]
    object_id: Mapped[str | None] = mapped_column(String(255), index=True)  # absent where the payload has none
    payload: Mapped[str] = mapped_column(Text)  # "" once it is old and handled
    state: Mapped[str] = mapped_column(String(10), default="received")
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    delivery_count: Mapped[int] = mapped_column(default=1)
    attempt_count: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(UTCDateTime)
    handled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none until handled
    error: Mapped[str | None] = mapped_column(Text)  # of the last failed attempt
    # How often a person had it handled again: of two who press at once, the database lets the first one through.
    replay_count: Mapped[int] = mapped_column(default=0)


class WebhookRefusal(Base):
    """How many webhooks were refused in an hour, at least: each process writes once a minute at most."""

    __tablename__ = "webhook_refusals"

    hour_at: Mapped[datetime] = mapped_column(UTCDateTime, primary_key=True)
    reason: Mapped[str] = mapped_column(String(20), primary_key=True)  # "signature" or "timestamp"
    count: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(UTCDateTime)


class DoctorRun(Base):
    """What the doctor said when it was last asked in the browser: pages show it without asking Stripe again."""

    __tablename__ = "doctor_runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    checked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    checks: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
