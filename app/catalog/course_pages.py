"""One course as its page shows it, and one lesson. A lesson's text never leaves but through get_lesson()."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, bindparam, cast, exists, func, select
from sqlalchemy.orm import aliased

from app.catalog.cards import CARDS, PUBLIC_STATUSES, CourseCard, hidden_status, prove_cards, read_card
from app.catalog.models import Course, CourseSlug, Lesson, Price, Product, ProductCourse, Section
from app.catalog.offers import site_currency
from app.catalog.price_rules import in_force
from app.db import db
from app.errors import NotFound

ALL_STATUSES = ("draft", "published", "archived")


@dataclass(frozen=True, kw_only=True, slots=True)
class LessonLine:
    """A lesson in the curriculum, without its text."""

    lesson_id: int
    slug: str
    title: str
    minutes: int
    is_preview: bool
    drip_days: int | None  # days after the grant began; none: open at once


@dataclass(frozen=True, kw_only=True, slots=True)
class SectionLines:
    """A section and its lessons in order."""

    title: str
    summary: str
    lessons: tuple[LessonLine, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CurrentPrice:
    """A price in force: public id and minor units."""

    price_id: str
    unit_amount: int
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CoursePage:
    """A course with everything its page says. faq are (question, answer as safe HTML); other_prices are those in other
    currencies than the offer's, by currency; is_bundled: it is part of a bundle that is not archived."""

    card: CourseCard
    status: str
    description_html: str
    outcomes: tuple[str, ...]
    good_fit: tuple[str, ...]
    not_fit: tuple[str, ...]
    includes: tuple[str, ...]
    faq: tuple[tuple[str, str], ...]
    author_name: str
    author_bio: str
    access_days: int | None
    published_at: datetime | None
    updated_at: datetime
    sections: tuple[SectionLines, ...]
    other_prices: tuple[CurrentPrice, ...]
    is_bundled: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LessonPage:
    """A lesson with its text, which only those may see whom the caller has checked unless is_preview."""

    course_id: int
    course_slug: str
    course_title: str
    lesson_id: int
    slug: str
    title: str
    minutes: int
    is_preview: bool
    drip_days: int | None
    body_html: str
    sections: tuple[SectionLines, ...]
    previous_slug: str | None
    next_slug: str | None


_active_price = aliased(Price)
# In one text, so that the page's row stays one and needs no second query: "prc_1 9700 usd,prc_2 8900 eur".
_ALL_PRICES = (
    select(
        func.aggregate_strings(
            _active_price.public_id + " " + cast(_active_price.unit_amount, String) + " " + _active_price.currency, ","
        )
    )
    .where(_active_price.product_id == Product.id, in_force(_active_price))
    .correlate(Product)
    .scalar_subquery()
)
_bundle = aliased(Product)
_IS_BUNDLED = exists(
    select(ProductCourse.course_id)
    .join(_bundle, _bundle.id == ProductCourse.product_id)
    .where(ProductCourse.course_id == Course.id, _bundle.kind == "bundle", _bundle.status == "active")
).correlate(Course)
_PAGE = CARDS.add_columns(
    Course.description_html, Course.outcomes, Course.good_fit, Course.not_fit, Course.includes, Course.faq,
    Course.author_name, Course.author_bio, Course.access_days, Course.published_at, Course.updated_at,
    _ALL_PRICES.label("all_prices"), _IS_BUNDLED.label("is_bundled"),
).where(Course.slug == bindparam("slug"), Course.status != bindparam("hidden_status"))  # fmt: skip
_LESSON = (
    select(
        Course.id.label("course_id"), Course.slug.label("course_slug"), Course.title.label("course_title"),
        Lesson.id.label("lesson_id"), Lesson.slug, Lesson.title, Lesson.minutes, Lesson.is_preview, Lesson.drip_days,
        Lesson.body_html,
    )
    .join(Lesson, (Lesson.course_id == Course.id) & Lesson.deleted_at.is_(None))
    .where(
        Course.deleted_at.is_(None),
        Course.slug == bindparam("course_slug"), Lesson.slug == bindparam("lesson_slug"),
        Course.status != bindparam("hidden_status"),
    )
)  # fmt: skip
_CURRICULUM = (
    select(
        Section.id.label("section_id"), Section.title.label("section_title"), Section.summary,
        Lesson.id.label("lesson_id"), Lesson.slug, Lesson.title, Lesson.minutes, Lesson.is_preview, Lesson.drip_days,
    )
    .outerjoin(Lesson, (Lesson.section_id == Section.id) & Lesson.deleted_at.is_(None))
    .where(Section.course_id == bindparam("course_id"), Section.deleted_at.is_(None))
    .order_by(Section.position, Lesson.position)
)  # fmt: skip
_OLD_SLUG = (
    select(Course.slug)
    .join(CourseSlug, CourseSlug.course_id == Course.id)
    .where(CourseSlug.slug == bindparam("slug"), Course.status != "draft")
)
_PRICES = (
    select(Price.public_id, Price.unit_amount, Price.currency)
    .where(Price.product_id == bindparam("product_id"), in_force())
    .order_by(Price.currency)
)


