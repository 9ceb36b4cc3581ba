"""/admin/courses: views, search, bulk actions with Undo, and what is done to one course: cover, copy, deletion, preview."""

import re

import pytest
from flask import Flask
from sqlalchemy import select

from app.audit import AuditEntry
from app.catalog.models import Category, Course
from app.db import db
from app.media.models import MediaFile
from tests.accounts.people import SAME_ORIGIN, Browser
from tests.admin.courses import list_said, make_small_course, read_course
from tests.admin.staff import Staff
from tests.conftest import MovableClock
from tests.media.images import make_image
from tests.shop import course_text


@pytest.fixture
def editor(app: Flask) -> Staff:
    return Staff(app, "editor")


@pytest.fixture
def shop(app: Flask) -> dict[str, str]:
    """A published course, a draft without a price, an archived one and a deleted draft; their public ids."""
    return {
        "live": make_small_course(title="Live course", slug="live"),
        "draft": make_small_course(title="Draft course", slug="draft", status="draft", prices="[]", level="advanced"),
        "old": make_small_course(title="Old course", slug="old", status="archived", prices="[]", category="Data"),
    }


def list_titles(page: str) -> list[str]:
    return re.findall(r'<th scope="row" class="main-cell">(?:<a[^>]*>)?([^<]+)', page)


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", ["Old course", "Draft course", "Live course"]),
        ("view=published", ["Live course"]),
        ("view=draft", ["Draft course"]),
        ("view=archived", ["Old course"]),
        ("view=no-price", ["Draft course"]),
        ("q=old", ["Old course"]),
        ("q=course+live", ["Live course"]),
        ("q=%25", []),
        ("topic=data", ["Old course"]),
        ("level=advanced", ["Draft course"]),
        ("sort=title", ["Draft course", "Live course", "Old course"]),
        ("sort=-title", ["Old course", "Live course", "Draft course"]),
    ],
)
def test_the_list_shows_what_its_address_says(
    editor: Staff, shop: dict[str, str], query: str, titles: list[str]
) -> None:
    page = editor.get(f"/admin/courses?{query}").text

    assert list_titles(page) == titles
    counts = dict(re.findall(r'>(\w[\w ]*?)\s*<span class="num">(\d+)</span>', page))
    assert counts == {"All": "3", "Published": "1", "Drafts": "1", "Archived": "1", "Deleted": "0"}


@pytest.mark.parametrize(
    ("act", "said", "after"),
    [
        ("publish", "2 courses published. Undo", ["published", "published", "published"]),
        ("archive", "2 courses archived. Undo", ["archived", "archived", "archived"]),
    ],
)
def test_ticked_courses_change_together_say_what_changed_and_change_back(
    editor: Staff, shop: dict[str, str], act: str, said: str, after: list[str]
) -> None:
    answer = editor.send("/admin/courses/bulk?view=draft", {"ids": list(shop.values()), "act": act})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/courses?view=draft")
    page = editor.get(answer.headers["Location"]).text
    assert list_said(page) == [said]
    assert [read_course(each).status for each in shop.values()] == after
    step = page.partition('name="step" value="')[2].partition('"')[0]
    undone = editor.send("/admin/courses/undo", {"step": step})
    assert list_said(editor.get(undone.headers["Location"]).text) == ["Undone: 2 courses as before."]
    assert [read_course(each).status for each in shop.values()] == ["published", "draft", "archived"]


def test_ticked_courses_get_a_topic(editor: Staff, shop: dict[str, str]) -> None:
    answer = editor.send("/admin/courses/bulk", {"ids": list(shop.values()), "act": "topic", "topic": "data"})

    assert list_said(editor.get(answer.headers["Location"]).text) == ["2 courses put under Data. Undo"]
    data = db.session.scalars(select(Category.id).where(Category.slug == "data")).one()
    assert {read_course(each).category_id for each in shop.values()} == {data}


