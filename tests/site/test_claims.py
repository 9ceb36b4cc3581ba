"""Taking a seat over HTTP: by the link of a mail, by a team’s shared link, as a gift (attacks A45, A48, A79)."""

import re
from datetime import timedelta

import pytest
from flask import Flask

from app import clock
from app.db import db, transaction
from app.enrollment.seats import set_seat_statuses
from tests.accounts.people import SAME_ORIGIN, Browser, make_person
from tests.conftest import MovableClock
from tests.enrollment.teams import BUYER, Sold, live_grants, mails, sell, sell_gift, send_due
from tests.site.seat_pages import act, after, claim_url, read, seats_url
from tests.site.test_hostile_input import Page

NIA, TOM = "nia@example.org", "tom@example.org"
ACTIONS = ("invite", "resend", "take-back", "reassign", "share", "stop-sharing", "gift")


@pytest.fixture
def guest(app: Flask) -> Browser:
    """Somebody with the order's mailed link and nothing else."""
    return Browser(app)


# Following a claim link


def test_a_claim_page_asks_and_takes_nothing(app: Flask, guest: Browser) -> None:
    sold = sell(quantity=1)
    act(guest, sold, "invite", addresses=NIA)

    page = Browser(app).get(claim_url(sold))

    assert page.status_code == 200
    assert "Maya Okafor keeps a seat for you" in read(page)
    assert NIA not in page.text
    assert 'content="no-referrer"' in page.text
    assert sold.seat().claimed_by_id is None


def test_a_taken_seat_says_so_to_its_holder_and_to_others(app: Flask, guest: Browser) -> None:
    sold = sell(quantity=1, takes_seat=True)
    url = claim_url(sold)
    assert guest.post(url, headers=SAME_ORIGIN).status_code == 303

    assert "The seat is yours" in read(guest.get(url))
    assert "Someone has joined with this link already" in read(Browser(app).get(url))
    assert Browser(app).post(url, headers=SAME_ORIGIN).status_code == 409


def test_somebody_signed_in_as_another_chooses_the_account(app: Flask) -> None:
    person = make_person("maya@work.example")
    sold = sell(quantity=1, takes_seat=True)
    browser, url = Browser(app), claim_url(sold)
    browser.sign_in("maya@work.example")

    page = browser.get(url)
    assert "Put it into maya@work.example" in read(page)
    assert "Join as b•••@example.org" in read(page)
    account = re.search(r'name="account" value="([^"]+)"', page.text)
    assert account is not None
    answer = browser.post(url, {"account": account.group(1)}, headers=SAME_ORIGIN)

    assert answer.status_code == 303
    assert sold.seat().claimed_by_id == person.id
    assert "maya@work.example" in browser.get("/account/profile").text, "still signed in as before"


def test_without_a_choice_the_link_leads_into_the_invited_account(app: Flask) -> None:
    person = make_person("maya@work.example")
    sold = sell(quantity=1, takes_seat=True)
    browser = Browser(app)
    browser.sign_in("maya@work.example")

    browser.post(claim_url(sold), headers=SAME_ORIGIN)

    assert sold.seat().claimed_by_id not in {None, person.id}
    assert BUYER in browser.get("/account/profile").text


def test_a_page_made_for_another_account_moves_nothing(app: Flask) -> None:
    make_person("maya@work.example")
    other = make_person("tom@work.example")
    sold = sell(quantity=1, takes_seat=True)
    browser, stranger, url = Browser(app), Browser(app), claim_url(sold)
    browser.sign_in("maya@work.example")

    for each in (browser, stranger):
        answer = each.post(url, {"account": other.public_id}, headers=SAME_ORIGIN)
        assert (answer.status_code, answer.headers["Location"]) == (303, url)

    assert sold.seat().claimed_by_id is None
    assert live_grants(other.id) == 0
    assert "Choose again where the course should go" in read(browser.get(url))


def test_an_unproved_account_is_not_offered_the_seat(app: Flask) -> None:
    make_person("maya@work.example", is_confirmed=False)
    sold = sell(quantity=1, takes_seat=True)
    browser = Browser(app)
    browser.sign_in("maya@work.example")

    assert "maya@work.example" not in read(browser.get(claim_url(sold)))


def test_whoever_has_the_course_may_leave_the_seat_to_others(app: Flask, guest: Browser) -> None:
    first = sell(quantity=1)
    second = sell(quantity=1, course=first.course)
    for sold in (first, second):
        act(guest, sold, "invite", addresses=NIA)
    learner = Browser(app)
    learner.post(claim_url(first), headers=SAME_ORIGIN)

    page = learner.get(claim_url(second))

    assert "You have this course already. Leave the seat, and it stays free for somebody else." in read(page)
    assert "Take the seat anyway" in read(page)
    assert "You have this course already" in read(Browser(app).get(claim_url(second)))
    assert second.seat().claimed_by_id is None
    assert learner.post(claim_url(second), headers=SAME_ORIGIN).status_code == 303
    assert second.seat().claimed_by_id == first.seat().claimed_by_id


