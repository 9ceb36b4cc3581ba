"""Whole courses: versions, copies, deletion with a way back, and who may not lose one."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import select

from app import clock
from app.audit import AuditEntry
from app.catalog.course_edits import CourseChanged, get_edited_course, save_course_edit, set_cover
from app.catalog.course_rows import SlugTaken
from app.catalog.course_states import (
    delete_course,
    duplicate_course,
    publish_due_course,
    restore_course,
    set_status,
    set_topic,
)
from app.catalog.holders import CourseInUse
from app.catalog.models import Course, Lesson, Price
from app.catalog.services import create_course, get_course_file, get_course_page, list_course_slugs
from app.db import db, transaction
from app.enrollment.models import Grant
from app.errors import InvalidInput, NotFound
from tests.factories import make_course, make_user
from tests.races import kinds, run_at_once
from tests.shop import course_text, load_course


def _load(**head: str) -> Course:
    course = db.session.get_one(Course, load_course(course_text(**head)))
    db.session.expunge(course)
    return course


def _read(course: Course) -> Course:
    db.session.remove()
    return db.session.get_one(Course, course.id)


def test_of_two_who_save_a_course_at_once_one_is_told(app: Flask) -> None:
    course = _load()
    opened = get_edited_course(public_id=course.public_id)
    edits = [replace(opened.edit, title=title) for title in ("A", "B")]
    db.session.remove()

    outcomes = run_at_once(
        app,
        *(partial(save_course_edit, public_id=course.public_id, version=opened.version, edit=edit) for edit in edits),
    )

    assert kinds(outcomes) == {"list": 1, "CourseChanged": 1}
    assert _read(course).version == opened.version + 1
    assert _read(course).title == edits[[type(outcome) for outcome in outcomes].index(list)].title


def test_an_import_between_is_a_conflict_too(app: Flask) -> None:
    course = _load()
    opened = get_edited_course(public_id=course.public_id)
    _load(promise="From the file")

    with pytest.raises(CourseChanged):
        save_course_edit(public_id=course.public_id, version=opened.version, edit=replace(opened.edit, title="Mine"))

    assert (_read(course).title, _read(course).promise) == ("Small course", "From the file")


def test_of_two_drafts_with_one_address_one_is_made(app: Flask) -> None:
    category_id = _load().category_id
    db.session.remove()

    outcomes = run_at_once(app, *[partial(create_course, title="New one", category_id=category_id)] * 2)

    assert kinds(outcomes) == {"Course": 1, "SlugTaken": 1}


def test_the_editor_keeps_lessons_prices_and_the_file_of_a_course(app: Flask) -> None:
    course = _load(faq="[{question: Why, answer: So}]")
    before = get_course_file("small-course")
    opened = get_edited_course(public_id=course.public_id)

    changed = save_course_edit(
        public_id=course.public_id, version=opened.version, edit=replace(opened.edit, title="Renamed")
    )

    db.session.remove()
    assert changed == ["title"]
    assert get_course_file("small-course") == replace(before, title="Renamed")


def test_fewer_seats_than_are_taken_are_refused_and_nothing_changes(app: Flask) -> None:
    course = make_course(capacity=3)
    with transaction() as session:
        session.execute(Course.__table__.metadata.tables["products"].update().values(taken_seats=2))
    opened = get_edited_course(public_id=course.public_id)

    with pytest.raises(InvalidInput, match="2 seats are taken"):
        save_course_edit(
            public_id=course.public_id, version=opened.version, edit=replace(opened.edit, capacity=1, title="X")
        )

    assert _read(course).title == course.title


def test_a_copy_is_a_draft_without_price_and_leaves_the_original_alone(app: Flask) -> None:
    original = _load()
    before = get_course_file("small-course")
    set_cover(public_id=original.public_id, cover_path="a" * 64 + "/480.jpg")

    copies = [duplicate_course(public_id=original.public_id) for _ in range(2)]

    db.session.remove()
    assert [copy.slug for copy in copies] == ["small-course-copy", "small-course-copy-2"]
    file = get_course_file("small-course-copy")
    assert file == replace(before, title="Copy of Small course", slug="small-course-copy", status="draft", prices=())
    assert _read(copies[0]).cover_path == "a" * 64 + "/480.jpg"
    assert get_course_file("small-course") == before
    assert db.session.scalars(select(Price.unit_amount)).all() == [2000]
    assert len(set(db.session.scalars(select(Lesson.public_id)))) == 9


def test_a_deleted_draft_is_nowhere_and_comes_back_as_it_was(app: Flask) -> None:
    course = _load(status="draft")
    before = get_course_file("small-course")

    assert delete_course(public_id=course.public_id) == "Small course"

    db.session.remove()
    assert list_course_slugs() == []
    for call in (partial(get_edited_course, public_id=course.public_id), partial(get_course_file, "small-course"),
                 partial(get_course_page, slug="small-course", statuses=("draft", "published")),
                 partial(delete_course, public_id=course.public_id)):  # fmt: skip
        with pytest.raises(NotFound):
            call()
    assert restore_course(public_id=course.public_id) == "Small course"
    db.session.remove()
    assert get_course_file("small-course") == before


def test_a_deleted_draft_leaves_its_address_to_the_next_course(app: Flask) -> None:
    old = _load(status="draft")
    delete_course(public_id=old.public_id)

    new = create_course(title="Small course", category_id=old.category_id)
    restore_course(public_id=old.public_id)

    assert new.slug == "small-course"
    assert _read(old).slug == f"small-course-deleted-{old.id}"
    with pytest.raises(SlugTaken):
        create_course(title="Small course", category_id=old.category_id)


def test_what_somebody_has_or_had_is_never_deleted(app: Flask) -> None:
    course, user = _load(status="draft"), make_user()
    with transaction() as session:
        session.add(Grant(user_id=user.id, course_id=course.id, granted_at=clock.now(), revoked_at=clock.now()))

    with pytest.raises(CourseInUse, match="1 person has or had this course"):
        delete_course(public_id=course.public_id)

    assert _read(course).deleted_at is None


def test_a_published_course_is_not_deleted(app: Flask) -> None:
    course = _load()

    with pytest.raises(CourseInUse, match="Only drafts can be deleted"):
        delete_course(public_id=course.public_id)

    assert _read(course).deleted_at is None


@pytest.mark.parametrize(
    ("change", "undo"),
    [
        (lambda ids: set_status(public_ids=ids, status="archived"),
         lambda former, ids: set_status(public_ids=ids, status=former, only_from="archived")),
        (lambda ids: set_topic(public_ids=ids, category_slug="data"),
         lambda former, ids: set_topic(public_ids=ids, category_slug=former, only_from="data")),
    ],
)  # fmt: skip
def test_several_courses_change_together_and_back(app: Flask, change: Callable, undo: Callable) -> None:  # type: ignore[type-arg]
    first, second = _load(), _load(slug="second", status="draft")
    _load(slug="third", category="Data", status="archived")
    ids = [first.public_id, second.public_id, "crs_unknown"]
    before = [(row.status, row.category_id) for row in map(_read, (first, second))]

    changed = change(ids)

    assert changed.count == 2
    assert change(ids).count == 0
    for former, former_ids in changed.before.items():
        undo(former, former_ids)
    assert [(row.status, row.category_id) for row in map(_read, (first, second))] == before
    entries = db.session.scalars(select(AuditEntry.action).where(AuditEntry.subject_id == first.public_id)).all()
    assert len(entries) == 3


def test_an_undo_leaves_a_later_change_alone(app: Flask) -> None:
    course = _load(status="draft")
    set_status(public_ids=[course.public_id], status="published")
    set_status(public_ids=[course.public_id], status="archived")

    assert set_status(public_ids=[course.public_id], status="draft", only_from="published").count == 0

    assert _read(course).status == "archived"


def test_a_course_that_is_not_due_is_not_published(app: Flask) -> None:
    course = _load(status="draft")

    publish_due_course(course_id=course.id)

    assert _read(course).status == "draft"
