"""/admin/posts/<id>: saving, states, working copies, pictures, two people at once, and what the audit log says."""

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.audit import AuditEntry
from app.blog.models import Post, PostSlug, PostWorkingCopy
from app.blog.services import get_post, list_course_ids_for_post
from app.db import db
from tests.accounts.people import SAME_ORIGIN
from tests.admin.courses import list_said, read_form
from tests.admin.posts import make_post, open_form, read_post, save, send
from tests.admin.staff import Staff
from tests.conftest import MovableClock
from tests.factories import make_course
from tests.media.images import make_image


@pytest.fixture
def editor(app: Flask) -> Staff:
    return Staff(app, "editor")


def list_entries(public_id: str) -> list[tuple[str, Any, Any]]:
    db.session.remove()
    rows = db.session.scalars(select(AuditEntry).where(AuditEntry.subject_id == public_id).order_by(AuditEntry.id))
    return [(row.action, row.before, row.after) for row in rows if row.actor_kind == "user"]


def test_a_new_post_is_a_draft_of_whoever_makes_it(editor: Staff) -> None:
    answer = send(editor, "/admin/posts/new", {"title": " Why  now? ", "topic": "+", "new_topic": "Cloud"})

    public_id = answer.headers["Location"].rpartition("/")[2]
    post = read_post(public_id)
    assert (post.title, post.slug, post.status, post.author_name) == ("Why now?", "why-now", "draft", "Editor Person")
    assert editor.get("/blog/why-now").status_code == 404
    assert [action for action, _, _ in list_entries(public_id)] == ["post.created"]


def test_every_field_is_saved_and_shown_on_the_site(editor: Staff) -> None:
    first, second = make_course(slug="first"), make_course(slug="second")
    public_id = make_post()

    answer = save(
        editor, public_id, title="Larger post", excerpt="In short.", body="## Begin\r\n\r\n*Text*\r\n", author="Ana",
        topic="+", new_topic="Data & Code", published_at="2026-01-01T10:30", courses=["second", "first"],
    )  # fmt: skip

    assert (answer.status_code, answer.headers["Location"]) == (303, f"/admin/posts/{public_id}")
    post = get_post("small-post")
    assert post.body_html == '<h2 id="begin">Begin</h2>\n<p><em>Text</em></p>\n'
    assert (post.card.title, post.card.excerpt, post.card.author_name) == ("Larger post", "In short.", "Ana")
    assert post.card.published_at == datetime(2026, 1, 1, 10, 30, tzinfo=UTC)
    assert list_course_ids_for_post(post.card.post_id) == ((second.id, 0), (first.id, 1))
    assert "Data &amp; Code" in editor.get("/blog/small-post").text
    action, before, after = list_entries(public_id)[0]
    assert (action, before["topic"], after["topic"]) == ("post.changed", "Cloud", "Data & Code")
    assert (before["courses"], after["courses"]) == ([], ["second", "first"])
    assert (before["body"], after["body"]) == ("revision 1", "revision 2")


def test_saving_without_a_change_changes_no_row(editor: Staff, moving_clock: MovableClock) -> None:
    make_course(slug="first")
    public_id = make_post("## Text\n\nWith `code`.", courses="[first]", excerpt="Short", revised="2026-01-03T09:30:17Z")
    version = read_post(public_id).version
    moving_clock.advance(days=1)

    answer = save(editor, public_id)

    assert list_said(editor.get(answer.headers["Location"]).text) == ["Nothing had changed."]
    assert (read_post(public_id).version, list_entries(public_id)) == (version, [])


def test_a_public_post_whose_words_change_says_when(editor: Staff, moving_clock: MovableClock) -> None:
    public_id = make_post()
    moment = moving_clock()

    save(editor, public_id, author="Somebody else")
    assert read_post(public_id).revised_at is None
    save(editor, public_id, body="Other words.")

    assert (read_post(public_id).revised_at or moment) >= moment
    assert list_entries(public_id)[0] == ("post.changed", {"author": ""}, {"author": "Somebody else"})
    assert list_entries(public_id)[1][1]["body"] == "revision 2"


