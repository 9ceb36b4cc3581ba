"""The pages of seats over HTTP: who may see and do what, what they say, and hostile input (attacks A25, A48, A55, A62, A79)."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app import clock
from app.db import db, transaction
from app.enrollment.seats import set_seat_statuses
from app.signing import sign_link
from tests.accounts.people import SAME_ORIGIN, Browser, make_person
from tests.conftest import MovableClock
from tests.enrollment.teams import BUYER, Sold, claim_token, live_grants, mails, sell, sell_gift, send_due
from tests.site.test_hostile_input import PAYLOADS, Page

NIA, TOM = "nia@example.org", "tom@example.org"
ACTIONS = ("invite", "resend", "take-back", "reassign", "share", "stop-sharing", "gift")


@pytest.fixture
def guest(app: Flask) -> Browser:
    """Somebody with the order's mailed link and nothing else."""
    return Browser(app)


def seats_url(sold: Sold) -> str:
    return f"{sold.order_link}/seats"


def act(browser: Browser, sold: Sold, action: str, url: str | None = None, **form: Any) -> TestResponse:
    """Send one of the page's forms; its token comes from wherever the page shows a form now."""
    page = url or seats_url(sold)
    token = browser.read_token(page) or browser.read_token("/account/login")
    return browser.post(f"{page}/{action}", {"csrf_token": token, **form}, headers=SAME_ORIGIN)


def read(answer: TestResponse) -> str:
    """What the page says, in one line."""
    main = answer.text.partition("<main")[2].partition("</main>")[0]
    flashes = answer.text.partition('class="wrap flashes"')[2].partition("<main")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", flashes + main).split())


def after(browser: Browser, answer: TestResponse) -> str:
    assert answer.status_code == 303, read(answer)
    return read(browser.get(answer.headers["Location"]))


def claim_url(sold: Sold, position: int = 1) -> str:
    return f"/seats/claim/{claim_token(sold.seat(position))}"


# Who may come in


def test_the_order_links_bearer_sees_the_seats_and_the_order_leads_there(guest: Browser) -> None:
    sold = sell(quantity=3)
    link = sold.order_link

    order = guest.get(link)

    assert f'href="{link}/seats"' in order.text
    assert "3 seats: 3 free" in read(order)
    page = guest.get(f"{link}/seats")
    assert page.status_code == 200
    assert "Send invitations" in page.text
    assert f"/checkout/{sold.price.public_id}?quantity=2&amp;for=team" in page.text


def test_the_account_that_bought_sees_the_seats_from_its_orders(app: Flask) -> None:
    make_person(BUYER)
    sold = sell(quantity=3)
    browser = Browser(app)
    browser.sign_in(BUYER)

    orders = browser.get("/account/orders")

    url = f"/account/orders/{sold.public_id}/seats"
    assert f'href="{url}"' in orders.text
    assert "3 free seats" in read(orders)
    assert browser.get(url).status_code == 200
    assert NIA in after(browser, act(browser, sold, "invite", url, addresses=NIA))


def test_a_single_seat_of_ones_own_needs_no_page(app: Flask) -> None:
    make_person(BUYER)
    sold = sell(quantity=1, purpose="self", takes_seat=True)
    browser = Browser(app)
    browser.sign_in(BUYER)

    assert "/seats" not in browser.get("/account/orders").text
    assert "/seats" not in browser.get(f"/account/orders/{sold.public_id}").text


def test_another_persons_seats_are_not_there(app: Flask) -> None:
    make_person("mallory@example.org")
    sold = sell(quantity=3)
    url = f"/account/orders/{sold.public_id}/seats"
    signed_in, stranger = Browser(app), Browser(app)
    signed_in.sign_in("mallory@example.org")

    for browser, page in ((signed_in, "/account/profile"), (stranger, "/account/login")):
        form = {"csrf_token": browser.read_token(page), "addresses": NIA}
        answers = [browser.get(url)]
        answers += [browser.post(f"{url}/{action}", form, headers=SAME_ORIGIN) for action in ACTIONS]
        assert {answer.status_code for answer in answers} == {404}

    assert [seat.invited_email for seat in sold.seats()] == [None] * 3
    assert mails() == []


