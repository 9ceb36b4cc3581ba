"""Posts. Courses and categories are known here by key only: pages that show both live above."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Date, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime

# What the back-office's search looks through (word_search); PostgreSQL takes only this very expression for it.
TITLE_WORDS = text("to_tsvector('simple', (((title || ' ') || slug) || ' ') || excerpt)")


class Post(Base):
    """An article. HTML, contents and reading time are made when it is saved."""

    __tablename__ = "posts"
    __table_args__ = (
        CheckConstraint("status IN ('draft', 'scheduled', 'published', 'archived')", name="status"),
        Index("ix_posts_listing", "status", "published_at"),
        # The orders of the back-office's list.
        Index("ix_posts_updated", "updated_at", "id"),
        Index("ix_posts_title", "title", "id"),
        Index("ix_posts_words", TITLE_WORDS, postgresql_using="gin").ddl_if(dialect="postgresql"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    slug: Mapped[str] = mapped_column(String(160), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    excerpt: Mapped[str] = mapped_column(Text, default="")
    body_markdown: Mapped[str] = mapped_column(Text, default="", deferred=True)
    body_html: Mapped[str] = mapped_column(Text, default="", deferred=True)
    contents: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list, deferred=True)  # level, id, text
    reading_minutes: Mapped[int] = mapped_column(default=1)
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id"), index=True)
    author_name: Mapped[str] = mapped_column(String(120), default="")
    status: Mapped[str] = mapped_column(String(20), default="draft")
    cover_path: Mapped[str | None] = mapped_column(String(200))  # none: the cover is drawn from the slug
    version: Mapped[int] = mapped_column(default=1)
    published_at: Mapped[datetime | None] = mapped_column(
        UTCDateTime
    )  # none: never published; a draft's is the day planned or had
    revised_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none: unchanged since it was published
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)  # none: there; else in the trash
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)


class PostSlug(Base):
    """An address a post once had; it answers 301."""

    __tablename__ = "post_slugs"

    slug: Mapped[str] = mapped_column(String(160), primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), index=True)


class PostCourse(Base):
    """A course a post leads to; position 0 is the one in the card beside the text."""

    __tablename__ = "post_courses"

    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id", ondelete="CASCADE"), primary_key=True, index=True)
    position: Mapped[int] = mapped_column(default=0)


class PostReads(Base):
    """How often a post was opened on a day of the shop's time zone. A sum: nothing in it is about a person."""

    __tablename__ = "post_reads"

    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True, index=True)
    reads: Mapped[int] = mapped_column(default=0)


class PostRevision(Base):
    """A post as it was after a save; number counts from 1 in each post. content: see revisions.py."""

    __tablename__ = "post_revisions"
    __table_args__ = (UniqueConstraint("post_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    number: Mapped[int]
    version: Mapped[int]  # the post's own, after the save
    note: Mapped[str] = mapped_column(String(200), default="")
    content: Mapped[dict[str, Any]] = mapped_column(JSON, deferred=True)
    actor_kind: Mapped[str] = mapped_column(String(20))
    actor_id: Mapped[str] = mapped_column(String(255), default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class PostWorkingCopy(Base):
    """What somebody has typed and not saved: the editor’s fields as they are. Nobody else sees any of it."""

    __tablename__ = "post_working_copies"

    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    version: Mapped[int]  # of the post that the typing began with
    fields: Mapped[dict[str, Any]] = mapped_column(JSON)  # a list of texts by each field's name
    saved_at: Mapped[datetime] = mapped_column(UTCDateTime)


class PostPrice(Base):
    """An amount that a post's text names beside a course, in minor units of currency, found when the text is saved."""

    __tablename__ = "post_prices"

    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id", ondelete="CASCADE"), primary_key=True, index=True)
    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    amount: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class PostLink(Base):
    """A course whose page a post's text links to, found when the text is saved. Not one that the post leads to."""

    __tablename__ = "post_links"

    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id", ondelete="CASCADE"), primary_key=True, index=True)
