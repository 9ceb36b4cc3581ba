"""Signing in and out through the public door; sessions that can be taken back."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.accounts.models import UserSession
from app.accounts.revocation import revoke_all_sessions
from app.accounts.services import deactivate_user, grant_role, remove_role
from app.accounts.sessions import current_user_or_none
from app.db import db
from tests.accounts.people import PASSWORD, SAME_ORIGIN, Browser, make_person, read_back
from tests.conftest import MovableClock

OpenBrowser = Callable[[], Browser]


def test_signing_in_leads_to_my_courses(browser: Browser) -> None:
    make_person()

    answer = browser.sign_in("maya@example.org")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/courses")
    assert browser.is_signed_in()


@pytest.mark.parametrize("typed", ["MAYA@Example.ORG", "  maya@example.org ", "ｍａｙａ@example.org"])
def test_every_spelling_of_an_address_is_one_identity(browser: Browser, typed: str) -> None:
    make_person()

    browser.sign_in(typed)

    assert browser.is_signed_in()


def test_a_wrong_password_keeps_the_address_and_says_nothing_more(browser: Browser) -> None:
    make_person()

    answer = browser.sign_in("maya@example.org", "another password")

    assert answer.status_code == 422
    assert "don’t match an account" in answer.text
    assert 'value="maya@example.org"' in answer.text
    assert "another password" not in answer.text
    assert not browser.is_signed_in()


def test_a_cookie_captured_before_sign_out_opens_nothing_afterwards(
    browser: Browser, open_browser: OpenBrowser
) -> None:
    make_person()
    browser.sign_in("maya@example.org")
    thief = open_browser()
    thief.plant_cookie(browser.cookie)
    assert thief.is_signed_in()

    answer = browser.submit("/account/logout", page="/account/profile")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert not browser.is_signed_in()
    assert not thief.is_signed_in()


def test_signing_out_takes_a_post(browser: Browser) -> None:
    make_person()
    browser.sign_in("maya@example.org")

    assert browser.get("/account/logout").status_code == 405
    assert browser.is_signed_in()


def test_nothing_of_a_planted_session_survives_signing_in(browser: Browser, open_browser: OpenBrowser) -> None:
    make_person()
    attacker = open_browser()
    attacker.get("/account/login")
    planted = attacker.cookie
    browser.plant_cookie(planted)

    browser.sign_in("maya@example.org")

    assert browser.cookie != planted
    assert not attacker.is_signed_in()
    with browser.client.session_transaction() as after:
        assert set(after) == {"_permanent", "session_token", "_user_id", "_fresh", "_id", "fs_paa"}


def test_signing_in_again_ends_the_session_before(browser: Browser, open_browser: OpenBrowser) -> None:
    make_person()
    browser.sign_in("maya@example.org")
    old = browser.cookie
    other = open_browser()
    other.plant_cookie(old)
    browser.submit("/account/logout", page="/account/profile")
    browser.sign_in("maya@example.org")

    assert browser.is_signed_in()
    assert not other.is_signed_in()


def test_sign_out_everywhere_ends_every_session(browser: Browser, open_browser: OpenBrowser) -> None:
    make_person()
    phone = open_browser()
    for each in (browser, phone):
        each.sign_in("maya@example.org")

    answer = browser.submit("/account/sign-out-everywhere", page="/account/profile")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/login")
    assert not browser.is_signed_in()
    assert not phone.is_signed_in()


def test_a_session_ends_after_thirty_days(browser: Browser, moving_clock: MovableClock) -> None:
    make_person()
    browser.sign_in("maya@example.org")

    moving_clock.advance(days=29, hours=23)
    assert browser.is_signed_in()
    moving_clock.advance(hours=2)
    assert not browser.is_signed_in()


def test_a_closed_account_is_out_at_the_next_request(browser: Browser) -> None:
    user = make_person()
    browser.sign_in("maya@example.org")

    deactivate_user(user_id=user.id)

    assert not browser.is_signed_in()
    assert browser.sign_in("maya@example.org").status_code == 422


def test_a_role_taken_away_is_gone_at_the_next_request(browser: Browser) -> None:
    user = make_person()
    grant_role(user_id=user.id, role_name="admin")
    browser.sign_in("maya@example.org")
    assert may_write_orders(browser)

    remove_role(user_id=user.id, role_name="admin")

    assert not may_write_orders(browser)
    assert browser.is_signed_in()


def may_write_orders(browser: Browser) -> bool:
    """What a guard would find in the browser's next request."""
    app, headers = browser.app, {"Cookie": f"session={browser.cookie}"}
    with app.app_context(), app.test_request_context("/admin/orders", headers=headers):
        user = current_user_or_none()
        return user is not None and bool(user.has_permission("orders:write"))


