"""Which passwords are taken; changing and resetting them through the public door."""

import threading
from collections.abc import Callable

import pytest
from flask import Flask

from app.accounts import passwords
from app.accounts.credentials import reset_password
from app.accounts.passwords import PasswordRefused, check_password, hash_password, is_password_of
from app.db import db
from app.errors import AppError
from app.signing import LinkExpired
from tests.accounts.people import PASSWORD, Browser, list_mails, make_person, read_back, read_link
from tests.conftest import PRODUCT_ARGON2_OPTIONS, MovableClock

OpenBrowser = Callable[[], Browser]
NEXT_PASSWORD = "seven quiet lighthouses"


@pytest.mark.parametrize(
    "password",
    [
        "", "short", "ninechars", "x" * 129, "é" * 129, "password123", "P@ssw0rd2024!", "aaaaaaaaaaaa", "abababababab",
        "1234567890", "0987654321", "qwertyuiop", "QWERTYUIOP1", "maya@example.org", "maya.okafor1", "Maya@Example.Org!",
        "passwordpassword", "letmein2026!!!", "abcabcabcabc", "qazwsxedc123", "abcdefghijkl", "12345123451234512345",
    ],
)  # fmt: skip
def test_passwords_that_others_would_try_first_are_refused(app: Flask, password: str) -> None:
    with pytest.raises(PasswordRefused):
        check_password(password, email="maya.okafor@example.org" if "okafor" in password else "maya@example.org")


@pytest.mark.parametrize(
    "password",
    [PASSWORD, "Tr0ub4dor&3-x9", "дом на берегу реки", "x7$kQ9!mPz", "a" * 5 + "bcdefgh9k" * 8],
)
def test_good_passwords_are_taken_and_fit_only_themselves(app: Flask, password: str) -> None:
    check_password(password, email="maya@example.org")

    stored = hash_password(password)

    # The suite's own, cheap costs: the options do reach the hash.
    assert stored.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert is_password_of(password, stored)
    assert not is_password_of(password + "x", stored)
    assert not is_password_of(password.upper() + "x", stored)
    assert not is_password_of(password, None)


def test_hashes_cost_what_owasp_asks() -> None:
    assert PRODUCT_ARGON2_OPTIONS == {"argon2__memory_cost": 19_456, "argon2__time_cost": 2, "argon2__parallelism": 1}


def test_a_password_is_the_same_however_it_is_composed(app: Flask) -> None:
    stored = hash_password("cafe\u0301 na\u0131ve lights")

    assert is_password_of("caf\u00e9 na\u0131ve lights", stored)


def test_no_more_than_two_hashes_run_at_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, lock = 0, 0, threading.Lock()
    meet = threading.Event()

    def slow_hash(_password: str) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        meet.wait(0.05)
        with lock:
            running -= 1
        return "hash"

    monkeypatch.setattr(passwords, "hash_now", slow_hash)

    threads = [threading.Thread(target=hash_password, args=(PASSWORD,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 2


def test_changing_the_password_signs_every_other_device_out(browser: Browser, open_browser: OpenBrowser) -> None:
    make_person()
    phone = open_browser()
    for each in (browser, phone):
        each.sign_in("maya@example.org")
    stolen = open_browser()
    stolen.plant_cookie(browser.cookie)

    answer = browser.submit("/account/change", {"password": PASSWORD, "new_password": NEXT_PASSWORD,
                                                "new_password_confirm": NEXT_PASSWORD})  # fmt: skip

    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/profile")
    assert [browser.is_signed_in(), phone.is_signed_in(), stolen.is_signed_in()] == [True, False, False]
    assert phone.sign_in("maya@example.org").status_code == 422
    assert phone.sign_in("maya@example.org", NEXT_PASSWORD).status_code == 303
    assert [mail.template for mail in list_mails("maya@example.org")] == ["password_changed"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"password": "not this one"}, "That isn’t your password."),
        ({"new_password": "short", "new_password_confirm": "short"}, "Use at least 10 characters."),
        ({"new_password_confirm": "something else"}, "The two passwords differ."),
        ({"new_password": "x" * 129, "new_password_confirm": "x" * 129}, "Use at most 128 characters."),
        ({"password": ""}, "Enter your password."),
    ],
)
def test_a_refused_change_changes_nothing(browser: Browser, fields: dict[str, str], sentence: str) -> None:
    user = make_person()
    before = user.password
    browser.sign_in("maya@example.org")
    good = {"password": PASSWORD, "new_password": NEXT_PASSWORD, "new_password_confirm": NEXT_PASSWORD}

    answer = browser.submit("/account/change", {**good, **fields})

    assert answer.status_code == 422
    assert sentence in answer.text
    assert read_back(user.id).password == before
    assert browser.is_signed_in()


