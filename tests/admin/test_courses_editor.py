"""/admin/courses/<id>: saving, refusing, two people at once, and what the audit log says of it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.audit import AuditEntry
from app.catalog.models import Category, Course, CourseSlug, Product
from app.catalog.services import get_course_page
from app.db import db
from app.queue import run_sweeps
from tests.admin.courses import list_said, make_small_course, read_course, read_form, save
from tests.admin.staff import Staff
from tests.conftest import MovableClock


@pytest.fixture
def editor(app: Flask) -> Staff:
    return Staff(app, "editor")


def list_entries(public_id: str) -> list[tuple[str, Any, Any]]:
    db.session.remove()
    rows = db.session.scalars(select(AuditEntry).where(AuditEntry.subject_id == public_id).order_by(AuditEntry.id))
    return [(row.action, row.before, row.after) for row in rows if row.actor_kind == "user"]


def test_every_field_is_saved_and_shown_on_the_site(editor: Staff) -> None:
    public_id = make_small_course()

    answer = save(
        editor, public_id, title="Larger course", promise="More in less time", summary="In short.", topic="+",
        new_topic="Data & Code", level="advanced", description="### About\n\n*Text*", author="Ana", author_bio="Bio.",
        outcomes="Build it\n\n  Run   it \n", good_fit="Know a bit", not_fit="Know it all", includes="3 lessons",
        access_days="90", capacity="25", is_featured="y",
        **{"faq-0-question": "Why?", "faq-0-answer": "*So*.", "faq-1-question": "", "faq-1-answer": ""},
    )  # fmt: skip

    assert (answer.status_code, answer.headers["Location"]) == (303, f"/admin/courses/{public_id}")
    page = get_course_page(slug="small-course")
    assert (page.card.title, page.card.promise, page.card.summary) == (
        "Larger course",
        "More in less time",
        "In short.",
    )
    assert (page.card.category_name, page.card.level, page.access_days) == ("Data & Code", "advanced", 90)
    assert page.description_html == '<h3 id="about">About</h3>\n<p><em>Text</em></p>\n'
    assert (page.outcomes, page.good_fit, page.not_fit) == (("Build it", "Run it"), ("Know a bit",), ("Know it all",))
    assert (page.includes, page.faq) == (("3 lessons",), (("Why?", "<p><em>So</em>.</p>\n"),))
    assert (page.author_name, page.author_bio, page.card.lesson_count) == ("Ana", "Bio.", 3)
    assert db.session.execute(select(Product.title, Product.capacity)).one() == ("Larger course", 25)


def test_saving_without_a_change_changes_no_row(editor: Staff) -> None:
    public_id = make_small_course(faq="[{question: Why, answer: So}]", outcomes="[Do it]", access_days="30")
    version = read_course(public_id).version

    answer = save(editor, public_id)

    assert list_said(editor.get(answer.headers["Location"]).text) == ["Nothing had changed."]
    assert (read_course(public_id).version, list_entries(public_id)) == (version, [])


def test_the_log_says_what_differs_before_and_after(editor: Staff) -> None:
    public_id = make_small_course()

    save(editor, public_id, title="New title", capacity="5")

    assert list_entries(public_id) == [
        ("course.changed", {"title": "Small course", "capacity": None}, {"title": "New title", "capacity": 5})
    ]


def test_a_new_address_leaves_a_redirect_behind(editor: Staff) -> None:
    public_id = make_small_course()

    answer = save(editor, public_id, slug="new-home")

    said = list_said(editor.get(answer.headers["Location"]).text)
    assert said == ["“Small course” is saved.", "The old address /courses/small-course leads to the new one."]
    assert db.session.scalars(select(CourseSlug.slug)).all() == ["small-course"]
    assert editor.get("/courses/small-course").headers["Location"] == "/courses/new-home"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": " "}, "Enter a title."),
        ({"title": "x" * 161}, "Use at most 160 characters."),
        ({"slug": "Not A Slug"}, "Use lower-case letters, digits and single hyphens."),
        ({"slug": "other"}, "Another course lives at “other”. Choose another address."),
        ({"topic": "Nowhere"}, "Choose one of the list."),
        ({"topic": "+", "new_topic": " "}, "Enter the new topic’s name."),
        ({"level": "expert"}, "Choose one of the list."),
        ({"status": "gone"}, "Choose one of the list."),
        ({"description": "Text\n\n## Heading"}, "Begin headings with ### or more: # and ## begin sections"),
        ({"outcomes": "x" * 301}, "Use at most 300 characters in a line."),
        ({"access_days": "0"}, "Enter a number from 1 up, or nothing."),
        ({"access_days": "many"}, "Enter a whole number."),
        ({"capacity": "-1"}, "Enter a whole number."),
        ({"capacity": "9999999999"}, "Enter a whole number."),
        ({"status": "scheduled", "publish_at": ""}, "Choose when to publish it."),
        ({"status": "scheduled", "publish_at": "2020-01-01T10:00"}, "Choose a day and time to come."),
        ({"status": "scheduled", "publish_at": "soon"}, "Enter a day and time such as 2026-11-27 18:00."),
        ({"faq-0-question": "Why?", "faq-0-answer": ""}, "Enter the answer."),
    ],
)  # fmt: skip
def test_what_cannot_be_saved_is_named_kept_on_the_page_and_changes_nothing(
    editor: Staff, changes: dict[str, str], sentence: str
) -> None:
    make_small_course(slug="other", title="Other")
    public_id = make_small_course(status="draft")
    version = read_course(public_id).version

    answer = save(editor, public_id, **{"promise": "Typed before", **changes})

    assert answer.status_code == 422
    assert sentence in answer.text
    assert "Fix 1 thing to save this course" in answer.text
    assert "<title>Error: " in answer.text
    sent = read_form(answer.text)
    kept = {name: sent[name][0] for name in {"promise", *changes} - {"topic", "level", "status"}}
    assert kept == {"promise": "Typed before", **{name: value for name, value in changes.items() if name in kept}}
    assert (read_course(public_id).version, list_entries(public_id)) == (version, [])


def test_two_people_who_save_the_same_course_see_both_sides_and_choose(app: Flask, editor: Staff) -> None:
    public_id = make_small_course()
    mine = read_form(editor.get(f"/admin/courses/{public_id}").text)
    owner = Staff(app, "owner")
    save(owner, public_id, title="Title of the owner", summary="Summary of the owner")

    conflict = save(
        editor, public_id, form=mine, title="Title of the editor", promise="Promise of the editor",
    )  # fmt: skip

    assert conflict.status_code == 409
    assert list_said(conflict.text)[0].startswith("Owner Person, ")
    for text in ("Title of the owner", "Title of the editor", "Summary of the owner", "Promise of the editor"):
        assert text in conflict.text
    # Only what one of them changed is proposed: the title must be chosen.
    assert [
        name for name in ("title", "summary", "promise") if f'name="keep-{name}" value="mine" checked' in conflict.text
    ] == ["promise"]
    assert [
        name
        for name in ("title", "summary", "promise")
        if f'name="keep-{name}" value="theirs" checked' in conflict.text
    ] == ["summary"]
    assert read_course(public_id).title == "Title of the owner"

    choice = {"keep-title": "mine", "keep-summary": "theirs", "keep-promise": "mine"}
    form = {
        name: values
        for name, values in read_form(
            conflict.text.replace('<form method="post" action="/admin/courses/', '<form id="course-form" action="')
        ).items()
        if not name.startswith("keep-")
    }
    answer = save(editor, public_id, form={**form, **choice})

    assert answer.status_code == 303
    course = read_course(public_id)
    assert (course.title, course.summary, course.promise) == (
        "Title of the editor", "Summary of the owner", "Promise of the editor",
    )  # fmt: skip


def test_an_undecided_conflict_is_shown_again_and_saves_nothing(app: Flask, editor: Staff) -> None:
    public_id = make_small_course()
    mine = read_form(editor.get(f"/admin/courses/{public_id}").text)
    save(Staff(app, "owner"), public_id, title="Title of the owner")
    version = str(read_course(public_id).version)

    answer = save(editor, public_id, form={**mine, "title": "Mine", "version": version, "asked-title": "1"})

    assert (answer.status_code, read_course(public_id).title) == (409, "Title of the owner")
    assert "Choose a side for every field below." in answer.text


def test_a_form_without_a_version_is_a_conflict_not_a_save(editor: Staff) -> None:
    public_id = make_small_course()

    for version in ("", "x", "0", "99"):
        assert save(editor, public_id, title="Blind", version=version).status_code == 409

    assert read_course(public_id).title == "Small course"


def test_a_reader_sees_the_course_and_cannot_save_it(app: Flask) -> None:
    public_id = make_small_course()
    reader = Staff(app, "reader")

    page = reader.get(f"/admin/courses/{public_id}")

    assert page.status_code == 200
    assert '<fieldset class="bare" disabled>' in page.text
    assert "<span>Save</span>" not in page.text
    assert reader.send(f"/admin/courses/{public_id}", {"title": "Theirs"}).status_code == 403
    assert read_course(public_id).title == "Small course"


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        (["add"], ["A", "B", "C", ""]), (["up:1"], ["B", "A", "C"]), (["up:0"], ["A", "B", "C"]),
        (["down:2"], ["A", "B", "C"]), (["down:0"], ["B", "A", "C"]), (["remove:1"], ["A", "C"]),
        (["up:9", "down:x", "burn:1", "remove:-1"], ["A", "B", "C"]),
    ],
)  # fmt: skip
def test_questions_are_added_moved_and_removed_without_javascript(
    editor: Staff, steps: list[str], left: list[str]
) -> None:
    entries = ", ".join(f"{{question: {name}, answer: text}}" for name in "ABC")
    public_id = make_small_course(faq=f"[{entries}]")

    for step in steps:
        answer = save(editor, public_id, faq_step=step, title="Kept while moving")

    form = read_form(answer.text)
    assert answer.status_code == 200
    assert [form[f"faq-{place}-question"][0] for place in range(len(left))] == left
    assert f"faq-{len(left)}-question" not in form
    assert form["title"] == ["Kept while moving"]
    assert " data-dirty>" in answer.text
    assert read_course(public_id).title == "Small course"


def test_a_new_draft_begins_with_a_title_and_a_topic(editor: Staff) -> None:
    make_small_course()

    refused = editor.send("/admin/courses/new", {"title": "", "topic": "Cloud"})
    answer = editor.send("/admin/courses/new", {"title": "My new course", "topic": "+", "new_topic": "Sales"})

    assert (refused.status_code, "Fix 1 thing to make the course" in refused.text) == (422, True)
    made = read_course(answer.headers["Location"].rpartition("/")[2])
    assert (made.slug, made.status, db.session.get_one(Category, made.category_id).name) == (
        "my-new-course",
        "draft",
        "Sales",
    )
    assert list_entries(made.public_id) == [
        ("course.created", None, {"title": "My new course", "slug": "my-new-course"})
    ]


def test_a_draft_whose_address_is_taken_is_refused_with_the_reason(editor: Staff) -> None:
    make_small_course()

    answer = editor.send("/admin/courses/new", {"title": "Small course", "topic": "Cloud"})

    assert answer.status_code == 422
    assert "Another course lives at “small-course”." in answer.text
    assert db.session.query(Course).count() == 1


def test_publish_and_undo_take_one_click_each(editor: Staff) -> None:
    public_id = make_small_course(status="draft")

    answer = save(editor, public_id, then="publish", promise="Typed on the way")

    page = editor.get(answer.headers["Location"]).text
    assert list_said(page) == ["“Small course” is published. Undo"]
    assert (read_course(public_id).status, read_course(public_id).promise) == ("published", "Typed on the way")
    step = page.partition('name="step" value="')[2].partition('"')[0]

    undone = editor.send("/admin/courses/undo", {"step": step, "back": "editor"})

    assert undone.headers["Location"] == f"/admin/courses/{public_id}"
    assert (read_course(public_id).status, read_course(public_id).promise) == ("draft", "Typed on the way")
    again = editor.send("/admin/courses/undo", {"step": step})
    assert list_said(editor.get(again.headers["Location"]).text)[-1] == "Nothing to undo: somebody changed it since."


def test_a_step_nobody_signed_undoes_nothing(editor: Staff) -> None:
    assert editor.send("/admin/courses/undo", {"step": "forged"}).status_code == 404


def test_a_planned_course_is_published_by_the_worker_at_its_time_in_the_shops_zone(
    editor: Staff, app: Flask, moving_clock: MovableClock
) -> None:
    moving_clock.freeze(datetime(2026, 11, 20, 8, 0, tzinfo=UTC))
    public_id = make_small_course(status="draft")

    save(editor, public_id, status="scheduled", publish_at="2026-11-20T09:30")
    run_sweeps()
    before = read_course(public_id)
    moving_clock.advance(minutes=90)
    run_sweeps()

    assert (before.status, before.publish_at) == ("draft", datetime(2026, 11, 20, 9, 30, tzinfo=UTC))
    after = read_course(public_id)
    assert (after.status, after.publish_at, after.published_at) == (
        "published",
        None,
        datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
    )
    last = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert last is not None
    assert (last.action, last.actor_kind) == ("course.published", "system")


def test_closing_enrollment_keeps_the_page_and_takes_the_button_away(editor: Staff) -> None:
    public_id = make_small_course()
    form = read_form(editor.get(f"/admin/courses/{public_id}").text)
    del form["is_open"]

    save(editor, public_id, form=form)

    page = editor.get("/courses/small-course")
    assert (page.status_code, get_course_page(slug="small-course").card.offer.state) == (200, "not_on_sale")
