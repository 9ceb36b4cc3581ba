"""The API's reads: shapes, pages, live prices, conditions."""

from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.catalog.models import Price
from app.catalog.services import replace_price
from app.db import db
from tests.factories import make_course
from tests.queries import count_queries
from tests.shop import COURSE, course_text, load_course, load_post, load_shop, post_text


def test_a_course_in_a_list_has_its_offer(client: FlaskClient) -> None:
    load_course(course_text(promise="Learn it", level="advanced"))
    price = db.session.scalars(select(Price)).one()

    data = client.get("/api/v1/courses").json

    assert data["next_cursor"] is None
    course = data["data"][0]
    assert course.pop("id").startswith("crs_")
    assert course == {
        "slug": "small-course", "title": "Small course", "promise": "Learn it", "summary": "", "level": "advanced",
        "category": {"slug": "cloud", "name": "Cloud"}, "section_count": 2, "lesson_count": 3, "minutes": 21,
        "url": "http://localhost/courses/small-course",
        "offer": {"state": "on_sale", "price": {"id": price.public_id, "amount": 2000, "currency": "usd"}},
    }  # fmt: skip


def test_a_course_has_its_curriculum_prices_and_posts_but_no_lessons_text(client: FlaskClient) -> None:
    load_shop()

    answer = client.get(f"/api/v1/courses/{COURSE}")

    course = answer.json
    assert len(course["sections"]) == 6
    assert course["sections"][0]["lessons"][0] == {
        "slug": "where-inquiries-go-missing", "title": "Where inquiries go missing", "minutes": 15, "is_preview": True,
    }  # fmt: skip
    assert [(price["amount"], price["currency"]) for price in course["prices"]] == [(9700, "usd")]
    assert [post["title"][:14] for post in course["posts"]] == ["The AI Paradox"]
    assert "body_html" not in answer.text
    # A sentence of the second lesson, which is sold.
    assert "Draw the chain from the first contact" not in answer.text


def test_a_new_price_is_in_the_next_answer(client: FlaskClient) -> None:
    load_shop()
    tag = client.get(f"/api/v1/courses/{COURSE}").headers["ETag"]
    price = db.session.scalars(select(Price)).one()

    replace_price(product_id=price.product_id, unit_amount=11700, currency="usd")

    answer = client.get(f"/api/v1/courses/{COURSE}", headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert answer.json["offer"]["price"]["amount"] == 11700


def test_a_post_has_its_text_contents_and_courses(client: FlaskClient) -> None:
    load_course(course_text())
    load_post(post_text("## Part\n\nWords", courses="[small-course]", revised="2026-03-04T05:06:07Z"))

    post = client.get("/api/v1/posts/small-post").json

    assert (post["published_at"], post["revised_at"]) == ("2026-01-02T00:00:00Z", "2026-03-04T05:06:07Z")
    assert post["contents"] == [{"level": 2, "id": "part", "text": "Part"}]
    assert post["body_html"] == '<h2 id="part">Part</h2>\n<p>Words</p>\n'
    assert [course["offer"]["price"]["amount"] for course in post["courses"]] == [2000]


@pytest.mark.parametrize("noun", ["courses", "posts"])
def test_pages_by_cursor_show_everything_once(client: FlaskClient, noun: str) -> None:
    for number in range(7):
        if noun == "courses":
            make_course(slug=f"row-{number}")
        else:
            # The same moment twice: the id decides.
            load_post(post_text(slug=f"row-{number}", published=f"2026-01-0{1 + number // 2}"))

    slugs: list[str] = []
    cursor = ""
    for _ in range(10):
        page = client.get(f"/api/v1/{noun}?limit=3&cursor={cursor}").json
        slugs += [row["slug"] for row in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert sorted(slugs) == [f"row-{number}" for number in range(7)]
    assert len(set(slugs)) == 7


def test_posts_come_newest_first(client: FlaskClient) -> None:
    load_post(post_text(slug="old", published="2026-01-01"))
    load_post(post_text(slug="new", published="2026-02-01"))

    assert [post["slug"] for post in client.get("/api/v1/posts").json["data"]] == ["new", "old"]


def test_filters_narrow_the_list(client: FlaskClient) -> None:
    load_course(course_text(level="advanced"))
    make_course(slug="other", level="beginner")

    for query in ("level=advanced", "category=cloud", "q=small"):
        found = client.get(f"/api/v1/courses?{query}").json["data"]
        assert [course["slug"] for course in found] == ["small-course"], query


def test_what_is_not_published_does_not_exist(client: FlaskClient) -> None:
    make_course(slug="draft", status="draft")
    load_post(post_text(status="draft"))

    assert client.get("/api/v1/courses").json["data"] == []
    assert client.get("/api/v1/posts").json["data"] == []
    for path in ("/api/v1/courses/draft", "/api/v1/posts/small-post"):
        answer = client.get(path)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_an_old_address_leads_to_the_new_one(client: FlaskClient) -> None:
    load_course(course_text())
    load_course(course_text(slug="new-home", old_slugs="[small-course]"))

    answer = client.get("/api/v1/courses/small-course")

    assert (answer.status_code, answer.headers["Location"]) == (301, "/api/v1/courses/new-home")


def test_a_list_takes_a_fixed_number_of_queries(client: FlaskClient) -> None:
    make_course()
    with count_queries() as with_one:
        client.get("/api/v1/courses?limit=100")
    for _ in range(9):
        make_course()

    with count_queries() as with_ten:
        client.get("/api/v1/courses?limit=100")

    assert len(with_one) == len(with_ten) == 3  # one is for the settings in force


def test_other_origins_get_no_leave_to_read(client: FlaskClient) -> None:
    for origin in ("https://evil.example", "null"):
        answer = client.get("/api/v1/courses", headers={"Origin": origin})
        assert not [name for name, _value in answer.headers if name.lower().startswith("access-control")]


def test_times_are_utc(client: FlaskClient) -> None:
    make_course(slug="a", updated_at=datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC))

    assert client.get("/api/v1/courses/a").json["updated_at"] == "2026-05-06T07:08:09Z"
