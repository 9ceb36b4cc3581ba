"""Lessons that open days after somebody got the course: by the grant's own day, and with the date on the page."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.catalog.models import Course, Lesson
from app.db import db, transaction
from app.enrollment.models import Enrollment, Grant, LessonProgress
from tests.accounts.people import SAME_ORIGIN, Browser, make_person
from tests.conftest import MovableClock
from tests.shop import course_text, load_course

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TWO, THREE = "/courses/small-course/lessons/two", "/courses/small-course/lessons/three"
DRIPPING = course_text().replace("{#two minutes=7}", "{#two minutes=7 drip=7}").replace("preview}", "preview drip=30}")


@pytest.fixture
def learner(app: Flask, moving_clock: MovableClock) -> Browser:
    """Got the course on November 20; lesson two opens a week later, lesson one is a preview."""
    moving_clock.freeze(START)
    load_course(DRIPPING)
    user = make_person("maya@example.org")
    add_grant(user.id, granted_at=START)
    browser = Browser(app)
    browser.sign_in("maya@example.org")
    return browser


def add_grant(user_id: int, **values: datetime) -> None:
    course_id = db.session.scalars(select(Course.id)).one()
    with transaction() as session:
        session.add(Grant(user_id=user_id, course_id=course_id, **values))
        if session.query(Enrollment).count() == 0:
            session.add(Enrollment(user_id=user_id, course_id=course_id, created_at=START))


def test_a_lesson_stays_closed_until_its_day_and_the_pages_say_the_date(
    learner: Browser, moving_clock: MovableClock
) -> None:
    answer = learner.get(TWO)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/courses/small-course")
    assert "Paid text of lesson two." not in answer.text
    page = learner.get("/courses/small-course").text
    assert "“Two” opens on November 27, 2026." in page
    assert "Opens November 27, 2026" in page
    assert f'href="{TWO}"' not in page
    assert f'href="{THREE}"' in page
    moving_clock.advance(days=6, hours=23, minutes=59)
    assert learner.get(TWO).status_code == 303
    moving_clock.advance(minutes=2)
    assert "Paid text of lesson two." in learner.get(TWO).text


def test_a_preview_is_open_whatever_its_days(learner: Browser) -> None:
    assert "Open text." in learner.get("/courses/small-course/lessons/one").text


def test_the_earliest_live_grant_counts(learner: Browser, moving_clock: MovableClock) -> None:
    user_id = db.session.scalars(select(Grant.user_id)).one()
    add_grant(user_id, granted_at=START - timedelta(days=9), revoked_at=START)
    assert learner.get(TWO).status_code == 303

    add_grant(user_id, granted_at=START - timedelta(days=8))

    assert "Paid text of lesson two." in learner.get(TWO).text


def test_a_closed_lesson_cannot_be_marked_as_done(learner: Browser) -> None:
    token = learner.read_token(THREE)

    learner.post(f"{TWO}/complete", {"csrf_token": token, "done": "1"}, headers=SAME_ORIGIN)

    assert db.session.scalars(select(LessonProgress.lesson_id)).all() == []


def test_my_courses_goes_on_with_what_is_open_and_names_the_day_of_the_rest(learner: Browser) -> None:
    for slug in ("one", "three"):
        path = f"/courses/small-course/lessons/{slug}"
        learner.submit(f"{path}/complete", {"done": "1"}, page=path)

    page = learner.get("/account/courses").text

    assert "Next: <strong>Two</strong>, opens November 27, 2026" in page
    assert f'href="{TWO}"' not in page


def test_lesson_pages_lead_only_to_what_is_open(learner: Browser) -> None:
    page = learner.get(THREE).text

    assert f'href="{TWO}"' not in page
    assert db.session.scalars(select(Lesson.drip_days).order_by(Lesson.position)).all() == [30, 7, None]