def test_a_new_address_leaves_a_redirect_behind(editor: Staff) -> None:
    public_id = make_post()

    answer = save(editor, public_id, slug="new-home")

    said = list_said(editor.get(answer.headers["Location"]).text)
    assert said == ["“Small post” is saved.", "The old address /blog/small-post leads to the new one."]
    assert db.session.scalars(select(PostSlug.slug)).all() == ["small-post"]
    assert editor.get("/blog/small-post").headers["Location"] == "/blog/new-home"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": " "}, "Enter a title."),
        ({"title": "x" * 201}, "Use at most 200 characters."),
        ({"slug": "Not A Slug"}, "Use lower-case letters, digits and single hyphens."),
        ({"slug": "other"}, "Another post lives at “other”. Choose another address."),
        ({"topic": "Nowhere"}, "Choose one of the list."),
        ({"topic": "+", "new_topic": " "}, "Enter the new topic’s name."),
        ({"status": "gone"}, "Choose one of the list."),
        ({"author": "x" * 121}, "Use at most 120 characters."),
        ({"courses": ["nope"]}, "There is no course “nope”."),
        ({"then": "schedule", "published_at": ""}, "Choose when to publish it."),
        ({"then": "schedule", "published_at": "2020-01-01T10:00"}, "Choose a day and time to come."),
        ({"then": "schedule", "published_at": "soon"}, "Enter a day and time such as 2026-11-27 18:00."),
        ({"status": "published", "published_at": "2099-01-01T10:00"}, "This day is still to come."),
    ],
)  # fmt: skip
def test_what_cannot_be_saved_is_named_kept_on_the_page_and_changes_nothing(
    editor: Staff, changes: dict[str, Any], sentence: str
) -> None:
    make_post(slug="other", title="Other")
    public_id = make_post(status="draft", published="null")
    version = read_post(public_id).version

    answer = save(editor, public_id, **{"excerpt": "Typed before", **changes})

    assert answer.status_code == 422
    assert sentence in answer.text
    assert "Fix 1 thing to save this post" in answer.text
    assert read_form(answer.text, "post-form")["excerpt"] == ["Typed before"]
    assert (read_post(public_id).version, list_entries(public_id)) == (version, [])


def test_publish_undo_schedule_and_unpublish_are_one_button_each(editor: Staff, moving_clock: MovableClock) -> None:
    moving_clock.freeze(datetime(2026, 5, 1, 12, tzinfo=UTC))
    public_id = make_post(status="draft", published="null")

    page = editor.get(save(editor, public_id, then="publish").headers["Location"]).text
    assert read_post(public_id).published_at == datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert editor.get("/blog/small-post").status_code == 200
    assert list_said(page) == ["“Small post” is published. Undo"]
    undo = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("step", "back")}
    answer = send(editor, "/admin/posts/undo", undo)
    assert answer.headers["Location"] == f"/admin/posts/{public_id}"
    assert (read_post(public_id).status, read_post(public_id).published_at) == ("draft", None)

    save(editor, public_id, then="schedule", published_at="2026-05-02T09:30")
    assert editor.get("/blog/small-post").status_code == 404
    moving_clock.freeze(datetime(2026, 5, 2, 9, 30, tzinfo=UTC))
    assert editor.get("/blog/small-post").status_code == 200
    assert "small-post" in editor.get("/blog/feed.xml").text

    save(editor, public_id, then="draft")
    assert editor.get("/blog/small-post").status_code == 404
    assert [action for action, _, _ in list_entries(public_id)] == [
        "post.published", "post.unpublished", "post.scheduled", "post.unpublished",
    ]  # fmt: skip


def test_a_planned_post_that_is_published_now_takes_this_moment(editor: Staff, moving_clock: MovableClock) -> None:
    moving_clock.freeze(datetime(2026, 5, 1, 12, tzinfo=UTC))
    public_id = make_post(status="scheduled", published="2026-06-01")

    save(editor, public_id, then="publish")

    assert read_post(public_id).published_at == datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_scheduled_post_whose_time_came_is_edited_as_a_published_one(
    editor: Staff, moving_clock: MovableClock
) -> None:
    moving_clock.freeze(datetime(2026, 5, 1, tzinfo=UTC))
    public_id = make_post(status="scheduled", published="2026-05-02")
    opened_before = open_form(editor, public_id)
    moving_clock.freeze(datetime(2026, 5, 3, tzinfo=UTC))

    answer = save(editor, public_id, form=opened_before, body="Saved after its time.")
    second = save(editor, public_id, author="Ana")

    assert (answer.status_code, second.status_code) == (303, 303)
    assert get_post("small-post").body_html == "<p>Saved after its time.</p>\n"


def test_the_preview_link_shows_a_draft_to_anybody_and_tells_no_search_engine(app: Flask, editor: Staff) -> None:
    public_id = make_post("Secret plans.", status="draft", published="null")
    page = editor.get(f"/admin/posts/{public_id}").text
    link = "/preview/post/" + page.partition('id="preview-link"')[2].partition("/preview/post/")[2].partition('"')[0]

    answer = app.test_client().get(link, headers={"Host": "localhost"})

    assert (answer.status_code, answer.headers["X-Robots-Tag"]) == (200, "noindex, nofollow")
    assert "Secret plans." in answer.text
    assert "private link" in answer.text
    assert app.test_client().get(link[:-9] + link[-8:]).status_code == 404
    save(editor, public_id, then="publish")
    assert app.test_client().get(link).headers["Location"] == "/blog/small-post"
    send(editor, f"/admin/posts/{public_id}/delete")
    assert app.test_client().get(link).status_code == 404


