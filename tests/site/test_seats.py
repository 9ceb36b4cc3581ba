"""The pages of seats over HTTP: who may see and do what, what they say, and hostile input (attacks A25, A48, A55, A62, A79)."""

import re

import pytest
from flask import Flask

from app.signing import sign_link
from tests.accounts.people import SAME_ORIGIN, Browser, make_person
from tests.conftest import MovableClock
from tests.enrollment.teams import BUYER, mails, sell
from tests.site.seat_pages import act, after, claim_url, read, seats_url
from tests.site.test_hostile_input import PAYLOADS, Page

NIA, TOM = "nia@example.org", "tom@example.org"
ACTIONS = ("invite", "resend", "take-back", "reassign", "share", "stop-sharing", "gift")


@pytest.fixture
def guest(app: Flask) -> Browser:
    """Somebody with the order's mailed link and nothing else."""
    return Browser(app)


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
