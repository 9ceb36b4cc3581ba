"""The curriculum, one change at a time: order, deletion and return, two people at once, and learners' progress."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import select

from app import clock
from app.audit import AuditEntry
from app.catalog.course_files import format_course_file
from app.catalog.curriculum import (
    LessonEdit,
    add_lesson,
    add_section,
    get_edited_lesson,
    list_curriculum,
    list_deleted_parts,
    save_lesson,
    save_section,
)
from app.catalog.curriculum_order import (
    CurriculumChanged,
    arrange_curriculum,
    delete_lesson,
    delete_section,
    move_lesson,
    move_section,
    restore_lesson,
    restore_section,
)
from app.catalog.models import Course, Lesson, Section
from app.catalog.services import get_course_file, get_course_page
from app.db import db, transaction
from app.enrollment.models import Enrollment, Grant
from app.enrollment.services import complete_lesson, get_progress
from app.errors import InvalidInput, NotFound
from tests.factories import make_user
from tests.races import kinds, run_at_once
from tests.shop import course_text, load_course


@pytest.fixture
def course(app: Flask) -> Course:
    """ "Start" with the lessons one and two, "End" with three."""
    course_id = load_course(course_text())
    found = db.session.get_one(Course, course_id)
    db.session.expunge(found)
    return found


def read_order(course: Course) -> list[tuple[str, list[str]]]:
    db.session.remove()
    return [
        (section.title, [lesson.slug for lesson in section.lessons]) for section in list_curriculum(course_id=course.id)
    ]


def lesson_id(slug: str) -> str:
    db.session.remove()
    return db.session.scalars(select(Lesson.public_id).where(Lesson.slug == slug)).one()


def section_id(title: str) -> str:
    db.session.remove()
    return db.session.scalars(select(Section.public_id).where(Section.title == title)).one()


def list_actions() -> list[str]:
    db.session.remove()
    statement = (
        select(AuditEntry.action)
        .where(AuditEntry.subject_type != "price", AuditEntry.action != "course.imported")
        .order_by(AuditEntry.id)
    )
    return list(db.session.scalars(statement))


@pytest.mark.parametrize(
    ("slug", "step", "order"),
    [
        ("two", "up", [("Start", ["two", "one"]), ("End", ["three"])]),
        ("one", "down", [("Start", ["two", "one"]), ("End", ["three"])]),
        ("two", "down", [("Start", ["one"]), ("End", ["two", "three"])]),
        ("three", "up", [("Start", ["one", "two", "three"]), ("End", [])]),
        ("one", "up", [("Start", ["one", "two"]), ("End", ["three"])]),
        ("three", "down", [("Start", ["one", "two"]), ("End", ["three"])]),
    ],
)
def test_a_lesson_moves_through_the_whole_course(
    course: Course, slug: str, step: str, order: list[tuple[str, list[str]]]
) -> None:
    before = read_order(course)

    move_lesson(course_public_id=course.public_id, public_id=lesson_id(slug), step=step)

    assert read_order(course) == order
    assert list_actions() == (["curriculum.arranged"] if order != before else [])


def test_a_section_moves_with_its_lessons(course: Course) -> None:
    move_section(course_public_id=course.public_id, public_id=section_id("End"), step="up")

    assert read_order(course) == [("End", ["three"]), ("Start", ["one", "two"])]
    page = get_course_page(slug=course.slug)
    assert [lesson.slug for section in page.sections for lesson in section.lessons] == ["three", "one", "two"]


def test_everything_is_arranged_at_once_and_only_as_it_is_there_now(course: Course) -> None:
    start, end, one, two, three = section_id("Start"), section_id("End"), *map(lesson_id, ("one", "two", "three"))

    arrange_curriculum(course_public_id=course.public_id, wanted=[(end, [two, three]), (start, [one])])

    assert read_order(course) == [("End", ["two", "three"]), ("Start", ["one"])]
    for wanted in (
        [(end, [two, three])],
        [(end, [two]), (start, [one])],
        [(end, [two, two]), (start, [one])],
        [("", [])],
    ):
        with pytest.raises(CurriculumChanged):
            arrange_curriculum(course_public_id=course.public_id, wanted=wanted)
    assert read_order(course) == [("End", ["two", "three"]), ("Start", ["one"])]


def test_a_deleted_lesson_comes_back_to_its_place_with_its_learners_progress(course: Course) -> None:
    user = make_user()
    one = db.session.scalars(select(Lesson.id).where(Lesson.slug == "one")).one()
    with transaction() as session:
        session.add(Grant(user_id=user.id, course_id=course.id, granted_at=clock.now()))
        session.add(Enrollment(user_id=user.id, course_id=course.id, created_at=clock.now()))
    complete_lesson(user_id=user.id, course_id=course.id, lesson_id=one)

    delete_lesson(course_public_id=course.public_id, public_id=lesson_id("one"))
    without = read_order(course)
    counted = get_course_page(slug=course.slug).card
    restore_lesson(course_public_id=course.public_id, public_id=lesson_id("one"))

    assert without == [("Start", ["two"]), ("End", ["three"])]
    assert (counted.lesson_count, counted.minutes) == (2, 16)
    assert read_order(course) == [("Start", ["one", "two"]), ("End", ["three"])]
    assert get_progress(user_id=user.id, course_ids=[course.id])[course.id].done_lesson_ids == {one}
    assert list_actions() == ["lesson.deleted", "lesson.restored"]


def test_a_deleted_section_takes_its_lessons_along_and_brings_only_those_back(course: Course) -> None:
    one, start = lesson_id("one"), section_id("Start")
    delete_lesson(course_public_id=course.public_id, public_id=one)

    delete_section(course_public_id=course.public_id, public_id=start)

    assert read_order(course) == [("End", ["three"])]
    assert [(part.kind, part.title) for part in list_deleted_parts(course_id=course.id)] == [("section", "Start")]
    with pytest.raises(NotFound, match="section back first"):
        restore_lesson(course_public_id=course.public_id, public_id=one)
    restore_section(course_public_id=course.public_id, public_id=start)
    assert read_order(course) == [("Start", ["two"]), ("End", ["three"])]
    restore_lesson(course_public_id=course.public_id, public_id=one)
    assert read_order(course) == [("Start", ["one", "two"]), ("End", ["three"])]


def test_deleting_and_bringing_back_twice_is_once(course: Course) -> None:
    three = lesson_id("three")
    delete_lesson(course_public_id=course.public_id, public_id=three)

    with pytest.raises(NotFound):
        delete_lesson(course_public_id=course.public_id, public_id=three)
    for _ in range(2):
        assert restore_lesson(course_public_id=course.public_id, public_id=three) == "Three"

    assert list_actions() == ["lesson.deleted", "lesson.restored"]


def test_new_sections_and_lessons_go_to_the_end_under_addresses_of_their_own(course: Course) -> None:
    section = add_section(course_public_id=course.public_id, title="More", summary="Later.")
    for _ in range(2):
        add_lesson(course_public_id=course.public_id, section_public_id=section, title="One")

    assert read_order(course) == [("Start", ["one", "two"]), ("End", ["three"]), ("More", ["one-2", "one-3"])]
    assert list_actions() == ["section.added", "lesson.added", "lesson.added"]


def test_a_saved_lesson_keeps_its_row_and_address_and_is_rendered(course: Course) -> None:
    lesson = get_edited_lesson(course_public_id=course.public_id, public_id=lesson_id("two"))
    row = db.session.scalars(select(Lesson.id).where(Lesson.slug == "two")).one()
    edit = LessonEdit(title="Renamed", section=section_id("End"), body="*New*", minutes=9, is_preview=True, drip_days=3)

    changed = save_lesson(
        course_public_id=course.public_id, public_id=lesson.public_id, version=lesson.version, edit=edit
    )

    assert changed == ["title", "section", "body", "minutes", "is_preview", "drip_days"]
    assert read_order(course) == [("Start", ["one"]), ("End", ["three", "two"])]
    saved = db.session.get_one(Lesson, row)
    assert (saved.slug, saved.title, saved.body_html, saved.version) == (
        "two",
        "Renamed",
        "<p><em>New</em></p>\n",
        lesson.version + 1,
    )


def test_of_two_who_save_a_lesson_at_once_one_is_told(app: Flask, course: Course) -> None:
    lesson = get_edited_lesson(course_public_id=course.public_id, public_id=lesson_id("two"))
    edits = [replace(lesson.edit, title=title) for title in ("A", "B")]
    db.session.remove()

    outcomes = run_at_once(
        app,
        *(
            partial(
                save_lesson,
                course_public_id=course.public_id,
                public_id=lesson.public_id,
                version=lesson.version,
                edit=edit,
            )
            for edit in edits
        ),
    )

    assert kinds(outcomes) == {"list": 1, "LessonChanged": 1}
    winner = edits[[type(outcome) for outcome in outcomes].index(list)]
    saved = get_edited_lesson(course_public_id=course.public_id, public_id=lesson.public_id)
    assert (saved.edit, saved.version) == (winner, lesson.version + 1)


def test_a_move_and_a_deletion_at_once_leave_a_gapless_order(app: Flask, course: Course) -> None:
    one, three = lesson_id("one"), lesson_id("three")
    db.session.remove()

    outcomes = run_at_once(
        app,
        partial(move_lesson, course_public_id=course.public_id, public_id=three, step="up"),
        partial(delete_lesson, course_public_id=course.public_id, public_id=one),
    )

    assert kinds(outcomes) == {"NoneType": 1, "str": 1}
    assert read_order(course) == [("Start", ["two", "three"]), ("End", [])]
    live = select(Lesson.position).where(Lesson.deleted_at.is_(None)).order_by(Lesson.position)
    assert db.session.scalars(live).all() == [1, 2]


def test_headings_that_would_begin_a_lesson_in_a_file_are_refused(course: Course) -> None:
    lesson = get_edited_lesson(course_public_id=course.public_id, public_id=lesson_id("two"))
    edit = LessonEdit(title="T", section=lesson.edit.section, body="## No", minutes=1, is_preview=False, drip_days=None)

    with pytest.raises(InvalidInput, match="###"):
        save_lesson(course_public_id=course.public_id, public_id=lesson.public_id, version=lesson.version, edit=edit)
    with pytest.raises(InvalidInput, match="###"):
        save_section(course_public_id=course.public_id, public_id=section_id("End"), title="End", summary="# No")

    assert list_actions() == []


def test_an_edited_course_is_exported_as_it_stands_and_read_back_unchanged(course: Course) -> None:
    delete_section(course_public_id=course.public_id, public_id=section_id("Start"))
    add_section(course_public_id=course.public_id, title="More")
    db.session.remove()

    text = format_course_file(get_course_file(course.slug))

    assert "# Start" not in text
    before = read_order(course)
    load_course(text)
    assert read_order(course) == before == [("End", ["three"]), ("More", [])]


@pytest.mark.parametrize("call", [
    lambda other, part: move_lesson(course_public_id=other, public_id=part, step="up"),
    lambda other, part: delete_lesson(course_public_id=other, public_id=part),
    lambda other, part: restore_lesson(course_public_id=other, public_id=part),
    lambda other, part: get_edited_lesson(course_public_id=other, public_id=part),
])  # fmt: skip
def test_a_lesson_of_another_course_is_not_found(course: Course, call: Callable[[str, str], object]) -> None:
    other_id = db.session.get_one(Course, load_course(course_text(slug="other"))).public_id
    one = db.session.scalars(select(Lesson.public_id).where(Lesson.course_id == course.id, Lesson.slug == "one")).one()

    with pytest.raises(NotFound):
        call(other_id, one)

    assert read_order(course) == [("Start", ["one", "two"]), ("End", ["three"])]
