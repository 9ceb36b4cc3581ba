"""See the site as a learner: their pages without their powers, in one browser, noted at both ends, over by itself."""

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from werkzeug.routing import Rule

from app.accounts.models import SiteView, User, UserSession
from app.accounts.seeing import LookingOnly
from app.accounts.services import deactivate_user, grant_role, remove_role
from app.accounts.site_views import start_site_view
from app.accounts.tasks import end_overdue_view_task
from app.audit import AuditEntry
from app.db import db, transaction
from app.enrollment.manual_grants import give_course
from app.enrollment.models import Enrollment, LessonProgress
from app.enrollment.services import open_lesson
from app.extensions import limiter
from app.queue import run_sweeps
from tests.accounts.people import SAME_ORIGIN, Browser, make_person
from tests.admin.staff import STAFF_ROLES, Staff
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import get_price, make_course
from tests.races import run_at_once

BANNER = "You’re seeing the site as <strong>Maya Okafor</strong>"
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
# A mail as it was sent, on the demo's page of mails, and what is the same for everybody.
NO_PAGES = ("/static/", "/dev/mail/")
WAYS_OUT = {("POST", "/admin/people/see-as/end"), ("POST", "/account/logout")}


def see_as(staff: Staff, learner: User, **data: Any) -> Any:
    return staff.send(f"/admin/people/{learner.public_id}/see-as", data)


def entries() -> list[tuple[str, str, str, str]]:
    db.session.rollback()
    rows = db.session.scalars(
        select(AuditEntry).where(AuditEntry.action.startswith("site_view")).order_by(AuditEntry.id)
    )
    return [
        (row.action, row.actor_id, row.subject_id, row.reason or (row.after or {}).get("ended", "")) for row in rows
    ]


def fill_in(app: Flask, rule: Rule) -> str:
    values = {
        name: "1" if "int" in type(rule._converters[name]).__name__.lower() else "none" for name in rule.arguments
    }
    return str(app.url_map.bind("localhost").build(rule.endpoint, values, method=min(rule.methods or set())))


def give(learner: User, staff: Staff) -> Any:
    course = make_course(title="Draw the path")
    give_course(
        email=learner.email, name="", course_public_id=course.public_id, reason="x", expires_at=None,
        given_by_id=staff.user.id,
    )  # fmt: skip
    return course


def test_staff_see_the_learners_pages_and_end_it_by_the_banners_button(app: Flask) -> None:
    staff, learner = Staff(app, "support"), make_person()
    give(learner, staff)

    begun = see_as(staff, learner, reason="They see no course")

    assert begun.headers["Location"] == "/account/courses"
    page = staff.get("/account/courses")
    assert page.headers["Cache-Control"] == "no-store"
    assert BANNER in page.text
    assert "Draw the path" in page.text
    assert "maya@example.org" in staff.get("/account/profile").text
    own = staff.get("/admin/people").text
    assert BANNER in own
    assert "Support Person" in own
    ended = staff.post("/admin/people/see-as/end", {"csrf_token": staff.read_token("/account/courses")})
    assert ended.headers["Location"] == f"/admin/people/{learner.public_id}"
    page = staff.get("/account/courses").text
    assert "seeing the site as" not in page
    assert "Draw the path" not in page
    assert entries() == [
        ("site_view.started", staff.user.public_id, learner.public_id, "They see no course"),
        ("site_view.ended", staff.user.public_id, learner.public_id, "by its button"),
    ]


def test_every_unsafe_method_of_every_route_is_refused_but_for_the_ways_out(app: Flask) -> None:
    staff, learner = Staff(app, "owner"), make_person()
    see_as(staff, learner)
    token = staff.read_token("/account/courses")
    assert token
    before = count_rows()

    passed = set()
    for rule in app.url_map.iter_rules():
        # A test's client is quicker than the limits on how often a form may be sent.
        limiter.reset()
        for method in UNSAFE:
            if (method, rule.rule) in WAYS_OUT:
                continue
            answer = staff.open(fill_in(app, rule), method=method, data={"csrf_token": token}, headers=SAME_ORIGIN)
            if answer.status_code != 403 or "seeing the site as Maya Okafor" not in answer.get_data(as_text=True):
                passed.add((method, rule.rule, answer.status_code))

    assert passed == set()
    assert count_rows() == before
    assert {rule for _, rule in WAYS_OUT} <= {rule.rule for rule in app.url_map.iter_rules()}


def count_rows() -> dict[str, int]:
    db.session.rollback()
    return {
        table.name: len(db.session.execute(select(table.primary_key.columns.values()[0])).all())
        for table in db.metadatas[None].sorted_tables
    }


