"""The row of a picture; its files lie in instance/media/<sha256>/."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime


class MediaFile(Base):
    """An uploaded picture. mime, width, height and byte_count are those of its largest variant, the JPEG."""

    __tablename__ = "media_files"
    __table_args__ = (CheckConstraint("width > 0 AND height > 0 AND byte_count > 0", name="size"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)  # of what was uploaded: the same file is one row
    mime: Mapped[str] = mapped_column(String(40))
    width: Mapped[int]
    height: Mapped[int]
    byte_count: Mapped[int]
    alt_text: Mapped[str] = mapped_column(String(300), default="")
    uploaded_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)  # none: by a program
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)

    @property
    def path(self) -> str:
        """What a course or post keeps of its picture: the largest JPEG below /media/."""
        return f"{self.sha256}/{self.width}.jpg"
