"""Revisions: every save keeps one, differences are told line by line, and old words come back as new ones."""

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.blog import revisions
from app.blog.differences import compare_texts
from app.blog.models import PostRevision
from app.blog.revisions import get_revision, list_revisions
from app.blog.services import get_post, list_course_ids_for_post
from app.db import db
from tests.admin.courses import list_said
from tests.admin.posts import make_post, read_post, save, send
from tests.admin.staff import Staff
from tests.factories import make_course
from tests.shop import load_post, post_text


@pytest.fixture
def editor(app: Flask) -> Staff:
    return Staff(app, "editor")


def test_every_save_keeps_who_when_and_what(editor: Staff) -> None:
    public_id = make_post("One.")
    save(editor, public_id, body="Two.")
    save(editor, public_id, then="draft")

    found = list_revisions(read_post(public_id).id)

    assert [(each.number, each.who, each.note) for each in found] == [
        (3, "Editor Person", "Made a draft"), (2, "Editor Person", ""), (1, "", "Imported from a file"),
    ]  # fmt: skip
    assert get_revision(read_post(public_id).id, 2).content["body"] == "Two."


def test_an_import_that_changes_nothing_keeps_no_revision_and_one_that_does_keeps_one(app: Flask) -> None:
    post_id = load_post(post_text("One."))

    load_post(post_text("One."))
    load_post(post_text("Two."))

    assert [each.number for each in list_revisions(post_id)] == [2, 1]


def test_a_post_from_before_there_were_revisions_begins_with_what_it_was(editor: Staff) -> None:
    public_id = make_post("One.")
    db.session.execute(PostRevision.__table__.delete())
    db.session.commit()

    save(editor, public_id, body="Two.")

    post_id = read_post(public_id).id
    assert [(each.number, each.note) for each in list_revisions(post_id)] == [(2, ""), (1, "As it was before")]
    assert get_revision(post_id, 1).content["body"] == "One."


def test_old_revisions_make_room(editor: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "MOST_REVISIONS", 3)
    public_id = make_post("0")

    for number in range(1, 6):
        save(editor, public_id, body=str(number))

    assert [each.number for each in list_revisions(read_post(public_id).id)] == [6, 5, 4]


def test_typing_alone_makes_no_revision(editor: Staff) -> None:
    public_id = make_post()
    for number in range(5):
        send(editor, f"/admin/posts/{public_id}/working-copy", {"body": str(number), "version": "1"})

    assert db.session.scalar(select(func.count(PostRevision.id))) == 1


def test_restoring_brings_the_words_back_and_leaves_address_and_state(editor: Staff) -> None:
    first, second = make_course(slug="first"), make_course(slug="second")
    public_id = make_post("One.", courses="[first]", excerpt="Old")
    save(editor, public_id, title="Other", body="Two.", excerpt="New", slug="moved", courses=["second"])

    answer = send(editor, f"/admin/posts/{public_id}/revisions/1/restore")

    post = get_post("moved")
    assert (post.card.title, post.card.excerpt, post.body_html) == ("Small post", "Old", "<p>One.</p>\n")
    assert [course_id for course_id, _ in list_course_ids_for_post(post.card.post_id)] == [first.id]
    page = editor.get(answer.headers["Location"]).text
    assert list_said(page) == ["The words of revision 1 are back. Address and dates stayed as they were. Undo"]
    assert next(each.note for each in list_revisions(post.card.post_id)) == "Restored from revision 1"
    # Undo is the same, the other way round.
    send(editor, f"/admin/posts/{public_id}/revisions/2/restore")
    assert get_post("moved").body_html == "<p>Two.</p>\n"
    assert [course_id for course_id, _ in list_course_ids_for_post(post.card.post_id)] == [second.id]


def test_the_page_of_a_revision_tells_what_changed_in_words(editor: Staff) -> None:
    public_id = make_post("Same line.\n\nAn old word here.\n\nGone.", author="Ana")
    save(editor, public_id, body="Same line.\n\nA new word here.", author="Ben")
    save(editor, public_id, body="Same line.\n\nA newer word here.")

    page = editor.get(f"/admin/posts/{public_id}/revisions/2").text
    since = editor.get(f"/admin/posts/{public_id}/revisions/1?against=now").text
    first = editor.get(f"/admin/posts/{public_id}/revisions/1").text

    for text in (">Removed<", "<del>old</del>", ">Added<", "<ins>new</ins>", "Was: </span>Ana", "Now: </span>Ben"):
        assert text in page
    assert "<ins>newer</ins>" in since
    assert "<ins>Same line.</ins>" in first
    assert editor.get(f"/admin/posts/{public_id}/revisions/9").status_code == 404
    assert "Revision 3" in editor.get(f"/admin/posts/{public_id}/revisions").text


def test_equal_texts_differ_in_nothing_and_far_lines_are_left_out() -> None:
    lines = [f"Line {number}" for number in range(20)]

    found = compare_texts("\n".join(lines), "\n".join([*lines[:10], "Put in", *lines[10:]]))

    assert compare_texts("a\nb", "a\nb") == []
    assert [(line.kind, line.number) for line in found] == [
        ("gap", 9), ("same", 9), ("same", 10), ("added", 11), ("same", 12), ("same", 13),
    ]  # fmt: skip