def test_an_account_with_the_buyers_address_unproved_is_a_stranger(app: Flask) -> None:
    make_person(BUYER, is_confirmed=False)
    sold = sell(quantity=3)
    browser = Browser(app)
    browser.sign_in(BUYER)

    assert browser.get(f"/account/orders/{sold.public_id}/seats").status_code == 404


def test_the_guests_browser_manages_its_seats_for_a_day(app: Flask, moving_clock: MovableClock) -> None:
    sold, other = sell(quantity=3), sell(quantity=3, user=make_person("owner@example.org"))
    browser = Browser(app)
    browser.get("/account/login")
    with browser.client.session_transaction() as session:
        session["orders"] = [sold.public_id, other.public_id]
    url = f"/account/orders/{sold.public_id}/seats"

    assert browser.get(url).status_code == 200
    assert f'href="{url}"' in browser.get(f"/account/orders/{sold.public_id}").text
    assert browser.get(f"/account/orders/{other.public_id}/seats").status_code == 404
    moving_clock.advance(hours=24, minutes=1)

    assert browser.get(url).status_code == 404
    assert f'href="{url}"' not in browser.get(f"/account/orders/{sold.public_id}").text


@pytest.mark.parametrize("purpose", ["seat-claim", "seat-join", "access", "sign-in"])
def test_a_link_for_something_else_opens_no_seats(guest: Browser, purpose: str) -> None:
    sold = sell(quantity=3)

    assert guest.get(f"/orders/{sign_link(purpose, sold.public_id)}/seats").status_code == 404


def test_another_orders_seat_cannot_be_named(guest: Browser) -> None:
    mine, other = sell(quantity=1), sell(quantity=1)
    act(guest, other, "invite", addresses=NIA)
    seat = other.seat()

    for action in ("resend", "take-back", "reassign"):
        answer = act(guest, mine, action, seat=seat.public_id, email=TOM)
        assert answer.status_code == 404

    assert (other.seat().invited_email, other.seat().claim_version) == (NIA, seat.claim_version)


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
)
def test_another_site_cannot_act(guest: Browser, headers: dict[str, str]) -> None:
    sold = sell(quantity=1)
    token = guest.read_token(seats_url(sold))

    answer = guest.post(f"{seats_url(sold)}/invite", {"csrf_token": token, "addresses": NIA}, headers=headers)

    assert answer.status_code == 403
    assert sold.seat().invited_email is None


def test_a_form_without_its_token_does_nothing(guest: Browser) -> None:
    sold = sell(quantity=1)

    answer = guest.post(f"{seats_url(sold)}/invite", {"addresses": NIA}, headers=SAME_ORIGIN)

    assert answer.status_code == 400
    assert sold.seat().invited_email is None


@pytest.mark.parametrize("action", ["gift", "delete", "", "invite/x", "%00"])
def test_what_is_no_action_is_not_there(guest: Browser, action: str) -> None:
    sold = sell(quantity=1)

    assert act(guest, sold, action).status_code in {400, 404, 405}


# What the owner does


def test_a_pasted_list_says_exactly_what_happened(guest: Browser) -> None:
    sold = sell(quantity=2)
    act(guest, sold, "invite", addresses=TOM)
    typed = f"Name,Email\nNia,{NIA}\nnobody\n{TOM}\nzoe@example.org\n"

    answer = act(guest, sold, "invite", addresses=typed)

    said = read(answer)
    assert answer.status_code == 422
    assert "1 invited, 2 left over" in said
    assert "Line 3: “nobody” isn’t an email address" in said
    assert "No free seat was left for zoe@example.org" in said
    assert f"{TOM} has a seat of this order already" in said
    assert f"{NIA} is invited" in said
    assert re.search(r"<textarea[^>]*>zoe@example.org\nnobody</textarea>", answer.text)
    assert [seat.invited_email for seat in sold.seats()] == [TOM, NIA]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (NIA, f"{NIA} is invited."),
        (f"{NIA};{TOM}", "2 people are invited."),
        (f"{NIA}\n{NIA}", f"{NIA} is invited. 1 address was in the list more than once."),
        (f"{NIA}\n{NIA}\n{TOM}\n{TOM}", "2 people are invited. 2 addresses were in the list more than once."),
    ],
)
def test_a_list_without_trouble_is_summed_up(guest: Browser, typed: str, said: str) -> None:
    sold = sell(quantity=3)

    assert said in after(guest, act(guest, sold, "invite", addresses=typed))


