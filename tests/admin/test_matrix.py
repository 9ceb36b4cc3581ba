"""Every address of the back-office by role and method. A route without a row in tests/admin/routes fails here."""

import pytest
from flask import Flask
from werkzeug.routing import Rule

from app.accounts.permissions import ROLES
from app.accounts.services import deactivate_user, remove_role
from tests.accounts.people import SAME_ORIGIN, Browser
from tests.admin.routes import Route, list_routes
from tests.admin.staff import STAFF_ROLES, Staff

PREFIX = "/admin"


def list_rules(app: Flask) -> dict[Route, Rule]:
    return {
        (method, rule.rule): rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(PREFIX)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def fill_in(app: Flask, rule: Rule) -> str:
    """An address of this rule; what it names is not there."""
    values = {
        name: "1" if "int" in type(rule._converters[name]).__name__.lower() else "none" for name in rule.arguments
    }
    with app.test_request_context():
        return str(app.url_map.bind("localhost").build(rule.endpoint, values))


def ask(app: Flask, browser: Browser, rule: Rule, method: str, token: str) -> int:
    data = {"csrf_token": token} if method != "GET" else None
    return browser.open(fill_in(app, rule), method=method, data=data, headers=SAME_ORIGIN).status_code


def test_every_route_has_a_row_and_every_row_a_route(app: Flask) -> None:
    assert list_rules(app).keys() == list_routes().keys()


@pytest.mark.parametrize("role", ["", *STAFF_ROLES])
def test_a_role_opens_what_its_permissions_say_and_nothing_else(app: Flask, role: str) -> None:
    staff = Staff(app, role)
    token = staff.token
    routes = list_routes()
    held = {*ROLES[role or "learner"], *(["any"] if role else [])}

    wrong = {}
    for (method, text), rule in list_rules(app).items():
        status = ask(app, staff, rule, method, token)
        is_allowed = routes[method, text] in held
        if (status in {401, 403}) is is_allowed or status >= 500:
            wrong[f"{method} {text}"] = status

    assert wrong == {}


def test_visitors_are_sent_to_sign_in_everywhere(app: Flask) -> None:
    visitor = Browser(app)

    answers = {
        visitor.open(fill_in(app, rule), method=method).headers.get("Location", "").partition("?")[0]
        for (method, _), rule in list_rules(app).items()
    }

    assert answers == {"/account/login"}


def test_a_change_without_our_token_is_refused_everywhere(app: Flask) -> None:
    owner = Staff(app, "owner")

    statuses = {
        text: owner.post(fill_in(app, rule)).status_code
        for (method, text), rule in list_rules(app).items()
        if method != "GET"
    }

    assert {text: status for text, status in statuses.items() if status != 400} == {}


def test_a_role_that_is_taken_away_counts_at_once(app: Flask) -> None:
    staff = Staff(app, "owner")
    assert staff.get("/admin/").status_code == 200

    remove_role(user_id=staff.user.id, role_name="owner")

    assert staff.get("/admin/").status_code == 403


def test_a_closed_account_is_out_at_once(app: Flask) -> None:
    staff = Staff(app, "owner")

    deactivate_user(user_id=staff.user.id)

    assert staff.get("/admin/").headers["Location"].startswith("/account/login")


@pytest.mark.parametrize("path", ["/admin//", "/ADMIN/", "/admin/.json", "/admin/%2e", "/admin;x", "/admin/home.css"])
def test_tricks_with_the_path_open_nothing(app: Flask, path: str) -> None:
    learner = Staff(app, "")

    answer = learner.get(path, headers={"X-Original-URL": "/admin/", "X-User-Id": "1"})

    assert answer.status_code in {308, 403, 404}
    assert "Needs attention" not in answer.text
