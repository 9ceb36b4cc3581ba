"""Lists of courses as plain cards: counts and prices come with them, whatever the number of rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, bindparam, func, select

from app.catalog.models import Category, Course, Lesson, Price, Product, Section
from app.catalog.offers import CURRENT_PRICE, OFFER_COLUMNS, OWN_PRODUCT, Offer, read_offer, site_currency
from app.catalog.search import Sort, find_courses, sort_courses
from app.catalog.struck_prices import prove_struck_prices
from app.db import db
from app.errors import NotFound

PUBLIC_STATUSES = ("published", "archived")
PAGE_SIZE = 12
MOST_CARDS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseCard:
    """What a list shows of a course; minutes is the sum of its lessons."""

    course_id: int
    public_id: str
    product_id: int | None
    slug: str
    title: str
    promise: str
    summary: str
    level: str
    category_name: str
    category_slug: str
    section_count: int
    lesson_count: int
    minutes: int
    cover_path: str | None
    offer: Offer


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseList:
    """One page of courses; number counts from 1, pages is at least 1."""

    items: tuple[CourseCard, ...]
    total: int
    number: int
    pages: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryCount:
    """A topic and how many published courses it has."""

    category_id: int
    slug: str
    name: str
    course_count: int


_own_section = (Section.course_id == Course.id, Section.deleted_at.is_(None))
_own_lesson = (Lesson.course_id == Course.id, Lesson.deleted_at.is_(None))
_section_count = select(func.count(Section.id)).where(*_own_section).scalar_subquery()
_lesson_count = select(func.count(Lesson.id)).where(*_own_lesson).scalar_subquery()
_minutes = select(func.coalesce(func.sum(Lesson.minutes), 0)).where(*_own_lesson).scalar_subquery()
CARD_COLUMNS = (
    Course.id.label("course_id"),
    Course.public_id,
    Course.slug,
    Course.title,
    Course.promise,
    Course.summary,
    Course.level,
    Course.cover_path,
    Category.name.label("category_name"),
    Category.slug.label("category_slug"),
    _section_count.label("section_count"),
    _lesson_count.label("lesson_count"),
    _minutes.label("minutes"),
    *OFFER_COLUMNS,
)
# Built once: putting a statement together costs more than running it.
CARDS: Select[Any] = (
    select(*CARD_COLUMNS)
    .join(Category, Category.id == Course.category_id)
    .outerjoin(Product, Product.id == OWN_PRODUCT)
    .outerjoin(Price, Price.id == CURRENT_PRICE)
    # Only drafts are ever deleted, and staff sees drafts.
    .where(Course.deleted_at.is_(None))
)
_CARDS_BY_ID = CARDS.where(
    Course.id.in_(bindparam("course_ids", expanding=True)), Course.status != bindparam("hidden_status")
)
_CATEGORIES = (
    select(Category.id, Category.slug, Category.name, func.count(Course.id).label("course_count"))
    .outerjoin(Course, (Course.category_id == Category.id) & (Course.status == "published"))
    .group_by(Category.id, Category.slug, Category.name, Category.position)
    .order_by(Category.position, Category.name)
)


def list_courses(
    *, q: str = "", category: str = "", level: str = "", price: str = "", sort: Sort = "", page: int = 1
) -> CourseList:
    """One page of the published courses. price is "free", "paid" or ""; category is a slug.

    Raises NotFound for a page beyond the last one.
    """
    matching = find_courses(q=q, category=category, level=level, price=price, sort=sort)
    parameters = {"site_currency": site_currency()}
    total = db.session().execute(select(func.count()).select_from(matching.subquery()), parameters).scalar_one()
    pages = max(1, -(-total // PAGE_SIZE))
    if not 1 <= page <= pages:
        raise NotFound
    ids = db.session().scalars(sort_courses(matching, sort).limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE), parameters)
    return CourseList(items=list_course_cards(list(ids)), total=total, number=page, pages=pages)


def list_courses_after(
    *, course_id: int, limit: int, q: str = "", category: str = "", level: str = ""
) -> tuple[CourseCard, ...]:
    """At most limit published courses in the order they were made, beginning after course_id (0: from the start)."""
    matching = find_courses(q=q, category=category, level=level, price="")
    statement = matching.where(Course.id > course_id).order_by(Course.id).limit(min(limit, MOST_CARDS))
    return list_course_cards(list(db.session().scalars(statement, {"site_currency": site_currency()})))


def list_course_cards(
    course_ids: Sequence[int], *, statuses: tuple[str, ...] = PUBLIC_STATUSES
) -> tuple[CourseCard, ...]:
    """The cards of these courses in the order given; unknown ids, and drafts unless allowed, are left out."""
    if not course_ids:
        return ()
    rows = db.session().execute(
        _CARDS_BY_ID,
        {"course_ids": list(course_ids), "hidden_status": hidden_status(statuses), "site_currency": site_currency()},
    )
    cards = {card.course_id: card for card in prove_cards([read_card(row) for row in rows])}
    return tuple(cards[course_id] for course_id in course_ids if course_id in cards)


def prove_cards(cards: Sequence[CourseCard]) -> list[CourseCard]:
    """The cards with the struck prices that their history proves."""
    offers = prove_struck_prices([card.offer for card in cards])
    return [replace(card, offer=offer) for card, offer in zip(cards, offers, strict=True)]


def hidden_status(statuses: tuple[str, ...]) -> str:
    """The one status that is not to be found: cheaper in a statement than a list of those that are."""
    return "" if "draft" in statuses else "draft"


def list_categories() -> tuple[CategoryCount, ...]:
    """All topics in their order, with the number of published courses."""
    return tuple(
        CategoryCount(category_id=row.id, slug=row.slug, name=row.name, course_count=row.course_count)
        for row in db.session().execute(_CATEGORIES)
    )


def read_card(row: Any) -> CourseCard:
    """The card of a row that holds CARD_COLUMNS."""
    return CourseCard(
        course_id=row.course_id,
        public_id=row.public_id,
        product_id=row.product_id,
        slug=row.slug,
        title=row.title,
        promise=row.promise,
        summary=row.summary,
        level=row.level,
        category_name=row.category_name,
        category_slug=row.category_slug,
        section_count=row.section_count,
        lesson_count=row.lesson_count,
        minutes=row.minutes,
        cover_path=row.cover_path,
        offer=read_offer(row),
    )