@pytest.mark.parametrize("status", ["suspended", "revoked"])
def test_a_closed_seats_link_says_so(guest: Browser, status: str) -> None:
    sold = sell(quantity=1, takes_seat=True)
    with transaction():
        set_seat_statuses(order_item_ids=[sold.item_id], status=status, refunded_seat_ids=())

    assert "This seat is closed" in read(guest.get(claim_url(sold)))
    assert guest.post(claim_url(sold), headers=SAME_ORIGIN).status_code == 409
    assert sold.seat().claimed_by_id is None


def test_a_withdrawn_link_says_so_and_stays_dead(guest: Browser) -> None:
    sold = sell(quantity=1)
    act(guest, sold, "invite", addresses=NIA)
    url = claim_url(sold)
    act(guest, sold, "take-back", seat=sold.seat().public_id)

    page = guest.get(url)

    assert page.status_code == 410
    assert "This invitation was withdrawn" in read(page)
    assert guest.post(url, headers=SAME_ORIGIN).status_code == 410
    assert sold.seat().claimed_by_id is None


def test_an_expired_link_is_renewed_to_the_invited_address_only(guest: Browser, moving_clock: MovableClock) -> None:
    sold = sell(quantity=1, takes_seat=True)
    send_due()
    url = claim_url(sold)
    moving_clock.advance(days=31)
    page = guest.get(url)
    assert (page.status_code, "Send me a new link" in page.text) == (410, True)

    answers = [guest.post(f"{url}/renew", {"email": "mallory@example.org"}, headers=SAME_ORIGIN) for _ in range(3)]

    assert {(each.status_code, each.headers["Location"]) for each in answers} == {(303, "/seats/claim/renewed")}
    assert [mail.to_address for mail in mails()] == [BUYER, BUYER]
    assert guest.get(claim_url(sold)).status_code == 200
    assert "a new link is on its way" in read(guest.get("/seats/claim/renewed"))


def test_a_withdrawn_links_renewal_gets_the_same_answer_and_no_mail(guest: Browser) -> None:
    sold = sell(quantity=1)
    act(guest, sold, "invite", addresses=NIA)
    url = claim_url(sold)
    act(guest, sold, "reassign", seat=sold.seat().public_id, email=TOM)
    before = len(mails())

    answer = guest.post(f"{url}/renew", headers=SAME_ORIGIN)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/seats/claim/renewed")
    assert len(mails()) == before
    assert guest.post("/seats/claim/nonsense/renew", headers=SAME_ORIGIN).status_code == 404


@pytest.mark.parametrize("token", ["x", "..%2f", "%00", "a" * 5000, "x.y.z", "%f0%9f%92%a9"])
def test_no_token_breaks_a_page(guest: Browser, token: str) -> None:
    for path in (f"/seats/claim/{token}", f"/seats/join/{token}", f"/orders/{token}/seats"):
        assert guest.get(path).status_code in {308, 400, 404, 414}
        assert guest.post(path, headers=SAME_ORIGIN).status_code in {308, 400, 404, 405, 414}


# Joining by a team's link


def share(guest: Browser, sold: Sold, limit: int = 2) -> str:
    page = act(guest, sold, "share", limit=limit)
    html = guest.get(page.headers["Location"]).text
    found = re.search(r'id="link" value="http://localhost(/seats/join/[^"]+)"', html)
    assert found is not None
    return found.group(1)


def test_a_stranger_joins_by_typing_an_address(app: Flask, guest: Browser) -> None:
    sold = sell(quantity=3)
    url = share(guest, sold)
    joiner = Browser(app)
    assert "2 are left" in read(joiner.get(url))

    answer = joiner.post(url, {"email": " NIA@example.org "}, headers=SAME_ORIGIN)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/seats/joined")
    assert "Check your inbox" in read(joiner.get("/seats/joined"))
    assert sold.seat().invited_email == NIA
    assert "1 is left" in read(joiner.get(url))
    assert joiner.post(url, {"email": NIA}, headers=SAME_ORIGIN).headers["Location"] == "/seats/joined"
    assert len(mails()) == 1


def test_a_full_or_ended_link_says_so(app: Flask, guest: Browser, moving_clock: MovableClock) -> None:
    sold = sell(quantity=3)
    url = share(guest, sold, limit=1)
    joiner = Browser(app)
    joiner.post(url, {"email": NIA}, headers=SAME_ORIGIN)

    assert "Every seat is taken" in read(joiner.get(url))
    refused = joiner.post(url, {"email": TOM}, headers=SAME_ORIGIN)
    assert (refused.status_code, refused.headers["Location"]) == (303, url)
    act(guest, sold, "stop-sharing")
    ended = joiner.get(url)
    assert (ended.status_code, "This link has ended" in read(ended)) == (410, True)
    assert joiner.post(url, {"email": TOM}, headers=SAME_ORIGIN).status_code == 410

    expiring = share(guest, sold)
    moving_clock.advance(days=31)
    assert joiner.get(expiring).status_code == 410
    assert "It ended" in read(guest.get(seats_url(sold)))
    assert [seat.invited_email for seat in sold.seats()] == [NIA, None, None]