def get_course_page(*, slug: str, statuses: tuple[str, ...] = PUBLIC_STATUSES) -> CoursePage:
    """The course at slug. Raises NotFound for a draft unless statuses allows it, and for an old slug."""
    row = (
        db.session()
        .execute(_PAGE, {"slug": slug, "hidden_status": hidden_status(statuses), "site_currency": site_currency()})
        .one_or_none()
    )
    if row is None:
        raise NotFound
    [card] = prove_cards([read_card(row)])
    return CoursePage(
        card=card,
        status=row.course_status,
        description_html=row.description_html,
        outcomes=tuple(row.outcomes),
        good_fit=tuple(row.good_fit),
        not_fit=tuple(row.not_fit),
        includes=tuple(row.includes),
        faq=tuple((entry["question"], entry.get("answer_html", "")) for entry in row.faq),
        author_name=row.author_name,
        author_bio=row.author_bio,
        access_days=row.access_days,
        published_at=row.published_at,
        updated_at=row.updated_at,
        sections=list_sections(course_id=row.course_id),
        other_prices=_read_other_prices(row.all_prices, offered=row.price_public_id),
        is_bundled=bool(row.is_bundled),
    )


def get_lesson(*, course_slug: str, lesson_slug: str, statuses: tuple[str, ...] = PUBLIC_STATUSES) -> LessonPage:
    """A lesson with its text and neighbors. Does not know who asks: check access first. Raises NotFound."""
    row = (
        db.session()
        .execute(
            _LESSON, {"course_slug": course_slug, "lesson_slug": lesson_slug, "hidden_status": hidden_status(statuses)}
        )
        .one_or_none()
    )
    if row is None:
        raise NotFound
    sections = list_sections(course_id=row.course_id)
    order = [lesson.slug for section in sections for lesson in section.lessons]
    index = order.index(row.slug)
    return LessonPage(
        course_id=row.course_id,
        course_slug=row.course_slug,
        course_title=row.course_title,
        lesson_id=row.lesson_id,
        slug=row.slug,
        title=row.title,
        minutes=row.minutes,
        is_preview=row.is_preview,
        drip_days=row.drip_days,
        body_html=row.body_html,
        sections=sections,
        previous_slug=order[index - 1] if index else None,
        next_slug=order[index + 1] if index + 1 < len(order) else None,
    )


def list_sections(*, course_id: int) -> tuple[SectionLines, ...]:
    """The curriculum of a course in order, without texts."""
    sections: dict[int, tuple[str, str, list[LessonLine]]] = {}
    for row in db.session().execute(_CURRICULUM, {"course_id": course_id}):
        lessons = sections.setdefault(row.section_id, (row.section_title, row.summary, []))[2]
        if row.lesson_id is not None:
            lessons.append(
                LessonLine(
                    lesson_id=row.lesson_id, slug=row.slug, title=row.title, minutes=row.minutes,
                    is_preview=row.is_preview, drip_days=row.drip_days,
                )
            )  # fmt: skip
    return tuple(
        SectionLines(title=title, summary=summary, lessons=tuple(lessons))
        for title, summary, lessons in sections.values()
    )


def find_course_by_old_slug(slug: str) -> str | None:
    """The present slug of the course that once lived at slug; None when none did."""
    return db.session().scalars(_OLD_SLUG, {"slug": slug}).one_or_none()


def list_current_prices(*, product_id: int | None) -> tuple[CurrentPrice, ...]:
    """Every one-time price in force of a product, by currency."""
    return tuple(
        CurrentPrice(price_id=row.public_id, unit_amount=row.unit_amount, currency=row.currency)
        for row in db.session().execute(_PRICES, {"product_id": product_id})
    )


def _read_other_prices(text: str | None, *, offered: str | None) -> tuple[CurrentPrice, ...]:
    fields = [part.split(" ") for part in (text or "").split(",") if part]
    prices = [
        CurrentPrice(price_id=price_id, unit_amount=int(amount), currency=currency)
        for price_id, amount, currency in fields
        if price_id != offered
    ]
    return tuple(sorted(prices, key=lambda price: price.currency))