def test_control_the_same_routes_answer_otherwise_once_it_is_ended(app: Flask) -> None:
    staff, learner = Staff(app, "owner"), make_person()
    see_as(staff, learner)
    staff.send("/admin/people/see-as/end")

    answer = staff.send("/account/profile", {"name": "Another Name"})

    assert answer.status_code == 303


def test_every_page_that_opens_wears_the_banner_and_is_not_stored(app: Flask) -> None:
    staff, learner = Staff(app, "owner"), make_person()
    course = give(learner, staff)
    see_as(staff, learner)
    paths = {fill_in(app, rule) for rule in app.url_map.iter_rules() if "GET" in (rule.methods or set())}
    paths |= {f"/courses/{course.slug}", f"/checkout/{get_price(course).public_id}", "/pages/contact"}

    seen = 0
    for path in sorted(each for each in paths if not each.startswith(NO_PAGES)):
        answer = staff.get(path)
        assert answer.headers["Cache-Control"] == "no-store", path
        if answer.mimetype == "text/html" and answer.status_code != 303:
            seen += 1
            assert BANNER in answer.text, path

    assert seen > 30


def test_looking_leaves_no_trace_of_the_learner(app: Flask, shop: Shop) -> None:
    staff, learner = Staff(app, "support"), make_person()
    course = give(learner, staff)
    lesson = f"/courses/{course.slug}/lessons/{first_lesson(staff, course.slug)}"
    started = shop.begin(make_course(title="Not paid"), user=learner)
    see_as(staff, learner)
    before = count_rows()

    page = staff.get(lesson, headers={"Sec-Fetch-Dest": "document"})
    success = staff.get(f"/checkout/success?order={started.order_public_id}")

    assert (page.status_code, success.status_code) == (200, 200)
    assert count_rows() == before
    enrollment = db.session.scalars(select(Enrollment).where(Enrollment.user_id == learner.id)).one()
    assert (enrollment.last_lesson_id, enrollment.last_opened_at) == (None, None)
    assert db.session.scalars(select(LessonProgress)).all() == []
    assert db.session.scalars(select(UserSession).where(UserSession.user_id == learner.id)).all() == []


def first_lesson(browser: Browser, slug: str) -> str:
    found = re.search(rf"/courses/{slug}/lessons/([a-z0-9-]+)", browser.get(f"/courses/{slug}").text)
    assert found is not None
    return found.group(1)


def test_code_that_knows_nothing_of_it_cannot_write(app: Flask) -> None:
    """The second wall: whatever a page does by the way, its transaction does not open."""
    staff, learner = Staff(app, "support"), make_person()
    see_as(staff, learner)

    with app.test_request_context("/courses", headers={"Cookie": f"session={staff.cookie}"}):
        app.preprocess_request()
        with pytest.raises(LookingOnly), transaction():
            raise AssertionError("it was opened")
        with pytest.raises(LookingOnly):
            open_lesson(user_id=learner.id, course_id=1, lesson_id=1)
        app.do_teardown_request()
    with transaction():
        pass


def test_visitors_and_the_learner_get_their_own_pages_meanwhile(app: Flask) -> None:
    staff, learner, visitor = Staff(app, "support"), make_person(), Browser(app)
    maya = Browser(app)
    maya.sign_in(learner.email)
    before = visitor.get("/courses")
    see_as(staff, learner)

    staff.get("/courses", headers={"If-None-Match": before.headers["ETag"]})
    staff.get("/")

    after = visitor.get("/courses")
    assert after.data == before.data
    assert after.headers["Cache-Control"] == before.headers["Cache-Control"] == "public, max-age=0, must-revalidate"
    assert "seeing the site as" not in maya.get("/account/courses").text
    assert maya.submit("/account/profile", {"name": "Maya O."}).status_code == 303
    assert maya.is_signed_in()


def test_it_ends_after_thirty_minutes_by_itself(app: Flask, moving_clock: MovableClock) -> None:
    staff, learner = Staff(app, "support"), make_person()
    see_as(staff, learner)

    moving_clock.advance(minutes=29)
    assert BANNER in staff.get("/courses").text
    moving_clock.advance(minutes=2)

    assert "seeing the site as" not in staff.get("/courses").text
    assert staff.send("/account/profile", {"name": "Support"}).status_code == 303
    assert [each[3] for each in entries()][1:] == ["its time was over"]


