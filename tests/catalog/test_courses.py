"""Saving courses: once, again, changed, moved."""

import pytest
from flask import Flask
from sqlalchemy import select

from app.catalog.course_files import parse_course_file
from app.catalog.course_rows import SlugTaken
from app.catalog.models import Course, CourseSlug, Lesson, Price, Product
from app.catalog.services import (
    create_course,
    ensure_categories,
    find_course_by_old_slug,
    get_course_file,
    get_course_page,
    get_lesson,
    plan_course_files,
    replace_price,
    save_course_file,
)
from app.db import db
from app.errors import InvalidInput, NotFound
from tests.conftest import MovableClock
from tests.factories import get_price, make_course
from tests.shop import course_text, load_course


def _save(**head: str) -> str:
    saved = save_course_file(parse_course_file(course_text(**head), "small.md"))
    db.session.remove()
    return saved.outcome


def _dump() -> list[tuple[object, ...]]:
    db.session.rollback()
    return [
        tuple(row)
        for model in (Course, Lesson, Price, Product, CourseSlug)
        for row in db.session.execute(select(*model.__table__.columns).order_by(*model.__table__.primary_key)).all()
    ]


def test_saving_makes_the_course_its_product_and_its_price(app: Flask) -> None:
    assert _save() == "created"

    page = get_course_page(slug="small-course")
    assert page.card.offer.state == "on_sale"
    assert (page.card.offer.unit_amount, page.card.offer.currency) == (2000, "usd")
    assert (page.card.section_count, page.card.lesson_count, page.card.minutes) == (2, 3, 21)
    assert page.description_html == "<p>What it is about.</p>\n"
    assert db.session.scalars(select(Product.title)).all() == ["Small course"]


def test_saving_the_same_again_changes_no_row(app: Flask, moving_clock: MovableClock) -> None:
    _save(capacity="5", access_days="30", outcomes="[Do it]", faq="[{question: Why, answer: So}]")
    before = _dump()
    moving_clock.advance(days=1)

    assert _save(capacity="5", access_days="30", outcomes="[Do it]", faq="[{question: Why, answer: So}]") == "unchanged"

    assert _dump() == before


def test_a_plan_says_what_would_change_and_keeps_nothing(app: Flask) -> None:
    _save()
    before = _dump()

    planned = plan_course_files([parse_course_file(course_text(prices="[30.00 USD]"), "small.md")])

    assert [row.outcome for row in planned] == ["changed"]
    assert _dump() == before


def test_a_new_price_retires_the_old_row_and_keeps_it(app: Flask) -> None:
    _save()

    assert _save(prices="[30.00 USD]") == "changed"

    rows = db.session.execute(select(Price.unit_amount, Price.status).order_by(Price.id)).all()
    assert [tuple(row) for row in rows] == [(2000, "retired"), (3000, "active")]
    assert get_course_page(slug="small-course").card.offer.unit_amount == 3000


def test_a_price_left_out_takes_the_course_off_sale(app: Flask) -> None:
    _save()

    _save(prices="[]")

    assert get_course_page(slug="small-course").card.offer.state == "not_on_sale"


def test_a_lesson_keeps_its_row_when_it_moves_so_progress_stays(app: Flask) -> None:
    _save()
    before = dict(db.session.execute(select(Lesson.slug, Lesson.id)).all())
    text = course_text().replace("## One {#one minutes=5 preview}\nOpen text.\n\n", "") + (
        "\n## One {#one minutes=5 preview}\nOpen text.\n"
    )

    load_course(text)

    db.session.remove()
    assert dict(db.session.execute(select(Lesson.slug, Lesson.id)).all()) == before
    assert list(db.session.scalars(select(Lesson.slug).order_by(Lesson.position))) == ["two", "three", "one"]


def test_lessons_and_sections_left_out_are_removed(app: Flask) -> None:
    _save()

    load_course(course_text().split("# End")[0])

    db.session.remove()
    page = get_course_page(slug="small-course")
    assert [lesson.slug for section in page.sections for lesson in section.lessons] == ["one", "two"]
    assert (page.card.section_count, page.card.lesson_count, page.card.minutes) == (1, 2, 12)
    with pytest.raises(NotFound):
        get_lesson(course_slug="small-course", lesson_slug="three")


