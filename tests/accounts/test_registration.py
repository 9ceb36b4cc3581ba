"""Registering: the mailed link proves the address, and nobody learns who is a customer (attacks A42, A43, A79)."""

from collections.abc import Callable

import pytest

from app.accounts.models import User
from app.accounts.services import get_or_create_confirmed_user
from app.db import db
from tests.accounts.people import PASSWORD, Browser, list_mails, make_person, read_back, read_link
from tests.conftest import MovableClock

OpenBrowser = Callable[[], Browser]
VICTIM = "maya@example.org"
FORM = {"name": "Maya Okafor", "email": VICTIM, "password": PASSWORD}


def find(email: str) -> User:
    db.session.remove()
    return db.session.query(User).filter_by(email=email).one()


def test_registering_confirming_and_being_signed_in(browser: Browser) -> None:
    answer = browser.submit("/account/register?next=/courses/x", FORM)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/check?about=register")
    assert not browser.is_signed_in()
    assert browser.sign_in(VICTIM).status_code == 422
    [mail] = list_mails()
    assert (mail.template, mail.to_address) == ("confirm_address", VICTIM)

    done = browser.submit(read_link(mail))

    assert (done.status_code, done.headers["Location"]) == (303, "/courses/x")
    assert browser.is_signed_in()
    user = find(VICTIM)
    assert (user.name, [role.name for role in user.roles], user.password is None) == ("Maya Okafor", ["learner"], False)


def test_opening_the_link_alone_confirms_nothing(browser: Browser) -> None:
    browser.submit("/account/register", FORM)
    link = read_link(list_mails()[0])

    for _ in range(3):
        assert browser.get(link).status_code == 200
        assert browser.open(link, method="HEAD").status_code == 200

    assert find(VICTIM).confirmed_at is None


def test_a_confirmation_link_works_once_and_for_two_days(browser: Browser, moving_clock: MovableClock) -> None:
    browser.submit("/account/register", FORM)
    first = read_link(list_mails()[0])
    moving_clock.advance(hours=49)
    assert browser.get(first).status_code == 410

    browser.submit("/account/confirm", {"email": VICTIM})
    second = read_link(list_mails()[1])
    assert browser.submit(second).status_code == 303
    assert browser.get(second).status_code == 410


@pytest.mark.parametrize("proof", ["own confirmation link", "sign-in link", "claim of a seat", "password reset"])
def test_a_password_set_by_a_stranger_opens_nothing_once_the_owner_proves_the_address(
    browser: Browser, open_browser: OpenBrowser, proof: str
) -> None:
    attacker = open_browser()
    attacker.submit("/account/register", FORM)
    link = read_link(list_mails(VICTIM)[0])

    if proof == "own confirmation link":
        answer = browser.submit(link)
        assert answer.headers["Location"] == "/account/change"
    elif proof == "sign-in link":
        browser.submit("/account/link", {"email": VICTIM})
        browser.submit(read_link(list_mails(VICTIM)[-1]))
    elif proof == "claim of a seat":
        get_or_create_confirmed_user(email=VICTIM, name="Maya")
    else:
        browser.submit("/account/reset", {"email": VICTIM})
        new = "seven quiet lighthouses"
        browser.submit(read_link(list_mails(VICTIM)[-1]), {"password": new, "password_confirm": new})

    assert find(VICTIM).confirmed_at is not None
    assert attacker.sign_in(VICTIM).status_code == 422
    assert not attacker.is_signed_in()
    # The attacker's own link and proof are worth nothing any more either.
    assert attacker.get(link).status_code == 410


def test_a_stranger_who_registers_after_the_owner_cannot_swap_the_password(
    browser: Browser, open_browser: OpenBrowser
) -> None:
    browser.submit("/account/register", FORM)
    attacker = open_browser()
    attacker.submit("/account/register", {**FORM, "password": "twelve loud trumpets", "name": "Mallory"})

    browser.submit(read_link(list_mails(VICTIM)[-1]))

    assert browser.is_signed_in()
    assert find(VICTIM).password is None
    assert attacker.sign_in(VICTIM, "twelve loud trumpets").status_code == 422


def test_claiming_a_seat_keeps_a_confirmed_account_as_it_is(browser: Browser) -> None:
    user = make_person(VICTIM)
    browser.sign_in(VICTIM)

    claimed = get_or_create_confirmed_user(email="MAYA@example.org", name="Somebody")

    assert (claimed.id, claimed.name) == (user.id, "Maya Okafor")
    assert browser.is_signed_in()


def test_a_known_address_gets_the_same_answer_and_a_mail_that_says_so(
    browser: Browser, open_browser: OpenBrowser
) -> None:
    user = make_person(VICTIM)
    before = user.password

    known = browser.submit("/account/register", {**FORM, "password": "twelve loud trumpets"})
    unknown = open_browser().submit("/account/register", {**FORM, "email": "nobody@example.org"})

    assert outcome(known) == outcome(unknown)
    assert [mail.template for mail in list_mails(VICTIM)] == ["address_known"]
    assert read_back(user.id).password == before


