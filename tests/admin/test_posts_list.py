"""/admin/posts: views, search, filters, what is done to several at once, and what no longer holds."""

from datetime import UTC, datetime

import pytest
from flask import Flask

from app.catalog.course_states import set_status
from app.catalog.prices import replace_price
from app.reports.attention import list_attention
from app.reports.post_lists import count_post_views, list_post_rows
from tests.admin.courses import list_said
from tests.admin.posts import make_post, read_post, save, send
from tests.admin.staff import Staff
from tests.conftest import MovableClock
from tests.factories import get_price, make_course


@pytest.fixture
def editor(app: Flask) -> Staff:
    return Staff(app, "editor")


def list_slugs(**query: str) -> set[str]:
    return {row.slug for row in list_post_rows(**query).rows}  # type: ignore[arg-type]


def make_one_of_each() -> None:
    for slug, head in {
        "shown": {}, "planned": {"status": "scheduled", "published": "2026-06-01"},
        "future": {"published": "2026-07-01"}, "due": {"status": "scheduled"},
        "unsaid": {"status": "draft", "published": "null"}, "old": {"status": "archived"},
    }.items():  # fmt: skip
        make_post(slug=slug, title=f"Post {slug}", **head)


def test_views_follow_the_clock(editor: Staff, moving_clock: MovableClock) -> None:
    moving_clock.freeze(datetime(2026, 5, 1, tzinfo=UTC))
    make_one_of_each()
    send(editor, f"/admin/posts/{make_post(slug='gone')}/delete")

    assert count_post_views() == {
        "": 6, "published": 2, "scheduled": 2, "draft": 1, "archived": 1, "check": 0, "trash": 1,
    }  # fmt: skip
    assert list_slugs(view="published") == {"shown", "due"}
    assert list_slugs(view="scheduled") == {"planned", "future"}
    assert list_slugs(view="draft") == {"unsaid"}
    assert list_slugs(view="archived") == {"old"}
    assert list_slugs(view="trash") == {"gone"}
    moving_clock.freeze(datetime(2026, 8, 1, tzinfo=UTC))
    assert list_slugs(view="scheduled") == set()


def test_search_filters_and_sort_narrow_the_list(editor: Staff) -> None:
    make_course(slug="first")
    make_post(slug="one", title="Beta words", courses="[first]")
    make_post(slug="two", title="Alpha words", category="Data")

    assert list_slugs(q="alpha WORDS") == {"two"}
    assert list_slugs(topic="data") == {"two"}
    assert list_slugs(course="first") == {"one"}
    assert [row.slug for row in list_post_rows(sort="title", is_descending=False).rows] == ["two", "one"]
    page = editor.get("/admin/posts?q=alpha&topic=data").text
    assert "Remove filter" in page
    assert "1 post<" in page


def test_several_posts_are_changed_at_once_and_changed_back(editor: Staff) -> None:
    ids = [make_post(slug=f"p{n}", status="draft", published="null") for n in range(3)]

    answer = send(editor, "/admin/posts/bulk", {"ids": ids[:2], "act": "publish"})

    page = editor.get(answer.headers["Location"]).text
    assert list_said(page) == ["2 posts published. Undo"]
    assert list_slugs(view="published") == {"p0", "p1"}
    save(editor, ids[0], then="archive")
    send(editor, "/admin/posts/undo", {"step": page.partition('name="step" value="')[2].partition('"')[0]})
    # What somebody did since is not undone.
    assert [read_post(each).status for each in ids] == ["archived", "draft", "draft"]


def test_topics_and_the_trash_work_for_several_too(editor: Staff) -> None:
    ids = [make_post(slug="p0"), make_post(slug="p1")]
    make_post(slug="other", category="Data")

    send(editor, "/admin/posts/bulk", {"ids": ids, "act": "topic", "topic": "data"})
    assert list_slugs(topic="data") == {"p0", "p1", "other"}
    page = editor.get(send(editor, "/admin/posts/bulk", {"ids": ids, "act": "delete"}).headers["Location"]).text
    assert list_slugs(view="trash") == {"p0", "p1"}
    send(editor, "/admin/posts/undo", {"step": page.partition('name="step" value="')[2].partition('"')[0]})

    assert list_slugs(view="published") == {"p0", "p1", "other"}


def test_what_makes_no_sense_changes_nothing(editor: Staff) -> None:
    public_id = make_post()

    assert list_said(editor.get(send(editor, "/admin/posts/bulk", {"act": "draft"}).headers["Location"]).text) == [
        "Tick at least one post first."
    ]
    assert send(editor, "/admin/posts/bulk", {"ids": public_id, "act": "explode"}).status_code == 400
    assert send(editor, "/admin/posts/bulk", {"ids": public_id, "act": "topic", "topic": "x"}).status_code == 404
    assert send(editor, "/admin/posts/undo", {"step": "forged"}).status_code == 404
    send(editor, "/admin/posts/bulk", {"ids": public_id, "act": "publish"})

    assert read_post(public_id).version == 1


def test_a_price_that_changed_is_found_in_the_texts_that_name_the_old_one(editor: Staff) -> None:
    course = make_course(slug="first", title="Lead Engine", unit_amount=9700)
    right = make_post("Get the Lead Engine for $97 today.", slug="right")
    make_post("The [course](/courses/first) is ~~$147~~ $97.00.", slug="link")
    make_post("It costs $500 to run. Then there is the Lead Engine.", slug="apart")
    assert list_slugs(view="check") == set()

    replace_price(product_id=get_price(course).product_id, unit_amount=11_700, currency="usd")

    assert list_slugs(view="check") == {"right", "link"}
    sentence = "The text says $97 beside “Lead Engine”, which costs $117 now."
    assert sentence in editor.get("/admin/posts?view=check").text
    assert sentence in editor.get(f"/admin/posts/{right}").text
    assert [(item.kind, item.subject) for item in list_attention() if item.subject == right] == [("post", right)]
    assert sentence in editor.get("/admin").text
    save(editor, right, body="Get the Lead Engine for $117 today.")
    assert list_slugs(view="check") == {"link"}


def test_an_archived_course_is_named_where_posts_lead_to_it(editor: Staff) -> None:
    course = make_course(slug="first", title="Lead Engine")
    linked = make_post(courses="[first]", slug="linked")
    in_text = make_post("See [it](/courses/first).", slug="in-text")

    set_status(public_ids=[course.public_id], status="archived")

    assert list_slugs(view="check") == {"linked", "in-text"}
    assert "It leads to “Lead Engine”, which is archived." in editor.get(f"/admin/posts/{linked}").text
    assert "The text links to “Lead Engine”, which is archived." in editor.get(f"/admin/posts/{in_text}").text
    # A draft is nobody's problem yet.
    for public_id in (linked, in_text):
        save(editor, public_id, then="draft")
    assert [item for item in list_attention() if item.kind == "post"] == []


def test_an_empty_list_says_what_to_do(editor: Staff) -> None:
    assert "No posts yet" in editor.get("/admin/posts").text
    assert "Nothing to check" in editor.get("/admin/posts?view=check").text
    assert "No post fits" in editor.get("/admin/posts?q=zzz").text
