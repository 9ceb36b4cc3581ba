"""Making and saving courses. A course file says everything an author decides; saving it twice changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, selectinload, undefer

from app import clock
from app.catalog.course_files import CourseFile, LessonFile, SectionFile, find_reserved_heading
from app.catalog.models import Category, Course, CourseSlug, Lesson, Price, Product, ProductCourse, Section
from app.catalog.prices import write_price
from app.db import db, make_public_id, retry_conflicts, transaction
from app.errors import AppError, InvalidInput, NotFound
from app.front_matter import SLUG
from app.markdown import render_markdown, slugify_heading

Outcome = Literal["created", "changed", "unchanged"]


class SlugTaken(AppError):
    """Another course lives, or once lived, at this address."""

    code = "slug_taken"
    status = 409
    title = "This address is taken"
    sentence = "Another course lives at this address. Choose another one."

    def __init__(self, slug: str) -> None:
        super().__init__(f"Another course lives at “{slug}”. Choose another address.", field="slug")


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedCourse:
    """What saving a file did."""

    course_id: int
    slug: str
    outcome: Outcome


@retry_conflicts
def create_course(*, title: str, category_id: int, slug: str | None = None) -> Course:
    """A new draft with its product, to be filled in. Raises SlugTaken, InvalidInput; not safe to call twice."""
    slug = slug or slugify_heading(title)[:120].strip("-")
    if not SLUG.fullmatch(slug):
        raise InvalidInput("Use lower-case letters, digits and single hyphens.", field="slug")
    with transaction() as session:
        _refuse_taken(session, slug=slug, course_id=None)
        return _insert_course(session, slug=slug, title=title, category_id=category_id, status="draft")


def save_course_file(file: CourseFile) -> SavedCourse:
    """Save one course; see save_course_files()."""
    return save_course_files([file])[0]


@retry_conflicts
def save_course_files(files: Sequence[CourseFile]) -> list[SavedCourse]:
    """Make or bring in line the courses with these slugs, all or none of them.

    Found by slug, or by one of its old_slugs: then it moves, and the old address answers 301. Lessons are known by
    their slug and keep their learners' progress. Prices that differ are replaced, prices left out retire; an unknown
    category is made. Files that say what is there already change no row. Raises SlugTaken, InvalidInput.
    """
    with transaction() as session:
        return [_save(session, file) for file in files]


def plan_course_files(files: Sequence[CourseFile]) -> list[SavedCourse]:
    """What save_course_files() would do; nothing is kept."""
    with transaction() as session:
        saved = [_save(session, file) for file in files]
        session.rollback()
    return saved


def get_course_file(slug: str) -> CourseFile:
    """The course as the file that would make it. Raises NotFound."""
    course = _load(db.session(), Course.slug == slug)
    if course is None:
        raise NotFound(f"There is no course at “{slug}”.")
    return _as_file(db.session(), course)


def list_course_slugs() -> list[str]:
    """Every course's slug, drafts and archived ones too, in the catalog's order."""
    return list(db.session().scalars(select(Course.slug).order_by(Course.position, Course.id)))


def list_course_ids_by_slug(slugs: Sequence[str]) -> dict[str, int]:
    """The ids of the courses at these slugs; unknown ones are left out."""
    rows = db.session().execute(select(Course.slug, Course.id).where(Course.slug.in_(slugs)))
    return {row.slug: row.id for row in rows}


def list_course_slugs_by_id(course_ids: Sequence[int]) -> dict[int, str]:
    """The slugs of the courses with these ids."""
    rows = db.session().execute(select(Course.id, Course.slug).where(Course.id.in_(course_ids)))
    return {row.id: row.slug for row in rows}


@retry_conflicts
def ensure_categories(names: Sequence[str]) -> dict[str, int]:
    """The ids of the topics with these names; missing ones are made, after the others, in the order given."""
    if not names:
        return {}
    with transaction() as session:
        return {name: _ensure_category(session, name) for name in names}


def _save(session: Session, file: CourseFile) -> SavedCourse:
    _refuse_reserved_headings(file)
    course = _load(session, Course.slug == file.slug)
    if course is None and file.old_slugs:
        course = _load(session, Course.slug.in_(file.old_slugs))
    _refuse_taken(session, slug=file.slug, course_id=course.id if course else None)
    category_id = _ensure_category(session, file.category)
    outcome: Outcome = "changed"
    if course is None:
        made = _insert_course(session, slug=file.slug, title=file.title, category_id=category_id, status="draft")
        course, outcome = _load(session, Course.id == made.id), "created"
    if course is None:
        raise NotFound
    if outcome == "changed" and _as_file(session, course) == _with_kept_slugs(session, file, course):
        return SavedCourse(course_id=course.id, slug=course.slug, outcome="unchanged")
    _write_course(session, course, file, category_id)
    _write_curriculum(session, course, file.sections)
    _write_product(session, course, file)
    session.flush()
    return SavedCourse(course_id=course.id, slug=course.slug, outcome=outcome)


def _refuse_reserved_headings(file: CourseFile) -> None:
    texts = [file.description, *(section.summary for section in file.sections)]
    texts += [lesson.body for section in file.sections for lesson in section.lessons]
    if any(find_reserved_heading(text) for text in texts):
        raise InvalidInput("Begin headings inside a text with ### or more: # and ## begin sections and lessons.")


def _refuse_taken(session: Session, *, slug: str, course_id: int | None) -> None:
    owner = session.scalar(select(Course.id).where(Course.slug == slug))
    former = session.scalar(select(CourseSlug.course_id).where(CourseSlug.slug == slug))
    if any(other is not None and other != course_id for other in (owner, former)):
        raise SlugTaken(slug)


def _ensure_category(session: Session, name: str) -> int:
    found = session.scalar(select(Category.id).where(Category.name == name))
    if found is not None:
        return found
    last = session.scalar(select(func.coalesce(func.max(Category.position), 0))) or 0
    category = Category(slug=slugify_heading(name)[:80].strip("-"), name=name, position=last + 1)
    session.add(category)
    session.flush()
    return category.id


def _insert_course(session: Session, *, slug: str, title: str, category_id: int, status: str) -> Course:
    moment = clock.now()
    course = Course(
        public_id=make_public_id("crs"),
        slug=slug,
        title=title,
        category_id=category_id,
        status=status,
        outcomes=[],
        good_fit=[],
        not_fit=[],
        includes=[],
        faq=[],
        created_at=moment,
        updated_at=moment,
    )
    product = Product(public_id=make_public_id("prd"), kind="course", title=title, created_at=moment)
    session.add_all([course, product])
    session.flush()
    session.add(ProductCourse(product_id=product.id, course_id=course.id, position=0))
    session.flush()
    return course


def _load(session: Session, condition: object) -> Course | None:
    lessons = selectinload(Course.sections).selectinload(Section.lessons)
    statement = select(Course).where(condition).order_by(Course.id).limit(1)  # type: ignore[arg-type]
    return session.scalars(
        statement.options(lessons.options(undefer(Lesson.body_markdown), undefer(Lesson.body_html)))
    ).one_or_none()


def _own_product(session: Session, course_id: int) -> Product | None:
    """The course's own product, locked: of two replacements of its price at once, the second waits."""
    return session.scalars(
        select(Product)
        .join(ProductCourse, ProductCourse.product_id == Product.id)
        .where(ProductCourse.course_id == course_id, Product.kind == "course")
        .order_by(Product.id)
        .limit(1)
        .with_for_update(of=Product)
    ).one_or_none()


