"""The newsletter through the public door: double opt-in, one answer for all, leaving with one click."""

from collections.abc import Callable

import pytest

from app.db import db
from app.mail.rendering import render_message
from app.newsletter.models import Subscriber
from tests.accounts.people import SAME_ORIGIN, Browser, list_mails, read_link
from tests.conftest import MovableClock

EMAIL = "noor@example.org"
OpenBrowser = Callable[[], Browser]


def find() -> Subscriber:
    db.session.remove()
    return db.session.query(Subscriber).filter_by(email=EMAIL).one()


def join(browser: Browser, email: str = EMAIL) -> None:
    answer = browser.post("/newsletter", {"email": email, "source": "/blog/a-post"}, headers=SAME_ORIGIN)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/newsletter/check")
    assert "Set-Cookie" not in answer.headers


def join_and_confirm(browser: Browser) -> str:
    """Gives the path of the unsubscribe link in the welcome mail."""
    join(browser)
    browser.post(read_link(list_mails(EMAIL)[-1]), headers=SAME_ORIGIN)
    return next(path for path in read_paths() if "/unsubscribe/" in path)


def read_paths() -> list[str]:
    words = render_message(list_mails(EMAIL)[-1]).text.split()
    return [word.removeprefix("http://localhost") for word in words if word.startswith("http://localhost/")]


def test_joining_takes_a_mailed_link_and_a_button(browser: Browser) -> None:
    join(browser, "  Noor@EXAMPLE.org ")
    subscriber = find()
    assert (subscriber.status, subscriber.source, subscriber.confirmed_at) == ("pending", "/blog/a-post", None)
    [mail] = list_mails()
    assert (mail.template, mail.to_address, mail.key) == (
        "newsletter_confirm", EMAIL, f"newsletter-confirm:{subscriber.public_id}:1",
    )  # fmt: skip
    link = read_link(mail)

    assert browser.get(link).status_code == 200
    assert find().status == "pending"

    answer = browser.post(link, headers=SAME_ORIGIN)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/newsletter/confirmed")
    assert find().status == "confirmed"
    assert [mail.template for mail in list_mails()] == ["newsletter_confirm", "newsletter_welcome"]


def test_confirming_again_changes_nothing_and_mails_nothing(browser: Browser) -> None:
    join(browser)
    link = read_link(list_mails()[0])
    browser.post(link, headers=SAME_ORIGIN)
    confirmed_at = find().confirmed_at

    assert browser.post(link, headers=SAME_ORIGIN).status_code == 303

    assert find().confirmed_at == confirmed_at
    assert len(list_mails()) == 2


def test_known_waiting_and_gone_addresses_get_one_answer(open_browser: OpenBrowser) -> None:
    answers = []
    for state in ("unknown", "pending", "confirmed", "unsubscribed"):
        if state == "confirmed":
            browser = open_browser()
            browser.post(read_link(list_mails(EMAIL)[-1]), headers=SAME_ORIGIN)
        if state == "unsubscribed":
            path = next(path for path in read_paths() if "/unsubscribe/" in path)
            open_browser().post(path)
        answer = open_browser().post("/newsletter", {"email": EMAIL}, headers=SAME_ORIGIN)
        headers = sorted((name, value) for name, value in answer.headers if name != "X-Request-Id")
        answers.append((answer.status_code, answer.data, headers))

    assert answers[0] == answers[1] == answers[2] == answers[3]


def test_a_confirmed_address_is_not_mailed_again(browser: Browser) -> None:
    join_and_confirm(browser)
    join(browser)

    assert [mail.template for mail in list_mails()] == ["newsletter_confirm", "newsletter_welcome"]
    assert find().status == "confirmed"


def test_at_most_three_mails_a_day_for_one_address(browser: Browser, moving_clock: MovableClock) -> None:
    for _ in range(8):
        join(browser)
    assert len(list_mails(EMAIL)) == 3

    moving_clock.advance(hours=25)
    join(browser)
    assert len(list_mails(EMAIL)) == 4
    assert find().request_count == 9


def test_leaving_and_coming_back(browser: Browser, moving_clock: MovableClock) -> None:
    leave = join_and_confirm(browser)
    old_confirmation = read_link(list_mails()[0])

    assert browser.get(leave).status_code == 200
    assert find().status == "confirmed"
    answer = browser.post(leave, headers=SAME_ORIGIN)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/newsletter/left")
    assert find().status == "unsubscribed"
    # The mail of the first time does not bring anybody back.
    assert browser.post(old_confirmation, headers=SAME_ORIGIN).status_code == 410

    moving_clock.advance(minutes=1)
    join(browser)
    assert find().status == "pending"
    browser.post(read_link(list_mails(EMAIL)[-1]), headers=SAME_ORIGIN)
    subscriber = find()
    assert (subscriber.status, subscriber.unsubscribed_at) == ("confirmed", None)


def test_a_mailbox_provider_unsubscribes_with_one_click(open_browser: OpenBrowser, browser: Browser) -> None:
    leave = join_and_confirm(browser)

    for _ in range(2):
        answer = open_browser().post(leave, {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers

    assert find().status == "unsubscribed"


def test_a_confirmation_link_ends_after_seven_days(browser: Browser, moving_clock: MovableClock) -> None:
    join(browser)
    link = read_link(list_mails()[0])
    moving_clock.advance(days=7, seconds=1)

    assert browser.get(link).status_code == 410
    assert browser.post(link, headers=SAME_ORIGIN).status_code == 410
    assert find().status == "pending"


@pytest.mark.parametrize("email", ["", "noor", "noor@", "a@b@c", "noor@example.org\nBcc: x@example.org", "n" * 3000])
def test_a_bad_address_is_named_and_kept(browser: Browser, email: str) -> None:
    answer = browser.post("/newsletter", {"email": email}, headers=SAME_ORIGIN)

    assert answer.status_code == 422
    assert "Enter an email address like name@example.com." in answer.text
    assert 'value="noor@"' in answer.text or email != "noor@"
    assert "Error: Newsletter" in answer.text
    assert db.session.query(Subscriber).count() == 0


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.test"}])
def test_another_site_cannot_sign_people_up(browser: Browser, headers: dict[str, str]) -> None:
    answer = browser.post("/newsletter", {"email": EMAIL}, headers=headers)

    assert answer.status_code == 403
    assert list_mails() == []


@pytest.mark.parametrize("path", ["confirm", "unsubscribe"])
@pytest.mark.parametrize("token", ["x", "x.y.z", "é", "W10.aaaa.bbbb", "a" * 5000])
def test_a_forged_link_is_not_found(browser: Browser, path: str, token: str) -> None:
    for answer in (browser.get(f"/newsletter/{path}/{token}"), browser.post(f"/newsletter/{path}/{token}")):
        assert answer.status_code == 404


def test_the_form_stands_on_a_page_of_its_own(browser: Browser) -> None:
    answer = browser.get("/newsletter")

    assert answer.status_code == 200
    assert 'action="/newsletter"' in answer.text
    assert "Set-Cookie" not in answer.headers


def test_too_many_posts_are_refused(browser: Browser) -> None:
    codes = [browser.post("/newsletter", {"email": f"n{number}@example.org"}, headers=SAME_ORIGIN).status_code
             for number in range(21)]  # fmt: skip

    assert codes == [303] * 20 + [429]