def test_the_preview_is_the_page(editor: Staff) -> None:
    body = "## First\n\nA [course](/blog/x) & <b>raw</b>.\n\n::: tip Try it\nNow.\n:::\n\n| A |\n| --- |\n| 1 |"
    make_post(body)

    preview = send(editor, "/admin/posts/preview", {"body": body}).text

    shown = get_post("small-post").body_html.replace('<h2 id="', '<h2 id="text-')
    assert shown in preview
    assert "1 min read, 11 words" in preview
    assert '<a href="#text-first">First</a>' in preview


def test_without_a_script_buttons_preview_add_pictures_and_arrange_courses(app: Flask, editor: Staff) -> None:
    make_course(slug="first", title="First course")
    make_course(slug="second", title="Second course")
    public_id = make_post(courses="[first]")

    preview = save(editor, public_id, body="Typed **now**", then="preview")
    assert (preview.status_code, "<strong>now</strong>" in preview.text) == (200, True)
    added = save(editor, public_id, courses_step="add", course="second COURSE", body="Typed")
    assert read_form(added.text, "post-form")["courses"] == ["first", "second"]
    moved = save(editor, public_id, form={**open_form(editor, public_id), "courses": ["first", "second"]},
                 courses_step="up:second")  # fmt: skip
    assert read_form(moved.text, "post-form")["courses"] == ["second", "first"]
    removed = save(editor, public_id, courses_step="remove:first")
    assert "courses" not in read_form(removed.text, "post-form")
    assert "No course is called that." in save(editor, public_id, courses_step="add", course="zzz").text
    picture = {"picture": (BytesIO(make_image(size=(640, 360))), "a.png"), "alt_text": "A [blue] field"}
    with_picture = save(editor, public_id, body="Typed", then="picture", **picture)
    assert "![A \\[blue\\] field](/media/" in read_form(with_picture.text, "post-form")["body"][0]
    refused = save(editor, public_id, body="Typed", then="picture", picture=(BytesIO(b"GIF89a"), "a.gif"))
    assert (refused.status_code, "Choose a picture in JPEG, PNG or WebP format." in refused.text) == (422, True)

    assert get_post("small-post").body_html == "<p>Some words.</p>\n"


def test_a_pasted_picture_becomes_markdown_and_one_that_is_none_a_sentence(editor: Staff) -> None:
    sent = {"picture": (BytesIO(make_image(size=(640, 360))), "x.png"), "alt_text": "A chart"}

    answer = send(editor, "/admin/posts/pictures", sent)
    nothing = send(editor, "/admin/posts/pictures", {"alt_text": "A chart"})

    markdown = answer.get_json()["markdown"]
    assert markdown.startswith("![A chart](/media/")
    assert editor.get(markdown.partition("(")[2].rstrip(")")).status_code == 200
    assert (nothing.status_code, nothing.get_json()) == (422, {"error": "Choose a picture first."})


def test_a_working_copy_changes_nothing_that_others_see_and_waits_in_the_editor(app: Flask, editor: Staff) -> None:
    public_id = make_post()
    before = read_post(public_id).version
    typed = {**open_form(editor, public_id), "body": "Half a thou", "title": "", "alt_text": "x"}

    answer = editor.post(f"/admin/posts/{public_id}/working-copy", typed, headers=SAME_ORIGIN)

    assert answer.get_json()["kept"]
    assert (read_post(public_id).version, get_post("small-post").body_html) == (before, "<p>Some words.</p>\n")
    assert "Half a thou" not in editor.get("/blog/small-post").text
    again = editor.get(f"/admin/posts/{public_id}").text
    assert read_form(again, "post-form")["body"] == ["Half a thou"]
    assert "These are your unsaved changes from" in again
    own_link = "/preview/post/" + again.partition("/preview/post/")[2].partition('"')[0]
    preview = app.test_client().get(own_link)
    assert (preview.status_code, "<p>Half a thou</p>" in preview.text) == (200, True)
    assert "These are your unsaved changes" in preview.text
    owners = Staff(app, "owner").get(f"/admin/posts/{public_id}").text
    assert read_form(owners, "post-form")["body"] == ["Some words."]
    assert "Editor Person has unsaved changes on this post" in owners

    save(editor, public_id, title="Whole again")
    assert db.session.scalars(select(PostWorkingCopy)).all() == []
    assert get_post("small-post").card.title == "Whole again"
    assert app.test_client().get(own_link).headers["Location"] == "/blog/small-post"