def test_a_lesson_that_comes_back_with_a_file_is_the_same_row(app: Flask) -> None:
    _save()
    before = dict(db.session.execute(select(Lesson.slug, Lesson.id)).all())
    load_course(course_text().split("# End")[0])

    load_course(course_text())

    db.session.remove()
    assert dict(db.session.execute(select(Lesson.slug, Lesson.id)).all()) == before
    assert get_course_page(slug="small-course").card.lesson_count == 3


def test_a_moved_course_keeps_its_old_address(app: Flask) -> None:
    _save()

    assert _save(slug="new-home", old_slugs="[small-course]") == "changed"

    assert find_course_by_old_slug("small-course") == "new-home"
    assert db.session.scalars(select(Course.slug)).all() == ["new-home"]
    assert _save(slug="new-home") == "unchanged"
    assert get_course_file("new-home").old_slugs == ("small-course",)


def test_a_course_can_come_back_to_its_old_address(app: Flask) -> None:
    _save()
    _save(slug="new-home", old_slugs="[small-course]")

    _save(slug="small-course", old_slugs="[new-home]")

    assert find_course_by_old_slug("new-home") == "small-course"
    assert find_course_by_old_slug("small-course") is None


def test_an_address_that_belonged_to_another_course_is_refused_and_nothing_changes(app: Flask) -> None:
    _save()
    _save(slug="new-home", old_slugs="[small-course]")
    before = _dump()

    with pytest.raises(SlugTaken):
        create_course(title="Small course", category_id=1, slug="small-course")

    assert _dump() == before


def test_headings_that_begin_lessons_are_refused_inside_a_text(app: Flask) -> None:
    file = parse_course_file(course_text(), "small.md")
    object.__setattr__(file, "description", "Text\n\n## Heading")

    with pytest.raises(InvalidInput, match="###"):
        save_course_file(file)


def test_a_capacity_below_the_seats_taken_is_refused(app: Flask) -> None:
    _save(capacity="3")
    product_id = db.session.scalars(select(Product.id)).one()
    db.session.rollback()
    with db.engine.connect().execution_options(is_write=True) as connection, connection.begin():
        connection.execute(Product.__table__.update().values(taken_seats=2))

    with pytest.raises(InvalidInput, match="2 seats are taken"):
        _save(capacity="1")

    db.session.remove()
    assert db.session.get_one(Product, product_id).capacity == 3


def test_a_draft_has_a_product_and_no_page(app: Flask) -> None:
    category_id = ensure_categories(["Cloud"])["Cloud"]

    course = create_course(title="My new course", category_id=category_id)

    assert course.slug == "my-new-course"
    assert course.status == "draft"
    with pytest.raises(NotFound):
        get_course_page(slug="my-new-course")
    assert db.session.scalars(select(Product.kind)).all() == ["course"]


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({"unit_amount": 9700}, "on_sale"),
        ({"unit_amount": 0}, "free"),
        ({"unit_amount": None}, "not_on_sale"),
        ({"unit_amount": 9700, "capacity": 0}, "sold_out"),
        ({"unit_amount": 9700, "status": "archived"}, "archived"),
    ],
)
def test_the_offer_says_what_can_be_done(app: Flask, values: dict[str, object], state: str) -> None:
    course = make_course(**values)  # type: ignore[arg-type]

    assert get_course_page(slug=course.slug).card.offer.state == state


def test_replacing_a_price_by_the_same_amount_changes_nothing(app: Flask) -> None:
    course = make_course(unit_amount=9700)
    price = get_price(course)

    same = replace_price(product_id=price.product_id, unit_amount=9700, currency="USD")

    assert same.id == price.id
    assert db.session.scalars(select(Price.status)).all() == ["active"]


@pytest.mark.parametrize("amount", [-1, 100_000_000])
def test_an_impossible_amount_is_refused(app: Flask, amount: int) -> None:
    price = get_price(make_course())

    with pytest.raises(InvalidInput):
        replace_price(product_id=price.product_id, unit_amount=amount, currency="usd")

    assert db.session.scalars(select(Price.status)).all() == ["active"]