def test_nothing_ticked_or_an_unknown_act_changes_nothing(editor: Staff, shop: dict[str, str]) -> None:
    nothing = editor.send("/admin/courses/bulk", {"act": "archive"})
    said = list_said(editor.get(nothing.headers["Location"]).text)
    unknown = editor.send("/admin/courses/bulk", {"act": "burn", "ids": [shop["live"]]})

    assert (said, unknown.status_code) == (["Tick at least one course first."], 400)
    assert read_course(shop["live"]).status == "published"


def test_a_deleted_draft_is_undone_from_the_toast_or_its_view(editor: Staff, shop: dict[str, str]) -> None:
    answer = editor.send(f"/admin/courses/{shop['draft']}/delete")

    assert list_said(editor.get(answer.headers["Location"]).text) == ["“Draft course” is deleted. Undo"]
    assert list_titles(editor.get("/admin/courses?view=deleted").text) == ["Draft course"]
    assert editor.get(f"/admin/courses/{shop['draft']}").status_code == 404
    editor.send(f"/admin/courses/{shop['draft']}/restore")
    assert editor.get(f"/admin/courses/{shop['draft']}").status_code == 200


def test_a_course_that_is_sold_is_archived_not_deleted(editor: Staff, shop: dict[str, str]) -> None:
    answer = editor.send(f"/admin/courses/{shop['live']}/delete")

    said = list_said(editor.get(answer.headers["Location"]).text)
    assert said == ["Only drafts can be deleted. Make it a draft first, or archive it."]
    assert read_course(shop["live"]).deleted_at is None


def test_a_copy_opens_in_the_editor(editor: Staff, shop: dict[str, str]) -> None:
    answer = editor.send(f"/admin/courses/{shop['live']}/duplicate")

    page = editor.get(answer.headers["Location"])
    assert page.status_code == 200
    assert "Copy of Live course" in page.text


BOUNDARY = "a-form-of-ours"


def upload(editor: Staff, public_id: str, content: bytes, name: str = "cover.png") -> int:
    # Written out here: the test client keeps large forms in a temporary file that it never closes.
    data = b"".join([
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{editor.token}\r\n'.encode(),
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="picture"; filename="{name}"\r\n\r\n'.encode(),
        content,
        f"\r\n--{BOUNDARY}--\r\n".encode(),
    ])  # fmt: skip
    answer = editor.open(
        f"/admin/courses/{public_id}/cover",
        method="POST",
        data=data,
        headers=SAME_ORIGIN,
        content_type=f"multipart/form-data; boundary={BOUNDARY}",
    )
    db.session.remove()
    return answer.status_code


def test_an_uploaded_cover_is_the_pages_and_the_shared_links_picture(editor: Staff, shop: dict[str, str]) -> None:
    # More than an ordinary body may have.
    content = make_image("BMP", size=(16, 16)) and make_image() + b"\0" * 1_500_000

    assert upload(editor, shop["live"], content, "../../evil.html") == 303

    picture = db.session.scalars(select(MediaFile)).one()
    assert picture.uploaded_by_id == editor.user.id
    page = Browser(editor.app).get("/courses/live").text
    assert f'src="/media/{picture.sha256}/1600.jpg" srcset="/media/{picture.sha256}/480.webp 480w' in page
    assert f'content="http://localhost/media/{picture.sha256}/1600.jpg"' in page
    actions = db.session.scalars(select(AuditEntry.action).where(AuditEntry.subject_id == shop["live"]))
    assert list(actions)[-1] == "course.cover_changed"
    editor.send(f"/admin/courses/{shop['live']}/cover/remove")
    assert "/covers/live.svg" in Browser(editor.app).get("/courses/live").text


@pytest.mark.parametrize("content", [b"", b"<svg onload=alert(1)>", b"GIF89a" + b"\0" * 100])
def test_what_is_no_picture_becomes_no_cover(editor: Staff, shop: dict[str, str], content: bytes) -> None:
    assert upload(editor, shop["live"], content) == 303

    said = list_said(editor.get(f"/admin/courses/{shop['live']}").text)
    assert said == ["Choose a picture in JPEG, PNG or WebP format."]
    assert read_course(shop["live"]).cover_path is None