@pytest.mark.parametrize("path", ["/account/link", "/account/reset", "/account/confirm"])
def test_asking_for_a_link_answers_alike_for_every_address(open_browser: OpenBrowser, path: str) -> None:
    make_person(VICTIM)
    open_browser().submit("/account/register", {**FORM, "email": "waiting@example.org"})

    answers = [outcome(open_browser().submit(path, {"email": email}))
               for email in (VICTIM, "waiting@example.org", "nobody@example.org")]  # fmt: skip

    assert answers[0] == answers[1] == answers[2]
    assert list_mails("nobody@example.org") == []


def test_signing_in_fails_alike_for_every_reason(open_browser: OpenBrowser) -> None:
    make_person(VICTIM)
    make_person("linkonly@example.org", password=None)
    open_browser().submit("/account/register", {**FORM, "email": "waiting@example.org"})

    texts = []
    for email, password in [(VICTIM, "wrong password"), ("nobody@example.org", PASSWORD),
                            ("linkonly@example.org", PASSWORD), ("waiting@example.org", PASSWORD)]:  # fmt: skip
        browser = open_browser()
        answer = browser.sign_in(email, password)
        headers = {name: value for name, value in answer.headers if name not in {"X-Request-Id", "Set-Cookie"}}
        token = browser.read_token("/account/login")
        texts.append((answer.status_code, len(answer.data) - len(email) - len(token), sorted(headers)))

    assert texts[0] == texts[1] == texts[2] == texts[3]


def test_the_mails_that_strangers_can_cause_are_capped(browser: Browser, moving_clock: MovableClock) -> None:
    make_person(VICTIM)
    for _ in range(3):
        for _ in range(10):
            browser.submit("/account/register", FORM)
            browser.submit("/account/link", {"email": VICTIM})
            browser.submit("/account/reset", {"email": VICTIM})
        moving_clock.advance(minutes=1)

    sent = [mail.template for mail in list_mails(VICTIM)]
    assert {name: sent.count(name) for name in set(sent)} == {
        "address_known": 3,
        "sign_in_link": 5,
        "reset_password": 5,
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"email": "not an address"}, {"email": ""}, {"email": "a" * 5000}, {"name": ""}, {"name": "n" * 121},
        {"password": ""}, {"password": "short"}, {"password": "p" * 200_000}, {"password": "maya@example.org"},
        {"email": "maya@example.org\nBcc: x@example.org"}, {"name": "x" * 5000, "password": "1", "email": "@"},
    ],
)  # fmt: skip
def test_a_bad_form_is_named_and_makes_nothing(browser: Browser, fields: dict[str, str]) -> None:
    answer = browser.submit("/account/register", {**FORM, **fields})

    assert answer.status_code == 422
    assert "Fix 1 thing" in answer.text or "Fix 3 things" in answer.text
    assert PASSWORD not in answer.text
    assert db.session.query(User).count() == 0
    assert list_mails() == []


@pytest.mark.parametrize(
    "text", ["\x00", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "\x1b[31m", "a\x7fb"]
)
def test_control_characters_are_refused(browser: Browser, text: str) -> None:
    answer = browser.submit("/account/register", {**FORM, "name": f"Maya{text}"})

    assert answer.status_code in {303, 400}
    assert answer.status_code == 400 or "\x00" not in find(VICTIM).name


def test_fields_of_the_account_cannot_be_set_by_registering(browser: Browser) -> None:
    browser.submit(
        "/account/register",
        {**FORM, "roles": "owner", "is_admin": "1", "confirmed_at": "2020-01-01", "active": "0", "fs_uniquifier": "x",
         "public_id": "usr_x", "id": "77"},
    )  # fmt: skip

    user = find(VICTIM)
    assert (user.confirmed_at, user.active, [role.name for role in user.roles]) == (None, True, ["learner"])
    assert user.public_id != "usr_x"
    assert user.id != 77


@pytest.mark.parametrize("path", ["/account/login", "/account/register", "/account/link", "/account/reset"])
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"[]", "application/json"), (b"null", "application/json"), (b"{" * 60_000, "application/json"),
        (b'{"email": {"a": 1}}', "application/json"), (b'{"email": "maya@example.org"}', "text/plain"),
        (b"\xff\xfe\x00", "application/x-www-form-urlencoded"), (b"email=%00%ff", "application/x-www-form-urlencoded"),
        (b"--x", "multipart/form-data; boundary=x"), (b"", "multipart/form-data"), (b"email=" + b"a" * 400_000,
         "application/x-www-form-urlencoded"),
    ],
)  # fmt: skip
def test_no_body_breaks_a_form(browser: Browser, path: str, body: bytes, content_type: str) -> None:
    answer = browser.post(path, body, content_type=content_type)  # type: ignore[arg-type]

    assert answer.status_code in {400, 413}


def outcome(answer: object) -> tuple[object, ...]:
    """What somebody who asks can see, without what differs for every request."""
    headers = sorted(
        (name, value.partition("=")[0] if name == "Set-Cookie" else value)
        for name, value in answer.headers  # type: ignore[attr-defined]
        if name != "X-Request-Id"
    )
    return answer.status_code, answer.data, headers  # type: ignore[attr-defined]