def _active_prices(session: Session, course_id: int) -> list[Price]:
    return list(
        session.scalars(
            select(Price)
            .join(Product, Product.id == Price.product_id)
            .join(ProductCourse, ProductCourse.product_id == Product.id)
            .where(
                ProductCourse.course_id == course_id, Product.kind == "course",
                Price.status == "active", Price.type == "one_time",
            )
            .order_by(Price.currency)
        )
    )  # fmt: skip


def _old_slugs(session: Session, course_id: int) -> tuple[str, ...]:
    return tuple(sorted(session.scalars(select(CourseSlug.slug).where(CourseSlug.course_id == course_id))))


def _with_kept_slugs(session: Session, file: CourseFile, course: Course) -> CourseFile:
    """Old addresses are only ever added: a file that doesn't name them is no reason to forget them."""
    kept = {*file.old_slugs, *_old_slugs(session, course.id)} - {file.slug}
    return replace(file, old_slugs=tuple(sorted(kept)))


def _as_file(session: Session, course: Course) -> CourseFile:
    return CourseFile(
        title=course.title,
        slug=course.slug,
        old_slugs=_old_slugs(session, course.id),
        category=session.scalars(select(Category.name).where(Category.id == course.category_id)).one(),
        level=course.level,
        status=course.status,
        promise=course.promise,
        summary=course.summary,
        description=course.description_markdown,
        is_featured=course.is_featured,
        prices=tuple((price.unit_amount, price.currency) for price in _active_prices(session, course.id)),
        capacity=_capacity(session, course.id),
        access_days=course.access_days,
        position=course.position,
        outcomes=tuple(course.outcomes),
        good_fit=tuple(course.good_fit),
        not_fit=tuple(course.not_fit),
        includes=tuple(course.includes),
        faq=tuple((entry["question"], entry["answer"]) for entry in course.faq),
        author=course.author_name,
        author_bio=course.author_bio,
        sections=tuple(
            SectionFile(
                title=section.title,
                summary=section.summary,
                lessons=tuple(
                    LessonFile(
                        title=lesson.title,
                        slug=lesson.slug,
                        body=lesson.body_markdown,
                        minutes=lesson.minutes,
                        is_preview=lesson.is_preview,
                        drip_days=lesson.drip_days,
                    )
                    for lesson in section.lessons
                ),
            )
            for section in course.sections
        ),
    )