def test_a_body_beyond_the_limit_is_refused(editor: Staff, shop: dict[str, str]) -> None:
    assert upload(editor, shop["live"], b"\0" * 10_200_000) == 413


def test_a_large_body_is_not_read_for_who_may_not_send_it(app: Flask, shop: dict[str, str]) -> None:
    reader = Staff(app, "reader")

    assert upload(reader, shop["live"], make_image() + b"\0" * 2_000_000) == 403

    assert db.session.scalars(select(MediaFile)).all() == []


def test_a_preview_link_shows_a_draft_to_who_has_it_for_a_week(
    editor: Staff, shop: dict[str, str], moving_clock: MovableClock
) -> None:
    link = re.search(r'value="http://localhost(/preview/[^"]+)"', editor.get(f"/admin/courses/{shop['draft']}").text)
    assert link is not None
    visitor = Browser(editor.app)

    page = visitor.get(link[1])

    assert (page.status_code, visitor.get("/courses/draft").status_code) == (200, 404)
    assert "Draft course" in page.text
    assert "private link" in page.text
    assert "Open text." not in page.text
    assert "/lessons/one" not in page.text
    assert (page.headers["X-Robots-Tag"], page.headers["Cache-Control"]) == ("noindex, nofollow", "no-store")
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert visitor.get(link[1] + "x").status_code == 404
    moving_clock.advance(days=7, seconds=2)
    assert visitor.get(link[1]).status_code == 410


def test_a_preview_link_leads_to_the_page_once_it_is_published_and_nowhere_once_deleted(
    editor: Staff, shop: dict[str, str]
) -> None:
    link = re.search(r'value="http://localhost(/preview/[^"]+)"', editor.get(f"/admin/courses/{shop['draft']}").text)
    assert link is not None

    editor.send("/admin/courses/bulk", {"ids": [shop["draft"]], "act": "publish"})
    assert editor.get(link[1]).headers["Location"] == "/courses/draft"
    editor.send("/admin/courses/bulk", {"ids": [shop["draft"]], "act": "draft"})
    editor.send(f"/admin/courses/{shop['draft']}/delete")

    assert editor.get(link[1]).status_code == 404


def test_sections_and_lessons_are_added_edited_moved_and_deleted_by_plain_forms(
    editor: Staff, shop: dict[str, str]
) -> None:
    base = f"/admin/courses/{shop['live']}"

    refused = editor.send(f"{base}/sections/new", {"title": ""})
    editor.send(f"{base}/sections/new", {"title": "More", "summary": "Later."})
    section = re.findall(r'data-section="(sec_\w+)"', editor.get(base).text)[-1]
    added = editor.send(f"{base}/sections/{section}/lessons/new", {"title": "Four"})
    lesson = added.headers["Location"].rpartition("/")[2]

    assert (refused.status_code, "Fix 1 thing to save the section" in refused.text) == (422, True)
    assert editor.get(f"{base}/sections/{section}").status_code == 200
    assert editor.get(f"{base}/lessons/{lesson}").status_code == 200
    assert editor.send(f"{base}/lessons/{lesson}/move", {"step": "sideways"}).status_code == 400
    moved = editor.send(f"{base}/lessons/{lesson}/move", {"step": "up"})
    assert moved.headers["Location"] == f"{base}#curriculum"
    deleted = editor.send(f"{base}/sections/{section}/delete")
    assert list_said(editor.get(deleted.headers["Location"]).text) == ["“More” is deleted with its lessons. Undo"]
    editor.send(f"{base}/lessons/{lesson}/delete")
    page = editor.get(base).text
    assert "2 deleted" in page
    assert course_text().count("## ") == len(re.findall(r'data-lesson="', page)) == 3
    assert db.session.query(Course).count() == 3
