"""A course's rows: read as a file, written from one. Used inside transaction() by whoever saves a course.

One way of writing for the import of a file, the editor and a copy: slugs keep their history, texts are rendered when
they are saved, lessons keep their rows and so their learners' progress.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload, undefer

from app import clock
from app.audit import record_audit
from app.catalog.course_files import CourseFile, LessonFile, SectionFile, find_reserved_heading
from app.catalog.models import Category, Course, CourseSlug, Lesson, Price, Product, ProductCourse, Section
from app.catalog.price_rules import is_regular_now
from app.catalog.prices import withdraw_other_currencies, write_price
from app.db import make_public_id
from app.errors import AppError, InvalidInput, NotFound
from app.markdown import render_markdown, slugify_heading


class SlugTaken(AppError):
    """Another course lives, or once lived, at this address."""

    code = "slug_taken"
    status = 409
    title = "This address is taken"
    sentence = "Another course lives at this address. Choose another one."

    def __init__(self, slug: str) -> None:
        super().__init__(f"Another course lives at “{slug}”. Choose another address.", field="slug")


@contextmanager
def claiming(slug: str) -> Iterator[None]:
    """Raises SlugTaken where the database finds that another course took the slug at the same moment."""
    try:
        yield
    except IntegrityError as error:
        raise SlugTaken(slug) from error


def refuse_reserved_headings(file: CourseFile) -> None:
    """Raises InvalidInput for a heading that would begin a section or lesson of its own in an exported file."""
    texts = [file.description, *(section.summary for section in file.sections)]
    texts += [lesson.body for section in file.sections for lesson in section.lessons]
    if any(find_reserved_heading(text) for text in texts):
        raise InvalidInput("Begin headings inside a text with ### or more: # and ## begin sections and lessons.")


def refuse_taken_slug(session: Session, *, slug: str, course_id: int | None) -> None:
    """Raises SlugTaken when another course lives, or once lived, at slug. A deleted draft makes room."""
    _make_room(session, slug)
    owner = session.scalar(select(Course.id).where(Course.slug == slug))
    former = session.scalar(select(CourseSlug.course_id).where(CourseSlug.slug == slug))
    if any(other is not None and other != course_id for other in (owner, former)):
        raise SlugTaken(slug)


def _make_room(session: Session, slug: str) -> None:
    deleted = select(Course.id).where(Course.deleted_at.is_not(None))
    session.execute(delete(CourseSlug).where(CourseSlug.slug == slug, CourseSlug.course_id.in_(deleted)))
    owner_id = session.scalar(deleted.where(Course.slug == slug))
    if owner_id is not None:
        aside = f"{slug[:100]}-deleted-{owner_id}"
        session.execute(update(Course).where(Course.id == owner_id).values(slug=aside))


def ensure_category(session: Session, name: str) -> int:
    """The id of the topic with this name, however it is capitalized; a missing one is made after the others."""
    slug = slugify_heading(name)[:80].strip("-")
    found = session.scalar(
        select(Category.id).where((Category.name == name) | (Category.slug == slug)).order_by(Category.name != name)
    )
    if found is not None:
        return found
    last = session.scalar(select(func.coalesce(func.max(Category.position), 0))) or 0
    category = Category(slug=slug, name=name, position=last + 1)
    session.add(category)
    session.flush()
    return category.id


def insert_course(session: Session, *, slug: str, title: str, category_id: int, status: str) -> Course:
    """A bare course and its own product."""
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


def load_course(session: Session, condition: object) -> Course | None:
    """The first course that fits, with everything that as_file() reads; deleted drafts are not found."""
    lessons = selectinload(Course.sections).selectinload(Section.lessons)
    statement = select(Course).where(condition, Course.deleted_at.is_(None)).order_by(Course.id).limit(1)  # type: ignore[arg-type]
    return session.scalars(
        statement.options(lessons.options(undefer(Lesson.body_markdown), undefer(Lesson.body_html)))
    ).one_or_none()


def find_own_product(session: Session, course_id: int) -> Product | None:
    """The course's own product: what is sold when this course alone is sold."""
    product: Product | None = session.scalars(_own_product(course_id)).one_or_none()
    return product


def lock_own_product(session: Session, course_id: int) -> Product | None:
    """The course's own product, locked: of two replacements of its price at once, the second waits."""
    product: Product | None = session.scalars(_own_product(course_id).with_for_update(of=Product)).one_or_none()
    return product


def _own_product(course_id: int) -> Select[Any]:
    return (
        select(Product)
        .join(ProductCourse, ProductCourse.product_id == Product.id)
        .where(ProductCourse.course_id == course_id, Product.kind == "course")
        .order_by(Product.id)
        .limit(1)
    )


def _regular_prices(session: Session, course_id: int) -> list[Price]:
    """What a file says: the prices without their sales, which end by themselves."""
    return list(
        session.scalars(
            select(Price)
            .join(Product, Product.id == Price.product_id)
            .join(ProductCourse, ProductCourse.product_id == Product.id)
            .where(ProductCourse.course_id == course_id, Product.kind == "course", is_regular_now())
            .order_by(Price.currency)
        )
    )  # fmt: skip


def list_old_slugs(session: Session, course_id: int) -> tuple[str, ...]:
    """The addresses that lead to the course by a redirect."""
    return tuple(sorted(session.scalars(select(CourseSlug.slug).where(CourseSlug.course_id == course_id))))


def with_kept_slugs(session: Session, file: CourseFile, course: Course) -> CourseFile:
    """Old addresses are only ever added: a file that doesn't name them is no reason to forget them."""
    kept = {*file.old_slugs, *list_old_slugs(session, course.id)} - {file.slug}
    return replace(file, old_slugs=tuple(sorted(kept)))


