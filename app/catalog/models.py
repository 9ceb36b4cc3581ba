"""Courses and what is sold of them. Prices are insert-only: their table is the price history."""

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base, UTCDateTime, make_public_id

NOT_DELETED = text("deleted_at IS NULL")
ACTIVE_PRICE = text("status = 'active' AND type = 'one_time'")
PLANNED_PRICE = text("status = 'scheduled'")
LIVE_SALE = text("kind = 'sale' AND status IN ('scheduled', 'active')")
UNSENT_PRICE = text("status = 'active' AND type = 'one_time' AND unit_amount > 0 AND stripe_price_id IS NULL")


class Category(Base):
    """A topic, shared by courses and posts."""

    __tablename__ = "categories"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    position: Mapped[int] = mapped_column(default=0)


# What the back-office's search looks through (word_search); PostgreSQL takes only this very expression for it, and
# Alembic knows it again as PostgreSQL writes it down.
TITLE_WORDS = text("to_tsvector('simple', (((title || ' ') || slug) || ' ') || promise)")


class Course(Base):
    """What is taught. HTML columns are rendered when saved, not when read."""

    __tablename__ = "courses"
    __table_args__ = (
        CheckConstraint("status IN ('draft', 'published', 'archived')", name="status"),
        CheckConstraint("level IN ('beginner', 'intermediate', 'advanced')", name="level"),
        CheckConstraint("access_days IS NULL OR access_days > 0", name="access_days"),
        # The orders of the back-office's list.
        Index("ix_courses_updated", "updated_at", "id"),
        Index("ix_courses_title", "title", "id"),
        Index("ix_courses_words", TITLE_WORDS, postgresql_using="gin").ddl_if(dialect="postgresql"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    slug: Mapped[str] = mapped_column(String(120), unique=True)
    title: Mapped[str] = mapped_column(String(160))
    promise: Mapped[str] = mapped_column(String(200), default="")
    summary: Mapped[str] = mapped_column(Text, default="")
    description_markdown: Mapped[str] = mapped_column(Text, default="")
    description_html: Mapped[str] = mapped_column(Text, default="")
    outcomes: Mapped[list[str]] = mapped_column(JSON, default=list)
    good_fit: Mapped[list[str]] = mapped_column(JSON, default=list)
    not_fit: Mapped[list[str]] = mapped_column(JSON, default=list)
    includes: Mapped[list[str]] = mapped_column(JSON, default=list)
    faq: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)  # question, answer, answer_html
    level: Mapped[str] = mapped_column(String(20), default="beginner")
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id"), index=True)
    author_name: Mapped[str] = mapped_column(String(120), default="")
    author_bio: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[str] = mapped_column(String(20), default="draft", index=True)
    is_featured: Mapped[bool] = mapped_column(default=False)
    position: Mapped[int] = mapped_column(default=0)
    access_days: Mapped[int | None]  # none: access does not end
    cover_path: Mapped[str | None] = mapped_column(String(200))  # none: the cover is drawn from the slug
    version: Mapped[int] = mapped_column(default=1)
    publish_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)  # none: not planned; drafts only
    published_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none: never published
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none: there; drafts only
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)

    category: Mapped[Category] = relationship(lazy="raise")
    # Deleted ones are left out, so that nothing shows, counts or exports them.
    sections: Mapped[list["Section"]] = relationship(
        primaryjoin="and_(Course.id == Section.course_id, Section.deleted_at.is_(None))",
        lazy="raise",
        order_by="Section.position",
        cascade="all, delete-orphan",
        back_populates="course",
    )


