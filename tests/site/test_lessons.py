"""Lessons: previews for all, the rest for those who may open the course (attacks A25, A29)."""

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.catalog.models import Course
from app.db import db, transaction
from app.enrollment.models import Enrollment, Grant, LessonProgress
from app.enrollment.services import list_open_course_ids
from tests.accounts.people import SAME_ORIGIN, Browser, make_person
from tests.shop import course_text, load_course, load_post, post_text

SECRET = "Paid text of lesson two."
PREVIEW = "/courses/small-course/lessons/one"
PAID = "/courses/small-course/lessons/two"


def _grant(user_id: int) -> None:
    course_id = db.session.scalars(select(Course.id)).one()
    with transaction() as session:
        session.add(Grant(user_id=user_id, course_id=course_id, granted_at=clock.now()))
        session.add(Enrollment(user_id=user_id, course_id=course_id, created_at=clock.now()))
    assert list_open_course_ids(user_id=user_id) == {course_id}


@pytest.fixture
def learner(app: Flask) -> Browser:
    """Signed in, with the course open."""
    load_course(course_text())
    _grant(make_person("maya@example.org").id)
    browser = Browser(app)
    browser.sign_in("maya@example.org")
    return browser


def test_a_preview_is_open_to_everybody_and_leads_on(client: FlaskClient) -> None:
    load_course(course_text())

    page = client.get(PREVIEW)

    assert page.status_code == 200
    assert "Open text." in page.text
    assert "Free preview" in page.text
    assert "Enroll — $20" in page.text
    assert PAID not in page.text


def test_a_paid_lesson_sends_visitors_to_the_course(client: FlaskClient) -> None:
    load_course(course_text())

    answer = client.get(PAID)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/courses/small-course")
    assert SECRET not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_paid_lesson_sends_other_learners_to_the_course(app: Flask) -> None:
    load_course(course_text())
    make_person("other@example.org")
    browser = Browser(app)
    browser.sign_in("other@example.org")

    assert browser.get(PAID).status_code == 303


def test_a_lesson_of_a_draft_does_not_exist(client: FlaskClient) -> None:
    load_course(course_text(status="draft"))

    assert client.get(PREVIEW).status_code == 404
    assert client.get(PAID).status_code == 404


def test_no_public_address_gives_a_paid_text_away(client: FlaskClient) -> None:
    load_course(course_text())
    load_post(post_text(courses="[small-course]"))
    paths = [
        "/", "/courses", "/courses?q=Paid", "/courses/small-course", PREVIEW, "/blog", "/blog/small-post",
        "/blog/feed.xml", "/sitemap.xml", "/api/v1/courses", "/api/v1/courses?q=Paid", "/api/v1/courses/small-course",
        "/api/v1/posts/small-post", f"{PAID}?preview=1", f"{PAID}/", f"{PAID}.json", f"{PAID};x",
        "/courses/small-course/lessons/TWO", "//courses/small-course/lessons/two", "/courses/small-course/lessons/%74wo",
    ]  # fmt: skip

    for path in paths:
        assert "Paid text" not in client.get(path, follow_redirects=True).text, path
        assert client.head(path).data == b""


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-User-Id", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override"]
)
def test_no_header_opens_a_lesson(client: FlaskClient, header: str) -> None:
    load_course(course_text())

    assert client.get(PAID, headers={header: "1"}).status_code == 303


def test_who_has_access_reads_on_and_comes_back_to_the_same_lesson(learner: Browser) -> None:
    page = learner.get(PAID)

    assert SECRET in page.text
    assert 'href="/courses/small-course/lessons/three"' in page.text
    assert "no-store" in page.headers["Cache-Control"]
    course = learner.get("/courses/small-course").text
    assert "Your progress" in course
    assert f'href="{PAID}"' in course
    assert "Enroll —" not in course


def test_marking_a_lesson_as_done_is_kept_and_shown(learner: Browser) -> None:
    answer = learner.submit(f"{PAID}/complete", {"done": "1"}, page=PAID)

    assert (answer.status_code, answer.headers["Location"]) == (303, PAID)
    assert "You finished this lesson" in learner.get(PAID).text
    assert "1 of 3 lessons" in learner.get("/courses/small-course").text
    db.session.rollback()
    assert db.session.query(LessonProgress).count() == 1


def test_a_lesson_marked_as_not_done_counts_no_more(learner: Browser) -> None:
    learner.submit(f"{PAID}/complete", {"done": "1"}, page=PAID)

    learner.submit(f"{PAID}/complete", {"done": "0"}, page=PAID)

    assert "0 of 3 lessons" in learner.get("/courses/small-course").text


def test_a_form_without_its_token_marks_nothing(learner: Browser) -> None:
    answer = learner.post(f"{PAID}/complete", {"done": "1"}, headers=SAME_ORIGIN)

    assert answer.status_code == 400
    db.session.rollback()
    assert db.session.query(LessonProgress).count() == 0


def test_a_visitor_who_marks_a_lesson_marks_nothing(client: FlaskClient) -> None:
    load_course(course_text())

    assert client.post(f"{PAID}/complete", data={"done": "1"}).status_code == 400
    assert db.session.query(LessonProgress).count() == 0


def test_the_course_card_says_owned_in_lists(learner: Browser) -> None:
    assert "Owned" in learner.get("/courses").text


def test_structured_data_of_a_course_holds_no_lesson(client: FlaskClient) -> None:
    load_course(course_text())
    page = client.get("/courses/small-course").text

    data = json.loads(page.split('<script type="application/ld+json">')[1].split("</script>")[0])

    assert data["name"] == "Small course"
    assert data["offers"] == {"@type": "Offer", "category": "Paid", "price": "20.00", "priceCurrency": "USD"}
