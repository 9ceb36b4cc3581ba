"""The back-office's list of courses: everything that was not deleted, narrowed and ordered, one page at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, false, func, select
from sqlalchemy.orm import aliased

from app.catalog.models import Category, Course, Lesson, Price, Product, ProductCourse
from app.catalog.offers import CURRENT_PRICE, OWN_PRODUCT, site_currency
from app.catalog.price_rules import in_force
from app.catalog.search import LONGEST_SEARCH
from app.db import db
from app.paging import PAGE_SIZE, Page, clamp_page, count_rows
from app.word_search import find_words, match_words

PUBLISHED, DRAFTS, ARCHIVED, NO_PRICE, DELETED = "published", "draft", "archived", "no-price", "deleted"
# The columns of ix_courses_words, in its order.
SEARCHED = (Course.title.expression, Course.slug.expression, Course.promise.expression)
_own = aliased(Product)
_active = aliased(Price)
_HAS_PRICE = exists(
    select(_active.id)
    .join(_own, _own.id == _active.product_id)
    .join(ProductCourse, ProductCourse.product_id == _own.id)
    .where(
        ProductCourse.course_id == Course.id, _own.kind == "course", in_force(_active),
    )
).correlate(Course)  # fmt: skip
_LESSONS = (
    select(func.count(Lesson.id))
    .where(Lesson.course_id == Course.id, Lesson.deleted_at.is_(None))
    .correlate(Course)
    .scalar_subquery()
)
_COLUMNS = (
    Course.public_id, Course.slug, Course.title, Course.promise, Course.status, Course.level, Course.cover_path,
    Course.publish_at, Course.updated_at, Course.deleted_at, Category.name.label("topic"),
    _LESSONS.label("lesson_count"), Price.unit_amount, Price.currency, Product.status.label("product_status"),
)  # fmt: skip
_ROWS: Select[Any] = (
    select(*_COLUMNS)
    .join(Category, Category.id == Course.category_id)
    .outerjoin(Product, Product.id == OWN_PRODUCT)
    .outerjoin(Price, Price.id == CURRENT_PRICE)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseRow:
    """A course in the list. unit_amount (minor units of currency) is None while it has no price."""

    public_id: str
    slug: str
    title: str
    status: str
    level: str
    topic: str
    cover_path: str | None
    publish_at: datetime | None
    updated_at: datetime
    lesson_count: int
    unit_amount: int | None
    currency: str | None
    is_open: bool


def count_course_views() -> dict[str, int]:
    """How many courses each saved view holds; "" is all of them. Without "No price", which is dear to count."""
    is_deleted = Course.deleted_at.is_not(None)
    rows = db.session().execute(
        select(Course.status, is_deleted, func.count(Course.id)).group_by(Course.status, is_deleted)
    )
    found = {(status, bool(deleted)): count for status, deleted, count in rows}
    counts = {status: found.get((status, False), 0) for status in (PUBLISHED, DRAFTS, ARCHIVED)}
    counts[""] = sum(counts.values())
    counts[DELETED] = sum(count for (_, deleted), count in found.items() if deleted)
    return counts


def list_course_rows(
    *, view: str = "", q: str = "", topic: str = "", level: str = "", sort: str = "updated", is_descending: bool = True,
    page: int = 1, counts: Mapping[str, int] | None = None,
) -> Page[CourseRow]:  # fmt: skip
    """One page. topic is a slug; sort is updated, title or created; counts saves counting an unnarrowed view again."""
    known = None if q or topic or level or counts is None else counts.get(view)
    matching = find_course_rows(view=view, q=q, topic=topic, level=level)
    total = count_rows(matching) if known is None else known
    number = clamp_page(page, total=total)
    statement = select_course_rows(
        view=view, q=q, topic=topic, level=level, sort=sort, is_descending=is_descending, number=number
    )
    rows = db.session().execute(statement, {"site_currency": site_currency()})
    return Page(rows=[_read(row) for row in rows], total=total, number=number)


def select_course_rows(
    *, view: str = "", q: str = "", topic: str = "", level: str = "", sort: str = "updated", is_descending: bool = True,
    number: int = 1,
) -> Select[Any]:  # fmt: skip
    """The rows of one page. Counts, prices and topics are read for the few courses on it only."""
    matching = _sort(find_course_rows(view=view, q=q, topic=topic, level=level), sort, is_descending=is_descending)
    found = matching.limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE).subquery()
    return _sort(_ROWS.join(found, found.c.id == Course.id), sort, is_descending=is_descending)


def find_course_rows(*, view: str = "", q: str = "", topic: str = "", level: str = "") -> Select[Any]:
    """The ids of the courses that match every filter."""
    statement: Select[Any] = select(Course.id).where(*_view(view))
    if q.strip():
        words = find_words(q[:LONGEST_SEARCH])
        statement = statement.where(match_words(words, *SEARCHED) if words else false())
    if topic:
        statement = statement.where(
            Course.category_id == select(Category.id).where(Category.slug == topic).scalar_subquery()
        )
    if level:
        statement = statement.where(Course.level == level)
    return statement


def _sort(statement: Select[Any], sort: str, *, is_descending: bool) -> Select[Any]:
    """In an order that an index has."""
    columns = {"title": (Course.title, Course.id), "created": (Course.id,)}.get(sort, (Course.updated_at, Course.id))
    return statement.order_by(*(column.desc() if is_descending else column.asc() for column in columns))


def _view(view: str) -> tuple[Any, ...]:
    if view == DELETED:
        return (Course.deleted_at.is_not(None),)
    alive = Course.deleted_at.is_(None)
    if view == NO_PRICE:
        return (alive, Course.status != ARCHIVED, ~_HAS_PRICE)
    return (alive, Course.status == view) if view else (alive,)


def _read(row: Any) -> CourseRow:
    return CourseRow(
        public_id=row.public_id, slug=row.slug, title=row.title, level=row.level, topic=row.topic,
        status="scheduled" if row.publish_at else row.status, cover_path=row.cover_path, publish_at=row.publish_at,
        updated_at=row.updated_at, lesson_count=row.lesson_count, unit_amount=row.unit_amount, currency=row.currency,
        is_open=row.product_status == "active",
    )  # fmt: skip