def test_a_member_joins_with_one_button(app: Flask, guest: Browser) -> None:
    person = make_person(NIA)
    sold = sell(quantity=3)
    url = share(guest, sold)
    member = Browser(app)
    member.sign_in(NIA)
    assert f"Join as {NIA}" in read(member.get(url))

    answer = member.post(url, headers=SAME_ORIGIN)

    assert (answer.status_code, answer.headers["Location"].startswith("/courses/")) == (303, True)
    assert sold.seat().claimed_by_id == person.id
    assert "You’re in already" in read(member.get(url))
    again = member.post(url, headers=SAME_ORIGIN)
    assert (again.status_code, again.headers["Location"]) == (303, url)


@pytest.mark.parametrize("email", ["", "nobody", "a@b,c@d.org", f"{NIA}\r\nBcc: {TOM}", "<script>"])
def test_what_is_no_address_joins_nothing(app: Flask, guest: Browser, email: str) -> None:
    sold = sell(quantity=3)
    url = share(guest, sold)

    answer = Browser(app).post(url, {"email": email}, headers=SAME_ORIGIN)

    assert answer.status_code == 422
    assert 'id="email-error"' in answer.text
    assert (Page(answer.text).found, mails()) == ([], [])


def test_one_address_types_itself_in_five_times_an_hour(app: Flask, guest: Browser) -> None:
    sold = sell(quantity=3)
    url = share(guest, sold)

    codes = [Browser(app).post(url, {"email": NIA}, headers=SAME_ORIGIN).status_code for _ in range(7)]

    assert codes == [303] * 5 + [429] * 2
    assert len(mails()) == 1


# Gifts


def test_a_giver_sees_and_corrects_the_gift(guest: Browser) -> None:
    sold = sell_gift(send_at=clock.now() + timedelta(days=20))
    order = read(guest.get(sold.order_link))
    assert f"It goes to {NIA} on" in order
    page = guest.get(seats_url(sold))
    assert "For Zoe" not in read(page)
    assert "For Nia" in read(page)
    assert "Happy birthday!" in read(page)

    said = after(guest, act(guest, sold, "gift", recipient_email=TOM, gift_on=""))

    assert f"Saved. The gift goes to {TOM}." in said
    assert f"It’s on its way to {TOM}" in said
    assert send_due() == [TOM]
    assert "Nothing was changed." in after(guest, act(guest, sold, "gift", recipient_email=TOM, gift_on=""))


def test_a_giver_sees_that_it_was_taken(app: Flask, guest: Browser) -> None:
    sold = sell_gift()
    Browser(app).post(claim_url(sold), headers=SAME_ORIGIN)

    page = guest.get(seats_url(sold))

    assert f"{NIA} unwrapped it on" in read(page)
    assert "Save changes" not in page.text
    said = after(guest, act(guest, sold, "gift", recipient_email=TOM, gift_on=""))
    assert "The gift has been taken already" in said


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"recipient_email": "nobody", "gift_on": ""}, "recipient_email"),
        ({"recipient_email": "", "gift_on": ""}, "recipient_email"),
        ({"recipient_email": NIA, "gift_on": "tomorrow"}, "gift_on"),
        ({"recipient_email": NIA, "gift_on": "2020-01-01"}, "gift_on"),
        ({"recipient_email": NIA, "gift_on": "9999-12-31"}, "gift_on"),
        ({"recipient_email": NIA, "gift_on": "2026-02-30"}, "gift_on"),
    ],
)
def test_a_gifts_form_says_what_is_wrong(guest: Browser, form: dict[str, str], field: str) -> None:
    sold = sell_gift()
    before = len(mails())

    answer = act(guest, sold, "gift", **form)

    assert answer.status_code == 400
    assert f'id="{field}-error"' in answer.text
    assert (sold.seat().invited_email, len(mails())) == (NIA, before)


def test_a_gift_knows_no_team_actions(guest: Browser) -> None:
    sold = sell_gift()
    seat = sold.seat().public_id

    for action in ("invite", "take-back", "reassign", "share", "stop-sharing"):
        assert act(guest, sold, action, seat=seat, email=TOM, addresses=TOM, limit=1).status_code == 404

    assert sold.seat().invited_email == NIA


def test_a_gifts_message_is_shown_as_it_was_typed(guest: Browser) -> None:
    message = "<b>Dear</b> Nia,\n<script>alert(1)</script>"
    sold = sell_gift(message=message)

    page = guest.get(claim_url(sold))

    assert Page(page.text).found == []
    assert "&lt;b&gt;Dear&lt;/b&gt; Nia,\n&lt;script&gt;" in page.text
    assert "A gift for you, Nia" in read(page)


def test_a_refunded_gift_says_so_and_goes_nowhere(guest: Browser) -> None:
    sold = sell_gift(send_at=clock.now() + timedelta(days=20))
    with transaction():
        set_seat_statuses(order_item_ids=[sold.item_id], status="revoked", refunded_seat_ids=())

    assert "the gift won’t go out" in read(guest.get(seats_url(sold)))
    said = after(guest, act(guest, sold, "gift", recipient_email=TOM, gift_on=""))

    assert "The payment behind it was returned" in said
    db.session.rollback()
    assert sold.seat().invited_email == NIA
