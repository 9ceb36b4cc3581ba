"""/admin: who may come in, and what it says."""

import pytest
from flask import Flask

from app.accounts.services import grant_role
from app.checkout.findings import record_finding
from tests.accounts.people import Browser, make_person


@pytest.fixture
def staff(app: Flask) -> Browser:
    user = make_person("staff@example.org")
    grant_role(user_id=user.id, role_name="reader")
    browser = Browser(app)
    browser.sign_in("staff@example.org")
    return browser


def test_visitors_are_sent_to_sign_in(app: Flask) -> None:
    answer = Browser(app).get("/admin/")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/account/login")


def test_learners_may_not_come_in(app: Flask) -> None:
    make_person("learner@example.org")
    browser = Browser(app)
    browser.sign_in("learner@example.org")
    assert browser.get("/admin/").status_code == 403


def test_staff_see_that_nothing_needs_them(staff: Browser) -> None:
    page = staff.get("/admin/")
    assert page.status_code == 200
    assert "Nothing needs you right now." in page.text


def test_staff_see_findings_with_their_reason(staff: Browser) -> None:
    record_finding(key="x", order_id=None, kind="unknown_order", detail="Stripe names an order we do not know.")
    assert "Stripe names an order we do not know." in staff.get("/admin/").text
