"""Posts: saved once, seen when their time has come."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select

from app.blog.models import Post, PostCourse
from app.blog.post_files import format_post_file, parse_post_file
from app.blog.services import (
    find_post_by_old_slug,
    find_post_ids,
    get_post,
    get_stored_post,
    list_course_ids_for_post,
    list_newest_posts,
    list_posts,
    list_posts_for_course,
)
from app.db import db
from app.errors import InvalidInput, NotFound
from app.front_matter import FileProblem
from tests.conftest import MovableClock
from tests.factories import make_course
from tests.shop import CONTENT, load_post, post_text


def test_what_readers_see_is_made_when_a_post_is_saved(app: Flask) -> None:
    body = "## First things\n\n" + "word " * 476 + "\n\n### Then\n\nLast."

    load_post(post_text(body))

    post = get_post("small-post")
    assert post.card.reading_minutes == 2
    assert [(heading.level, heading.id) for heading in post.headings] == [(2, "first-things"), (3, "then")]
    assert post.body_html.startswith('<h2 id="first-things">First things</h2>')
    assert post.card.published_at == datetime(2026, 1, 2, tzinfo=UTC)


def test_saving_the_same_again_changes_no_row(app: Flask, moving_clock: MovableClock) -> None:
    make_course(slug="first")
    make_course(slug="second")
    load_post(post_text(courses="[second, first]"))
    before = _dump()
    moving_clock.advance(days=1)

    load_post(post_text(courses="[second, first]"))

    assert _dump() == before


@pytest.mark.parametrize(
    "head", [{"status": "draft"}, {"status": "archived"}, {"published": "2099-01-01"}, {"status": "scheduled", "published": "2099-01-01"}]
)  # fmt: skip
def test_drafts_archived_posts_and_the_future_do_not_exist_for_readers(app: Flask, head: dict[str, str]) -> None:
    load_post(post_text(**head))

    with pytest.raises(NotFound):
        get_post("small-post")
    assert list_newest_posts(limit=5) == ()
    assert list_posts().total == 0
    assert find_post_ids({"small-post"}).get("small-post") is None


def test_a_scheduled_post_appears_when_its_time_comes(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC))
    load_post(post_text(status="scheduled"))
    assert list_newest_posts(limit=5) == ()

    moving_clock.advance(seconds=1)

    assert get_post("small-post").card.title == "Small post"


def test_a_moved_post_keeps_its_old_address(app: Flask) -> None:
    post_id = load_post(post_text())

    assert load_post(post_text(slug="new-home", old_slugs="[small-post]")) == post_id

    assert find_post_by_old_slug("small-post") == "new-home"


def test_courses_keep_the_order_the_post_names_them_in(app: Flask) -> None:
    first, second = make_course(slug="first"), make_course(slug="second")

    post_id = load_post(post_text(courses="[second, first]"))

    assert list_course_ids_for_post(post_id) == ((second.id, 0), (first.id, 1))
    assert [post.slug for post in list_posts_for_course(first.id)] == ["small-post"]


def test_a_course_that_is_not_there_is_refused_and_nothing_is_saved(app: Flask) -> None:
    with pytest.raises(InvalidInput, match="small-post, field courses: There is no course “nope”"):
        load_post(post_text(courses="[nope]"))

    assert _dump() == []


@pytest.mark.parametrize("path", sorted((CONTENT / "posts").glob("*.md")), ids=lambda path: path.stem)
def test_every_demo_post_reads_back_as_it_was_written(path) -> None:  # type: ignore[no-untyped-def]
    zone = ZoneInfo("America/New_York")
    post = parse_post_file(path.read_text(), path.name, zone=zone)

    assert parse_post_file(format_post_file(post, zone=zone), "again.md", zone=zone) == post


def test_a_day_begins_in_the_shops_time_zone() -> None:
    post = parse_post_file(post_text(published="2026-04-25"), "p.md", zone=ZoneInfo("America/New_York"))

    assert post.published_at == datetime(2026, 4, 25, 4, tzinfo=UTC)


def test_a_stored_post_is_its_file(app: Flask) -> None:
    load_post(post_text("Text.\n\n```\n---\n```", revised="2026-01-03T09:30:00Z", excerpt="Short", author="Ana"))

    file = get_stored_post("small-post").file

    assert (file.body, file.excerpt, file.author) == ("Text.\n\n```\n---\n```", "Short", "Ana")
    assert file.revised_at == datetime(2026, 1, 3, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        ({"published": "soon"}, "p.md, field published: It must be a date such as 2026-04-25"),
        ({"published": "null", "status": "published"}, "p.md, field published: It is missing"),
        ({"published": "0001-01-01"}, "p.md, field published: The year is out of range."),
        ({"courses": "[a, a]"}, "p.md, field courses: Name each course once."),
        ({"category": "null"}, "p.md, field category: It is missing."),
    ],
)
def test_a_problem_is_a_sentence_with_its_field(head: dict[str, str], sentence: str) -> None:
    with pytest.raises(FileProblem) as caught:
        parse_post_file(post_text(**head), "p.md", zone=ZoneInfo("Asia/Tokyo"))

    assert caught.value.sentence.startswith(sentence), caught.value.sentence


def _dump() -> list[tuple[object, ...]]:
    db.session.rollback()
    return [
        tuple(row)
        for model in (Post, PostCourse)
        for row in db.session.execute(select(*model.__table__.columns).order_by(*model.__table__.primary_key)).all()
    ]