class CourseSlug(Base):
    """An address a course once had; it answers 301."""

    __tablename__ = "course_slugs"

    slug: Mapped[str] = mapped_column(String(120), primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id", ondelete="CASCADE"), index=True)


class Section(Base):
    """A part of a course's curriculum. A deleted one keeps its position, to come back to."""

    __tablename__ = "sections"
    __table_args__ = (
        Index(
            "uq_sections_position", "course_id", "position", unique=True,
            sqlite_where=NOT_DELETED, postgresql_where=NOT_DELETED,
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=lambda: make_public_id("sec"))
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id", ondelete="CASCADE"))
    position: Mapped[int]
    title: Mapped[str] = mapped_column(String(160))
    summary: Mapped[str] = mapped_column(Text, default="")
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none: there

    course: Mapped[Course] = relationship(lazy="raise", back_populates="sections")
    lessons: Mapped[list["Lesson"]] = relationship(
        primaryjoin="and_(Section.id == Lesson.section_id, Lesson.deleted_at.is_(None))",
        lazy="raise",
        order_by="Lesson.position",
        cascade="all, delete-orphan",
        back_populates="section",
    )


class Lesson(Base):
    """One lesson; position counts through the whole course, so "next" crosses sections.

    A deleted one keeps its row, and with it its learners' progress; one deleted with its section has the same moment.
    """

    __tablename__ = "lessons"
    __table_args__ = (
        UniqueConstraint("course_id", "slug"),
        Index(
            "uq_lessons_position", "course_id", "position", unique=True,
            sqlite_where=NOT_DELETED, postgresql_where=NOT_DELETED,
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=lambda: make_public_id("les"))
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id", ondelete="CASCADE"))
    section_id: Mapped[int] = mapped_column(ForeignKey("sections.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    slug: Mapped[str] = mapped_column(String(120))
    title: Mapped[str] = mapped_column(String(200))
    minutes: Mapped[int] = mapped_column(default=0)
    is_preview: Mapped[bool] = mapped_column(default=False)
    body_markdown: Mapped[str] = mapped_column(Text, default="", deferred=True)
    body_html: Mapped[str] = mapped_column(Text, default="", deferred=True)
    drip_days: Mapped[int | None]  # days after the grant began; none: open at once
    version: Mapped[int] = mapped_column(default=1)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none: there

    section: Mapped[Section] = relationship(lazy="raise", back_populates="lessons")


class Product(Base):
    """What is sold: one Stripe Product, one or more courses, and how many seats there are."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("kind IN ('course', 'bundle', 'membership')", name="kind"),
        CheckConstraint("status IN ('active', 'archived')", name="status"),
        # The database decides the race for the last seat: taken_seats is moved by a conditional update only.
        CheckConstraint("capacity IS NULL OR taken_seats <= capacity", name="capacity"),
        CheckConstraint("taken_seats >= 0", name="taken_seats"),
        Index("uq_products_slug", "slug", unique=True),
        # The order of the back-office's list of bundles.
        Index("ix_products_kind_title", "kind", "title", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[str] = mapped_column(String(20), default="course")
    slug: Mapped[str | None] = mapped_column(
        String(120)
    )  # of a bundle's page; none: a course's own, which has its page
    title: Mapped[str] = mapped_column(String(160))
    summary: Mapped[str] = mapped_column(Text, default="", server_default="")  # of a bundle's page
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    status: Mapped[str] = mapped_column(String(20), default="active")
    capacity: Mapped[int | None]  # none: no limit
    taken_seats: Mapped[int] = mapped_column(default=0)
    stripe_product_id: Mapped[str | None] = mapped_column(String(255), unique=True)  # none until first sold
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)

    courses: Mapped[list["ProductCourse"]] = relationship(lazy="raise", order_by="ProductCourse.position")


class ProductCourse(Base):
    """Which courses a product opens."""

    __tablename__ = "product_courses"

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), primary_key=True)
    # No cascade: a course that is sold cannot be deleted, for somebody may be paying for it now (F58).
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"), primary_key=True, index=True)
    position: Mapped[int] = mapped_column(default=0)


class Price(Base):
    """An amount in a currency, never edited: a new price is a new row, and the old one retires.

    Which one is in force at a moment is decided by price_rules.py alone, from kind, status and the times below: a
    planned one begins by itself, and over a regular price a sale counts until it ends. The worker writes later what
    has begun and ended.
    """

    __tablename__ = "prices"
    __table_args__ = (
        CheckConstraint("unit_amount >= 0", name="unit_amount"),
        CheckConstraint("type IN ('one_time', 'recurring')", name="type"),
        CheckConstraint("status IN ('scheduled', 'active', 'retired')", name="status"),
        CheckConstraint("currency = lower(currency) AND length(currency) = 3", name="currency"),
        CheckConstraint("kind IN ('regular', 'sale')", name="kind"),
        CheckConstraint("(kind = 'sale') = (ends_at IS NOT NULL)", name="ends_at"),
        CheckConstraint("status <> 'scheduled' OR scheduled_at IS NOT NULL", name="scheduled_at"),
        CheckConstraint("compare_at_amount IS NULL OR compare_at_amount > unit_amount", name="compare_at_amount"),
        Index(
            "uq_prices_active", "product_id", "currency", "kind", unique=True,
            sqlite_where=ACTIVE_PRICE, postgresql_where=ACTIVE_PRICE,
        ),
        Index(
            "uq_prices_scheduled", "product_id", "currency", "kind", "scheduled_at", unique=True,
            sqlite_where=PLANNED_PRICE, postgresql_where=PLANNED_PRICE,
        ),
        # What the worker looks for.
        Index("ix_prices_due", "scheduled_at", sqlite_where=PLANNED_PRICE, postgresql_where=PLANNED_PRICE),
        Index("ix_prices_ends_at", "ends_at"),
        # Few, and asked for beside every regular price.
        Index(
            "ix_prices_sales", "product_id", "currency", sqlite_where=LIVE_SALE, postgresql_where=LIVE_SALE,
        ),
        Index("ix_prices_unsent", "product_id", sqlite_where=UNSENT_PRICE, postgresql_where=UNSENT_PRICE),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    unit_amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    type: Mapped[str] = mapped_column(String(20), default="one_time")
    recurring_interval: Mapped[str | None] = mapped_column(String(10))  # none for one-time prices
    kind: Mapped[str] = mapped_column(String(10), default="regular", server_default="regular")
    status: Mapped[str] = mapped_column(String(20), default="active")
    # Shown struck through beside this one, where the history proves that it was charged; none: nothing is.
    compare_at_amount: Mapped[int | None]
    scheduled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none: not planned ahead
    ends_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # of a sale; none: until it is replaced
    activated_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none while scheduled, and where it never began
    retired_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none while in force
    stripe_price_id: Mapped[str | None] = mapped_column(String(255), unique=True)  # none until first sold
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)

    product: Mapped[Product] = relationship(lazy="raise")


class PromotionCode(Base):
    """A code of ours; to Stripe goes a coupon of the exact amount it takes off an order."""

    __tablename__ = "promotion_codes"
    __table_args__ = (
        CheckConstraint("(percent_off IS NULL) <> (amount_off IS NULL)", name="one_discount"),
        CheckConstraint("percent_off IS NULL OR (percent_off > 0 AND percent_off <= 100)", name="percent_off"),
        CheckConstraint("amount_off IS NULL OR (amount_off > 0 AND currency IS NOT NULL)", name="amount_off"),
        CheckConstraint("max_redemptions IS NULL OR redeemed_count <= max_redemptions", name="max_redemptions"),
        CheckConstraint("redeemed_count >= 0", name="redeemed_count"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)  # upper case, letters, digits and hyphens
    batch: Mapped[str] = mapped_column(String(80), default="")
    percent_off: Mapped[int | None]  # exactly one of these two
    amount_off: Mapped[int | None]
    currency: Mapped[str | None] = mapped_column(String(3))  # of amount_off
    max_redemptions: Mapped[int | None]  # none: no limit
    redeemed_count: Mapped[int] = mapped_column(default=0)
    per_customer_limit: Mapped[int | None]  # none: no limit
    minimum_quantity: Mapped[int] = mapped_column(default=1)
    starts_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none: from the start
    ends_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none: until disabled
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class PromotionCodeProduct(Base):
    """The products a code is limited to; no row means all."""

    __tablename__ = "promotion_code_products"

    promotion_code_id: Mapped[int] = mapped_column(
        ForeignKey("promotion_codes.id", ondelete="CASCADE"), primary_key=True
    )
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), primary_key=True)
