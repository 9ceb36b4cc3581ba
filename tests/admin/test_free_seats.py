"""Courses given without payment, and moves, from the back-office's pages."""

from flask import Flask
from sqlalchemy import select

from app.checkout.move_models import OrderMove
from app.db import db
from app.enrollment.models import Grant
from app.enrollment.services import list_open_course_ids
from tests.admin.staff import Staff
from tests.checkout.conftest import Shop
from tests.factories import make_course, make_user

NEW = "/admin/orders/free-seats/new"


def test_a_course_is_given_with_reason_and_last_day_then_closed_and_opened(app: Flask) -> None:
    course, learner = make_course(title="Draw the path"), make_user(email="ana@example.org")
    staff = Staff(app, "support")
    form = {"email": "Ana@example.org", "course": course.public_id, "reason": "Speaker", "expires_on": "2999-12-31"}

    answer = staff.send(NEW, dict(form))

    assert answer.headers["Location"] == "/admin/orders/free-seats"
    page = staff.get("/admin/orders/free-seats").text
    for part in ("ana@example.org", "Draw the path", "Speaker", "by Support Person", "until December 31, 2999"):
        assert part in page, part
    grant = db.session.scalars(select(Grant)).one()
    assert (grant.granted_by_id, grant.reason) == (staff.user.id, "Speaker")
    again = staff.send(NEW, dict(form))
    assert (again.status_code, 'value="ana@example.org"' in again.text) == (422, True)
    assert "open to this address without payment already" in again.text
    path = f"/admin/orders/free-seats/{learner.public_id}/{course.public_id}"
    for deed, opened in (("close", set()), ("close", set()), ("reopen", {course.id}), ("reopen", {course.id})):
        assert staff.send(f"{path}/{deed}").status_code == 303
        db.session.rollback()
        assert list_open_course_ids(user_id=learner.id) == opened


def test_what_is_missing_is_named_and_a_strange_day_is_no_crash(app: Flask) -> None:
    course = make_course()
    staff = Staff(app, "support")

    refused = staff.send(NEW, {"email": "nobody", "course": "crs_none", "reason": "", "expires_on": "soon"})
    past = staff.send(
        NEW, {"email": "a@example.org", "course": course.public_id, "reason": "x", "expires_on": "2001-01-01"}
    )
    last = staff.send(
        NEW, {"email": "a@example.org", "course": course.public_id, "reason": "x", "expires_on": "9999-12-31"}
    )

    assert (refused.status_code, past.status_code, last.status_code) == (422, 422, 303)
    assert "Choose a day that is still to come." in past.text
    assert staff.get("/admin/orders/free-seats?q=a@ex").text.count("a@example.org") >= 1
    assert "Nothing matches" in staff.get("/admin/orders/free-seats?q=zzz").text


def test_a_move_is_begun_and_taken_back_from_the_order(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course(), user=make_user(email="old@example.org"))
    staff = Staff(app, "support")
    order = f"/admin/orders/{started.order_public_id}"

    refused = staff.send(f"{order}/move", {"to_email": "old@example.org", "proof": "They called"})
    assert (refused.status_code, "belongs to this address already" in refused.text) == (422, True)
    assert staff.send(f"{order}/move", {"to_email": "x", "proof": ""}).status_code == 422
    assert staff.send(f"{order}/move", {"to_email": "new@example.org", "proof": "They called"}).status_code == 303
    page = staff.get(order).text
    assert "On its way to new@example.org" in page
    assert "Move to new@example.org begun by Support Person" in page
    assert "They called" in page
    move = db.session.scalars(select(OrderMove.public_id)).one()
    staff.send(f"{order}/moves/{move}/undo")
    staff.send(f"{order}/moves/{move}/undo")

    page = staff.get(order).text
    assert "Move to new@example.org withdrawn by Support Person" in page
    assert "On its way to" not in page