def as_file(session: Session, course: Course) -> CourseFile:
    """The course as the file that would make it."""
    product = find_own_product(session, course.id)
    return CourseFile(
        title=course.title,
        slug=course.slug,
        old_slugs=list_old_slugs(session, course.id),
        category=session.scalars(select(Category.name).where(Category.id == course.category_id)).one(),
        level=course.level,
        status=course.status,
        promise=course.promise,
        summary=course.summary,
        description=course.description_markdown,
        is_featured=course.is_featured,
        prices=tuple((price.unit_amount, price.currency) for price in _regular_prices(session, course.id)),
        capacity=product.capacity if product is not None else None,
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
                lessons=tuple(lesson_as_file(lesson) for lesson in section.lessons),
            )
            for section in course.sections
        ),
    )


def write_course(session: Session, course: Course, file: CourseFile, category_id: int) -> None:
    """Everything but curriculum, prices and capacity; counts the version up. Raises SlugTaken."""
    moment = clock.now()
    former = {*file.old_slugs, course.slug} - {file.slug} - set(list_old_slugs(session, course.id))
    session.execute(delete(CourseSlug).where(CourseSlug.slug == file.slug))
    for slug in sorted(former):
        refuse_taken_slug(session, slug=slug, course_id=course.id)
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
    write_status(course, file.status)
    course.version += 1
    course.updated_at = moment


def write_status(course: Course, status: str) -> None:
    """Show, hide or archive a course. Hidden or archived, it stays open for who has it."""
    if status == "published" and course.published_at is None:
        course.published_at = clock.now()
    if status != "draft":
        course.publish_at = None
    course.status = status


def write_curriculum(session: Session, course: Course, sections: Sequence[SectionFile]) -> None:
    """Bring sections and lessons in line with a file. What it leaves out is deleted softly and may come back."""
    moment = clock.now()
    kept = {lesson.slug for section in sections for lesson in section.lessons}
    known = {lesson.slug: lesson for lesson in _list_all_lessons(session, course.id)}
    old = list(course.sections)
    for lesson in known.values():
        if lesson.deleted_at is None and lesson.slug not in kept:
            lesson.deleted_at = moment
    for section in old[len(sections) :]:
        section.deleted_at = moment
    session.flush()
    # Out of the way first: positions are unique, and rows change places one at a time.
    for index, lesson in enumerate((each for each in known.values() if each.deleted_at is None), start=1):
        lesson.position = -index
    for index, section in enumerate(old[: len(sections)], start=1):
        section.position = -index
    session.flush()
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
    # What is in memory no longer says which section holds which lesson.
    session.expire(course, ["sections"])


def _list_all_lessons(session: Session, course_id: int) -> list[Lesson]:
    """Deleted ones too."""
    statement = select(Lesson).where(Lesson.course_id == course_id).order_by(Lesson.position)
    return list(session.scalars(statement.options(undefer(Lesson.body_markdown), undefer(Lesson.body_html))))


def _write_lesson(session: Session, lesson: Lesson | None, section: Section, position: int, file: LessonFile) -> None:
    if lesson is None:
        lesson = Lesson(
            course_id=section.course_id,
            section_id=section.id,
            slug=file.slug,
            body_markdown="",
            body_html="",
            version=0,
        )
        session.add(lesson)
    elif lesson.deleted_at is None and lesson_as_file(lesson) == file:
        lesson.section_id, lesson.position = section.id, position
        return
    lesson.section_id, lesson.position, lesson.deleted_at = section.id, position, None
    write_lesson_text(lesson, file)


def lesson_as_file(lesson: Lesson) -> LessonFile:
    """What an author decides about a lesson."""
    return LessonFile(
        title=lesson.title,
        slug=lesson.slug,
        body=lesson.body_markdown,
        minutes=lesson.minutes,
        is_preview=lesson.is_preview,
        drip_days=lesson.drip_days,
    )


def write_lesson_text(lesson: Lesson, file: LessonFile) -> None:
    """Everything of a lesson but its place; its address stays. A body is rendered when it differs."""
    lesson.title, lesson.minutes = file.title, file.minutes
    lesson.is_preview, lesson.drip_days = file.is_preview, file.drip_days
    if lesson.body_markdown != file.body or not lesson.body_html:
        lesson.body_markdown = file.body
        lesson.body_html = render_markdown(file.body).html
    lesson.version += 1


def write_product(session: Session, course: Course, file: CourseFile) -> Product:
    """Title, capacity and prices of the course's own product, which is returned locked. Raises InvalidInput."""
    product = lock_own_product(session, course.id)
    if product is None:
        raise NotFound
    if file.capacity is not None and file.capacity < product.taken_seats:
        raise InvalidInput(
            f"{product.taken_seats} seats are taken: the capacity cannot be lower than that.", field="capacity"
        )
    product.title, product.capacity = file.title, file.capacity
    wanted = {currency for _amount, currency in file.prices}
    withdraw_other_currencies(session, product_id=product.id, kept=wanted)
    for amount, currency in file.prices:
        write_price(session, product_id=product.id, unit_amount=amount, currency=currency)
    return product


def record_changes(action: str, course: Course, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Write into the audit log which facts of a course differ, if any do; gives their names."""
    names = [name for name in after if before[name] != after[name]]
    if names:
        record_audit(
            action=action,
            subject_type="course",
            subject_id=course.public_id,
            before={name: before[name] for name in names},
            after={name: after[name] for name in names},
        )
    return names


def list_facts(file: CourseFile) -> dict[str, Any]:
    """A course's own facts as JSON takes them; its curriculum has audit entries of its own."""
    fields = asdict(replace(file, sections=()))
    del fields["sections"]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
