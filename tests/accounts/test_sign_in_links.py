"""Signing in by mail: one link, one use, whoever opens it first."""

import threading
from collections.abc import Callable

from flask import Flask
from sqlalchemy import select

from app import clock
from app.accounts.models import SignInLink, User
from app.accounts.services import get_or_create_confirmed_user
from app.accounts.sign_in_links import request_sign_in_link, use_sign_in_link
from app.db import db, transaction
from app.signing import LinkExpired, read_link
from tests.accounts.people import Browser, list_mails, make_person
from tests.accounts.people import read_link as find_link
from tests.conftest import MovableClock

AT_ONCE = 20
OpenBrowser = Callable[[], Browser]


def ask(browser: Browser, path: str = "/account/link") -> str:
    browser.submit(path, {"email": "maya@example.org"})
    return find_link(list_mails("maya@example.org")[-1])


def test_the_button_signs_in_and_the_link_alone_does_not(browser: Browser, open_browser: OpenBrowser) -> None:
    make_person(password=None)
    link = ask(open_browser(), "/account/link?next=/courses/x/lessons/y")

    page = browser.get(link)
    assert page.status_code == 200
    assert "maya@example.org" in page.text
    assert not browser.is_signed_in()

    answer = browser.submit(link)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/courses/x/lessons/y")
    assert browser.is_signed_in()


def test_a_used_link_is_over(browser: Browser, open_browser: OpenBrowser) -> None:
    make_person()
    link = ask(browser)
    late = open_browser()
    token = late.read_token(link)
    browser.submit(link)

    answer = late.post(link, {"csrf_token": token}, headers={"Sec-Fetch-Site": "same-origin"})

    assert answer.status_code == 410
    assert late.get(link).status_code == 410
    assert not late.is_signed_in()


def test_a_link_ends_after_fifteen_minutes(browser: Browser, moving_clock: MovableClock) -> None:
    make_person()
    link = ask(browser)

    moving_clock.advance(minutes=14, seconds=50)
    assert browser.get(link).status_code == 200
    moving_clock.advance(seconds=20)
    assert browser.get(link).status_code == 410


def test_using_one_link_ends_the_others(browser: Browser, open_browser: OpenBrowser) -> None:
    make_person()
    first, second = ask(open_browser()), ask(open_browser())

    browser.submit(second)

    assert browser.get(first).status_code == 410


def test_a_link_never_leads_to_another_site(browser: Browser) -> None:
    make_person()
    link = ask(browser, "/account/link?next=//evil.test")

    assert browser.submit(link).headers["Location"] == "/account/courses"


def run_at_once(app: Flask, use: Callable[[str], object], token: str) -> list[str]:
    """What twenty threads that start together get."""
    barrier = threading.Barrier(AT_ONCE)
    outcomes: list[str] = []

    def run() -> None:
        with app.app_context():
            barrier.wait()
            try:
                use(token)
            except LinkExpired:
                outcomes.append("late")
            else:
                outcomes.append("won")

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.remove()
    return sorted(outcomes)


def make_token() -> str:
    make_person()
    request_sign_in_link(email="maya@example.org")
    return find_link(list_mails()[-1]).rpartition("/")[2]


def test_of_twenty_uses_at_once_one_wins(app: Flask) -> None:
    assert run_at_once(app, lambda token: use_sign_in_link(token=token), make_token()) == ["late"] * 19 + ["won"]


def test_without_the_conditional_update_several_would_win(app: Flask) -> None:
    """The negative control: the same twenty, looking first and writing afterwards."""
    everybody_looked = threading.Barrier(AT_ONCE)

    def use_carelessly(token: str) -> None:
        public_id = read_link("sign-in", token, max_age_seconds=900)
        link = db.session.scalars(select(SignInLink).where(SignInLink.public_id == public_id)).one()
        link_id, is_used = link.id, link.used_at is not None
        db.session.remove()
        everybody_looked.wait()
        if is_used:
            raise LinkExpired
        with transaction() as session:
            session.get_one(SignInLink, link_id).used_at = clock.now()

    assert run_at_once(app, use_carelessly, make_token()) == ["won"] * AT_ONCE


def test_of_twenty_claims_of_a_new_address_all_get_the_same_account(app: Flask) -> None:
    barrier = threading.Barrier(AT_ONCE)
    ids: list[int] = []

    def claim() -> None:
        with app.app_context():
            barrier.wait()
            ids.append(get_or_create_confirmed_user(email="New@example.org", name="New").id)

    threads = [threading.Thread(target=claim) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ids) == AT_ONCE
    assert len(set(ids)) == 1
    assert db.session.query(User).count() == 1