def test_a_copy_that_arrives_after_the_save_is_not_kept(editor: Staff) -> None:
    public_id = make_post()
    typed = {**open_form(editor, public_id), "body": "Typed"}
    save(editor, public_id, form=typed)

    answer = editor.post(f"/admin/posts/{public_id}/working-copy", typed, headers=SAME_ORIGIN)

    assert answer.get_json() == {"kept": None}
    assert db.session.scalars(select(PostWorkingCopy)).all() == []


def test_a_working_copy_can_be_discarded(editor: Staff) -> None:
    public_id = make_post()
    typed = {**open_form(editor, public_id), "body": "Typed"}
    editor.post(f"/admin/posts/{public_id}/working-copy", typed, headers=SAME_ORIGIN)

    send(editor, f"/admin/posts/{public_id}/working-copy/discard")

    assert open_form(editor, public_id)["body"] == ["Some words."]


def test_two_people_who_save_the_same_post_see_both_sides_and_choose(app: Flask, editor: Staff) -> None:
    make_course(slug="first")
    public_id = make_post()
    mine = open_form(editor, public_id)
    save(Staff(app, "owner"), public_id, title="Title of the owner", courses=["first"])

    conflict = save(editor, public_id, form=mine, title="Title of the editor", excerpt="Mine")

    assert conflict.status_code == 409
    assert list_said(conflict.text)[0].startswith("Owner Person, ")
    assert "Related courses" in conflict.text
    assert read_post(public_id).title == "Title of the owner"
    choice = {"keep-title": "mine", "asked-title": "1", "keep-courses": "theirs", "asked-courses": "1"}
    version = str(read_post(public_id).version)
    sent = {**mine, "title": "Title of the editor", "excerpt": "Mine", "version": version, **choice}
    assert save(editor, public_id, form=sent).status_code == 303
    post = read_post(public_id)
    assert (post.title, post.excerpt) == ("Title of the editor", "Mine")
    assert len(list_course_ids_for_post(post.id)) == 1


def test_a_form_without_a_version_is_a_conflict_not_a_save(editor: Staff) -> None:
    public_id = make_post()

    for version in ("", "x", "0", "99"):
        assert save(editor, public_id, title="Blind", version=version).status_code == 409

    assert read_post(public_id).title == "Small post"


def test_a_reader_sees_the_post_and_cannot_save_it(app: Flask) -> None:
    public_id = make_post()

    page = Staff(app, "reader").get(f"/admin/posts/{public_id}")

    assert page.status_code == 200
    assert '<fieldset class="bare" disabled>' in page.text


def test_the_trash_hides_a_post_and_gives_it_back_as_it_was(editor: Staff) -> None:
    public_id = make_post()

    answer = send(editor, f"/admin/posts/{public_id}/delete")

    assert list_said(editor.get(answer.headers["Location"]).text) == ["“Small post” is in the trash. Undo"]
    for path in ("/blog/small-post", f"/admin/posts/{public_id}"):
        assert editor.get(path).status_code == 404
    for path in ("/blog", "/blog/feed.xml", "/sitemap.xml", "/api/v1/posts"):
        assert "small-post" not in editor.get(path).text
    send(editor, f"/admin/posts/{public_id}/restore")
    assert editor.get("/blog/small-post").status_code == 200
    assert [action for action, _, _ in list_entries(public_id)] == ["post.deleted", "post.restored"]


def test_what_lies_in_the_trash_makes_room_for_a_new_post(editor: Staff) -> None:
    public_id = make_post()
    send(editor, f"/admin/posts/{public_id}/delete")

    make_post("The second one.")

    assert get_post("small-post").body_html == "<p>The second one.</p>\n"
    send(editor, f"/admin/posts/{public_id}/restore")
    assert read_post(public_id).slug == f"small-post-deleted-{read_post(public_id).id}"


def test_a_cover_is_uploaded_and_taken_off(editor: Staff) -> None:
    public_id = make_post()
    version = read_post(public_id).version

    send(editor, f"/admin/posts/{public_id}/cover", {"picture": (BytesIO(make_image(size=(640, 360))), "x.png")})
    path = read_post(public_id).cover_path
    send(editor, f"/admin/posts/{public_id}/cover", {"picture": (BytesIO(b"no"), "x.png")})

    assert path is not None
    assert (read_post(public_id).cover_path, read_post(public_id).version) == (path, version)
    send(editor, f"/admin/posts/{public_id}/cover/remove")
    assert db.session.scalars(select(Post.cover_path)).all() == [None]