def test_the_cookie_alone_without_a_row_opens_nothing(browser: Browser) -> None:
    user = make_person()
    browser.sign_in("maya@example.org")

    assert revoke_all_sessions(user_id=user.id) == 1
    assert revoke_all_sessions(user_id=user.id) == 0

    assert not browser.is_signed_in()


def test_the_database_holds_no_token(browser: Browser) -> None:
    make_person()
    browser.sign_in("maya@example.org")

    with browser.client.session_transaction() as cookie:
        token = cookie["session_token"]

    rows = db.session.scalars(select(UserSession)).all()
    assert [token in row.token_hash for row in rows] == [False]
    assert len(rows[0].token_hash) == 64


def test_a_public_page_leaves_visitors_without_a_cookie_alone(browser: Browser) -> None:
    answer = browser.get("/newsletter/check")

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.headers.get("Vary", "")


def test_a_page_of_the_account_leads_through_sign_in_and_back(browser: Browser) -> None:
    make_person()

    answer = browser.get("/account/profile?tab=2")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/login?next=/account/profile?tab%3D2")

    back = browser.submit(answer.headers["Location"], {"email": "maya@example.org", "password": PASSWORD})
    assert back.headers["Location"] == "/account/profile?tab=2"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.test/", "http://evil.test", "//evil.test", "///evil.test", "////evil.test", "/\\evil.test",
        "\\\\evil.test", "\\/evil.test", "/\t/evil.test", "/\n/evil.test", "\t//evil.test", " //evil.test",
        "https:evil.test", "https:/evil.test", "javascript:alert(1)", "data:text/html,x", "evil.test", "@evil.test",
        "/\x00/evil.test", "//localhost@evil.test", "http://localhost.evil.test", "http://localhost:80@evil.test",
        "//evil.test/%2f..", "/%5cevil.test\\", "//%65vil.test", "///localhost/..//evil.test", "https://localhost/",
        "/\r\nSet-Cookie: a=b", "/café", "/\u2028/evil.test", "//[::1]/", "?next=//evil.test", "#//evil.test", "mailto:a@b.c",
        "vbscript:x", "/" + "a" * 501, "\u3002evil.test", "/\u200b/evil.test", "", "/ /evil.test",
    ],
)  # fmt: skip
def test_no_parameter_leads_to_another_site(browser: Browser, target: str) -> None:
    make_person()
    token = browser.read_token("/account/login")

    answer = browser.open(
        "/account/login",
        method="POST",
        query_string={"next": target},
        data={"csrf_token": token, "email": "maya@example.org", "password": PASSWORD, "next": target},
        headers=SAME_ORIGIN,
    )

    # Control characters are refused before the form is looked at.
    assert (answer.status_code, answer.headers.get("Location")) in {(303, "/account/courses"), (400, None)}


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                                     {"Origin": "https://evil.test"}, {"Origin": "null"}])  # fmt: skip
def test_another_site_cannot_sign_somebody_in(browser: Browser, headers: dict[str, str]) -> None:
    make_person()
    token = browser.read_token("/account/login")

    answer = browser.post(
        "/account/login", {"csrf_token": token, "email": "maya@example.org", "password": PASSWORD}, headers=headers
    )

    assert answer.status_code == 403
    assert not browser.is_signed_in()


@pytest.mark.parametrize("path", ["/account/login", "/account/register", "/account/logout", "/account/reset",
                                  "/account/confirm", "/account/link", "/account/profile", "/account/change",
                                  "/account/verify", "/account/sign-out-everywhere"])  # fmt: skip
def test_a_post_without_the_token_is_refused(browser: Browser, path: str) -> None:
    make_person()
    browser.sign_in("maya@example.org")

    answer = browser.post(path, {"name": "Mallory"}, headers=SAME_ORIGIN)

    assert answer.status_code == 400
    assert "open too long" in answer.text
    assert browser.is_signed_in()


def test_fields_that_the_form_does_not_have_are_ignored(browser: Browser) -> None:
    user = make_person()
    browser.sign_in("maya@example.org")

    browser.submit(
        "/account/profile",
        {"name": "Maya O.", "email": "other@example.org", "active": "0", "roles": "owner", "confirmed_at": "",
         "fs_uniquifier": "x", "id": "1", "public_id": "usr_x"},
    )  # fmt: skip

    after = read_back(user.id)
    assert (after.name, after.email, after.active, [role.name for role in after.roles]) == (
        "Maya O.", "maya@example.org", True, ["learner"],
    )  # fmt: skip


def test_too_many_tries_for_one_address_are_refused(browser: Browser, open_browser: OpenBrowser) -> None:
    make_person()

    answers = [open_browser().sign_in("maya@example.org", f"guess number {number}").status_code for number in range(11)]

    assert answers == [422] * 10 + [429]
    assert browser.sign_in("somebody.else@example.org").status_code == 422