def test_a_list_of_known_addresses_is_no_error(guest: Browser) -> None:
    sold = sell(quantity=3)
    act(guest, sold, "invite", addresses=f"{NIA}\n{TOM}")

    one = after(guest, act(guest, sold, "invite", addresses=NIA))
    two = after(guest, act(guest, sold, "invite", addresses=f"{NIA}\n{TOM}"))

    assert f"{NIA} has a seat of this order already." in one
    assert "2 addresses have a seat of this order already." in two
    assert len(mails()) == 2


@pytest.mark.parametrize("typed", ["", " \n ", "x" * 40_001])
def test_a_list_that_cannot_be_read_stays_in_the_form(guest: Browser, typed: str) -> None:
    sold = sell(quantity=1)

    answer = act(guest, sold, "invite", addresses=typed)

    assert answer.status_code == 400
    assert "Fix 1 thing to continue" in read(answer)
    assert sold.seat().invited_email is None


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_lists_and_names_stay_text(guest: Browser, payload: str) -> None:
    sold = sell(quantity=2, customer_name=payload)
    act(guest, sold, "invite", addresses=NIA)

    pages = [
        act(guest, sold, "invite", addresses=f"{payload}\n{payload}@example.org"),
        act(guest, sold, "reassign", seat=sold.seat().public_id, email=payload),
        act(guest, sold, "share", limit=payload),
        guest.get(claim_url(sold)),
    ]

    assert [page.status_code for page in pages[1:]] == [400, 400, 200]
    assert pages[0].status_code in {303, 422}
    assert [Page(page.text).found for page in pages] == [[]] * 4


@pytest.mark.parametrize(
    "email", ["", "nobody", "a@b", f"{NIA}\r\nBcc: x@example.org", f"{NIA},{TOM}", "x" * 400 + "@example.org"]
)
def test_a_seat_goes_to_exactly_one_address(guest: Browser, email: str) -> None:
    sold = sell(quantity=1)
    act(guest, sold, "invite", addresses=TOM)
    seat = sold.seat()

    answer = act(guest, sold, "reassign", seat=seat.public_id, email=email)

    assert answer.status_code == 400
    assert f'id="email-{seat.public_id}-error"' in answer.text
    assert sold.seat().invited_email == TOM


def test_send_again_take_back_and_give_to_somebody_else(guest: Browser, moving_clock: MovableClock) -> None:
    sold = sell(quantity=1)
    act(guest, sold, "invite", addresses=NIA)
    seat = sold.seat().public_id

    assert "less than 10 minutes ago" in after(guest, act(guest, sold, "resend", seat=seat))
    moving_clock.advance(minutes=11)
    assert f"A new mail to {NIA} is on its way" in after(guest, act(guest, sold, "resend", seat=seat))
    assert f"{TOM} is invited to the seat." in after(guest, act(guest, sold, "reassign", seat=seat, email=TOM))
    assert "The seat is free again." in after(guest, act(guest, sold, "take-back", seat=seat))
    assert sold.seat().invited_email is None


def test_a_used_seat_is_refused_in_a_sentence(guest: Browser, app: Flask) -> None:
    sold = sell(quantity=1)
    act(guest, sold, "invite", addresses=NIA)
    learner = Browser(app)
    lesson = learner.post(claim_url(sold), headers=SAME_ORIGIN).headers["Location"]
    assert learner.get(lesson).status_code == 200

    said = after(guest, act(guest, sold, "take-back", seat=sold.seat().public_id))

    assert "The learner has opened a lesson, so the seat stays theirs." in said
    assert "learning" in said
    assert sold.seat().claimed_by_id is not None


@pytest.mark.parametrize("limit", ["", "0", "-1", "4", "1.5", "1e3", "abc", "٣", "9" * 30, "true"])
def test_a_links_limit_is_a_number_of_seats(guest: Browser, limit: str) -> None:
    sold = sell(quantity=3)

    answer = act(guest, sold, "share", limit=limit)

    assert answer.status_code == 400
    assert 'id="limit-error"' in answer.text


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
