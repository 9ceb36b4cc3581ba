"""The rows of changed settings."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime


class ShopSettings(Base):
    """One section of the settings, as far as it differs from the environment's. changed holds names of Settings."""

    __tablename__ = "shop_settings"
    __table_args__ = (CheckConstraint("version >= 0", name="version"),)

    section: Mapped[str] = mapped_column(String(20), primary_key=True)
    version: Mapped[int] = mapped_column(default=0)  # counts the changes: of two at once the second is told
    changed: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    previous: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # what an undo brings back; none: never changed
    changed_by: Mapped[str] = mapped_column(String(255), default="")  # public id of the person; "" for a program
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)