def test_adding_a_first_password_needs_a_fresh_sign_in(browser: Browser, moving_clock: MovableClock) -> None:
    user = make_person(password=None)
    browser.submit("/account/link", {"email": "maya@example.org"})
    browser.submit(read_link(list_mails()[-1]))
    assert browser.get("/account/change").status_code == 200

    moving_clock.advance(minutes=31)

    answer = browser.get("/account/change")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/verify?next=/account/change")
    assert "Email me a link" in browser.get("/account/verify").text
    assert read_back(user.id).password is None


def test_verifying_makes_a_session_fresh(browser: Browser, moving_clock: MovableClock) -> None:
    make_person()
    browser.sign_in("maya@example.org")
    moving_clock.advance(hours=3)

    wrong = browser.submit("/account/verify?next=/account/change", {"password": "not this one"})
    right = browser.submit("/account/verify?next=/account/change", {"password": PASSWORD})

    assert wrong.status_code == 422
    assert (right.status_code, right.headers["Location"]) == (303, "/account/change")


def request_reset(browser: Browser) -> str:
    browser.submit("/account/reset", {"email": "maya@example.org"})
    return read_link(list_mails("maya@example.org")[-1])


def test_a_mailed_link_resets_the_password_once(browser: Browser, open_browser: OpenBrowser) -> None:
    make_person()
    signed_in = open_browser()
    signed_in.sign_in("maya@example.org")
    link = request_reset(browser)
    fields = {"password": NEXT_PASSWORD, "password_confirm": NEXT_PASSWORD}

    answer = browser.submit(link, fields)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/login")
    assert not signed_in.is_signed_in()
    assert browser.sign_in("maya@example.org", NEXT_PASSWORD).status_code == 303
    assert browser.get(link).status_code == 410
    assert browser.submit(link, fields, page="/account/login").status_code in {400, 410}


def test_a_reset_link_dies_with_a_password_change(browser: Browser, open_browser: OpenBrowser) -> None:
    make_person()
    link = request_reset(browser)
    owner = open_browser()
    owner.sign_in("maya@example.org")
    owner.submit("/account/change", {"password": PASSWORD, "new_password": NEXT_PASSWORD,
                                     "new_password_confirm": NEXT_PASSWORD})  # fmt: skip

    assert browser.get(link).status_code == 410


def test_a_reset_link_ends_after_an_hour(browser: Browser, moving_clock: MovableClock) -> None:
    make_person()
    link = request_reset(browser)

    moving_clock.advance(minutes=59)
    assert browser.get(link).status_code == 200
    moving_clock.advance(minutes=2)
    assert browser.get(link).status_code == 410


def test_a_weak_password_leaves_the_reset_link_good(browser: Browser) -> None:
    make_person()
    link = request_reset(browser)

    answer = browser.submit(link, {"password": "password123", "password_confirm": "password123"})

    assert answer.status_code == 422
    assert browser.get(link).status_code == 200


def test_a_link_for_one_purpose_opens_nothing_else(browser: Browser) -> None:
    make_person()
    token = request_reset(browser).rpartition("/")[2]

    for path in (f"/account/link/{token}", f"/account/confirm/{token}", f"/newsletter/confirm/{token}",
                 f"/account/reset/{token}x", f"/account/reset/{token[:-1]}", "/account/reset/x"):  # fmt: skip
        assert browser.get(path).status_code == 404


def test_of_twenty_resets_at_once_one_wins(app: Flask, browser: Browser) -> None:
    user = make_person()
    token = request_reset(browser).rpartition("/")[2]
    before = read_back(user.id).password
    barrier = threading.Barrier(20)
    outcomes: list[str] = []

    def reset(number: int) -> None:
        with app.app_context():
            barrier.wait()
            try:
                reset_password(token=token, new_password=f"{NEXT_PASSWORD} {number}")
                outcomes.append("won")
            except LinkExpired:
                outcomes.append("late")
            except AppError as error:
                outcomes.append(error.code)

    threads = [threading.Thread(target=reset, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["late"] * 19 + ["won"]
    assert read_back(user.id).password != before
    assert len([mail for mail in list_mails() if mail.template == "password_changed"]) == 1
    db.session.remove()