def _capacity(session: Session, course_id: int) -> int | None:
    return session.scalars(
        select(Product.capacity)
        .join(ProductCourse, ProductCourse.product_id == Product.id)
        .where(ProductCourse.course_id == course_id, Product.kind == "course")
        .order_by(Product.id)
        .limit(1)
    ).one_or_none()


def _write_course(session: Session, course: Course, file: CourseFile, category_id: int) -> None:
    moment = clock.now()
    former = {*file.old_slugs, course.slug} - {file.slug} - set(_old_slugs(session, course.id))
    session.execute(delete(CourseSlug).where(CourseSlug.slug == file.slug))
    for slug in sorted(former):
        _refuse_taken(session, slug=slug, course_id=course.id)
        session.add(CourseSlug(slug=slug, course_id=course.id))
    course.slug, course.title, course.promise, course.summary = file.slug, file.title, file.promise, file.summary
    if course.description_markdown != file.description or not course.description_html:
        course.description_markdown = file.description
        course.description_html = render_markdown(file.description).html
    course.outcomes, course.good_fit = list(file.outcomes), list(file.good_fit)
    course.not_fit, course.includes = list(file.not_fit), list(file.includes)
    course.faq = [
        {"question": question, "answer": answer, "answer_html": render_markdown(answer).html}
        for question, answer in file.faq
    ]
    course.level, course.category_id = file.level, category_id
    course.author_name, course.author_bio = file.author, file.author_bio
    course.is_featured, course.position, course.access_days = file.is_featured, file.position, file.access_days
    if file.status == "published" and course.published_at is None:
        course.published_at = moment
    course.status = file.status
    course.version += 1
    course.updated_at = moment


def _write_curriculum(session: Session, course: Course, sections: Sequence[SectionFile]) -> None:
    known = {lesson.slug: lesson for section in course.sections for lesson in section.lessons}
    kept = {lesson.slug for section in sections for lesson in section.lessons}
    gone = [lesson.id for slug, lesson in known.items() if slug not in kept]
    old = list(course.sections)
    # Out of the way first: positions are unique, and rows change places one at a time.
    for index, lesson in enumerate(known.values(), start=1):
        lesson.position = -index
    for index, section in enumerate(old, start=1):
        section.position = -index
    session.flush()
    if gone:
        session.execute(delete(Lesson).where(Lesson.id.in_(gone)))
    position = 0
    for number, file in enumerate(sections, start=1):
        section = old[number - 1] if number <= len(old) else Section(course_id=course.id, title="", position=number)
        section.position, section.title, section.summary = number, file.title, file.summary
        session.add(section)
        session.flush()
        for lesson_file in file.lessons:
            position += 1
            _write_lesson(session, known.get(lesson_file.slug), section, position, lesson_file)
    session.flush()
    for section in old[len(sections) :]:
        session.execute(delete(Section).where(Section.id == section.id))
    # What is in memory no longer says which section holds which lesson.
    session.flush()
    session.expire(course, ["sections"])


def _write_lesson(session: Session, lesson: Lesson | None, section: Section, position: int, file: LessonFile) -> None:
    if lesson is None:
        lesson = Lesson(course_id=section.course_id, slug=file.slug, body_markdown="", body_html="")
        session.add(lesson)
    lesson.section_id, lesson.position, lesson.title = section.id, position, file.title
    lesson.minutes, lesson.is_preview, lesson.drip_days = file.minutes, file.is_preview, file.drip_days
    if lesson.body_markdown != file.body or not lesson.body_html:
        lesson.body_markdown = file.body
        lesson.body_html = render_markdown(file.body).html


def _write_product(session: Session, course: Course, file: CourseFile) -> None:
    product = _own_product(session, course.id)
    if product is None:
        raise NotFound
    if file.capacity is not None and file.capacity < product.taken_seats:
        raise InvalidInput(
            f"{product.taken_seats} seats are taken: the capacity cannot be lower than that.", field="capacity"
        )
    product.title, product.capacity = file.title, file.capacity
    wanted = {currency for _amount, currency in file.prices}
    session.execute(
        update(Price)
        .where(
            Price.product_id == product.id, Price.status == "active", Price.type == "one_time",
            Price.currency.not_in(wanted),
        )
        .values(status="retired", retired_at=clock.now())
    )  # fmt: skip
    for amount, currency in file.prices:
        write_price(session, product_id=product.id, unit_amount=amount, currency=currency)