def test_one_that_nobody_came_back_to_is_ended_by_the_worker_once(app: Flask, moving_clock: MovableClock) -> None:
    staff, learner = Staff(app, "support"), make_person()
    see_as(staff, learner)
    view_id = db.session.scalars(select(SiteView.id)).one()

    end_overdue_view_task(view_id)
    assert len(entries()) == 1
    moving_clock.advance(minutes=31)
    names = (staff.user.public_id, learner.public_id)
    run_sweeps()
    end_overdue_view_task(view_id)

    assert entries()[1:] == [("site_view.ended", *names, "its time was over")]


def test_signing_out_ends_it_and_a_kept_cookie_brings_nothing_back(app: Flask) -> None:
    staff, learner = Staff(app, "support"), make_person()
    see_as(staff, learner)
    kept = staff.cookie

    staff.post("/account/logout", {"csrf_token": staff.read_token("/account/courses")}, headers=SAME_ORIGIN)

    assert [each[3] for each in entries()][1:] == ["signed out"]
    staff.plant_cookie(kept)
    assert staff.get("/account/courses").headers["Location"].startswith("/account/login")


def test_a_cookie_kept_from_before_the_end_shows_ones_own_pages(app: Flask) -> None:
    staff, learner = Staff(app, "support"), make_person()
    see_as(staff, learner)
    kept = staff.cookie
    staff.send("/admin/people/see-as/end")

    staff.plant_cookie(kept)

    assert "seeing the site as" not in staff.get("/account/courses").text


@pytest.mark.parametrize("lost", ["role", "account", "learner"])
def test_a_right_that_goes_meanwhile_ends_it_at_once(app: Flask, lost: str) -> None:
    staff, learner = Staff(app, "support"), make_person()
    see_as(staff, learner)

    if lost == "role":
        remove_role(user_id=staff.user.id, role_name="support")
    elif lost == "account":
        deactivate_user(user_id=learner.id)
    else:
        grant_role(user_id=learner.id, role_name="owner")

    assert "seeing the site as" not in staff.get("/courses").text
    assert [each[3] for each in entries()][1:] == ["no longer allowed"]


@pytest.mark.parametrize("role", STAFF_ROLES)
def test_nobody_looks_as_somebody_with_more_rights(app: Flask, role: str) -> None:
    staff = Staff(app, "support")
    target = make_person("target@example.org")
    grant_role(user_id=target.id, role_name=role)

    see_as(staff, target)

    # Support may all that an editor may not, and the other way round; readers see reports.
    assert ("seeing the site as" in staff.get("/courses").text) is (role == "support")
    assert len(entries()) == (1 if role == "support" else 0)


def test_not_as_oneself_nor_as_a_closed_account_and_the_page_says_why(app: Flask) -> None:
    staff, learner = Staff(app, "owner"), make_person()
    deactivate_user(user_id=learner.id)

    see_as(staff, staff.user)
    assert "That’s you" in staff.get("/admin/").text
    see_as(staff, learner)
    assert "The account is closed" in staff.get("/admin/").text

    assert db.session.scalars(select(SiteView)).all() == []
    assert staff.send("/admin/people/usr_none/see-as").status_code == 404


def test_two_that_begin_at_once_leave_one_open(app: Flask) -> None:
    staff, first, second = Staff(app, "support"), make_person(), make_person("other@example.org")
    session_id = db.session.scalars(select(UserSession.id).where(UserSession.user_id == staff.user.id)).one()

    run_at_once(
        app,
        *(
            lambda public_id=each.public_id: start_site_view(
                staff_id=staff.user.id, user_session_id=session_id, learner_public_id=public_id, reason=""
            )
            for each in (first, second)
        ),
    )

    db.session.rollback()
    views = db.session.scalars(select(SiteView)).all()
    assert (len(views), len([each for each in views if each.ended_at is None])) == (2, 1)
    assert [each[0] for each in entries()] == ["site_view.started", "site_view.ended", "site_view.started"]


def test_control_without_the_lock_the_database_refuses_the_second(app: Flask) -> None:
    staff, learner = Staff(app, "support"), make_person()
    see_as(staff, learner)
    first = db.session.scalars(select(SiteView)).one()
    values = {
        name: getattr(first, name) for name in ("staff_id", "learner_id", "user_session_id", "started_at", "ends_at")
    }

    with pytest.raises(IntegrityError), transaction() as session:
        session.add(SiteView(public_id="view_2", reason="", **values))


def test_what_staff_bought_in_this_browser_is_not_shown_as_the_learners(app: Flask) -> None:
    staff, learner = Staff(app, "support"), make_person()
    with staff.client.session_transaction() as session:
        session["orders"] = ["ord_mine"]
    see_as(staff, learner)

    assert staff.get("/account/orders/ord_mine").status_code == 404
    assert staff.client.get_cookie("session") is not None
