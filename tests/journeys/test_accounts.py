"""Accounts as people meet them: registering, buying, the receipt, signing out, links by mail, the newsletter."""

import re

import pytest

from tests.journeys.people import Person, Truth, find_link, read_mail
from tests.running import RunningShop, wait_until

pytestmark = pytest.mark.journey

COURSE = "/courses/ai-lead-engine-accelerator"
PAID_LESSON = f"{COURSE}/lessons/draw-the-whole-path"
TITLE = "AI Lead Engine Accelerator"
# Not the demo's: nobody else's account may have it.
PASSWORD = "seven-quiet-otters-9"


def test_registered_learner_buys_reads_keeps_the_receipt_and_the_old_cookie_dies(
    person: Person, database: Truth
) -> None:
    registered = person.submit("/account/register", email=person.email, name="Rita Reader", password=PASSWORD)
    assert registered.status_code == 303, registered.text[:2000]
    assert person.get("/account/courses").status_code == 303

    confirmed = person.submit(person.wait_for_link("/account/confirm/"))
    assert confirmed.status_code == 303
    out = person.submit("/account/courses", "/account/logout")
    assert out.status_code == 303
    person.sign_in(person.email, PASSWORD)

    session_id = person.begin(COURSE)
    person.pay(session_id)
    assert "You’re in, Rita" in person.come_back(session_id).text
    assert TITLE in person.get("/account/courses").text
    assert person.get(PAID_LESSON).status_code == 200
    counts = {"payments": 1, "receipts": 1, "seats": 1, "grants": 1, "enrollments": 1, "orders_of_number": 1}
    assert database.counts(session_id) == counts

    order = database.order(session_id)
    assert order.email == person.email
    receipt = person.get(f"/account/orders/{order.public_id}")
    assert receipt.status_code == 200
    assert (f"-{order.number}" in receipt.text, "$97.00" in receipt.text) == (True, True)
    mail = wait_until(lambda: person.mails("Your receipt"))[0]
    assert f"-{order.number}" in mail["Subject"]
    assert person.mails("/seats/claim/") == []

    old_cookie = person.http.cookies.get("session")
    assert person.submit("/account/courses", "/account/logout").status_code == 303
    person.http.cookies.clear()
    person.http.cookies.set("session", old_cookie)
    assert person.get("/account/courses").status_code == 303
    assert person.get(PAID_LESSON).status_code == 303


def test_guest_takes_the_seat_by_the_mailed_link_and_comes_back_by_a_sign_in_link(
    person: Person, make_person, database: Truth
) -> None:
    session_id = person.begin(COURSE)
    person.pay(session_id)
    # On another device: nothing but the mail.
    phone = make_person()
    phone.email = person.email

    lesson = phone.claim_seat()

    assert lesson == f"{COURSE}/lessons/where-inquiries-go-missing"
    assert phone.get(PAID_LESSON).status_code == 200
    assert TITLE in phone.get("/account/courses").text
    counts = {"payments": 1, "receipts": 1, "seats": 1, "grants": 1, "enrollments": 1, "orders_of_number": 1}
    assert database.counts(session_id) == counts
    assert "This seat is taken" in make_person().get(phone.wait_for_link("/seats/claim/")).text

    laptop = make_person()
    laptop.email = person.email
    asked = laptop.submit("/account/link", email=person.email)
    assert asked.status_code == 303
    link = laptop.wait_for_link("/account/link/")
    assert laptop.get(link).status_code == 200
    assert laptop.get("/account/courses").status_code == 303
    assert laptop.submit(link).status_code == 303
    assert TITLE in laptop.get("/account/courses").text
    assert make_person().get(link).status_code in {400, 404, 410}


def test_order_link_in_the_receipt_shows_the_order_without_an_account(person: Person, make_person) -> None:
    session_id = person.begin(COURSE)
    person.pay(session_id)
    link = find_link(wait_until(lambda: person.mails("Your receipt"))[0], "/orders/")

    page = make_person().get(link)

    assert page.status_code == 200
    assert "$97.00" in page.text
    assert make_person().get(link[:-2] + "xx").status_code in {400, 404, 410}


def test_newsletter_needs_a_button_on_both_ways(
    person: Person, make_person, database: Truth, shop: RunningShop
) -> None:
    joined = person.post("/newsletter", {"email": person.email})
    assert joined.status_code == 303
    link = person.wait_for_link("/newsletter/confirm/")

    # A mail scanner opens the link: that alone is no consent.
    assert make_person().get(link).status_code == 200
    assert read_states(database, person) == ["pending"]
    assert person.submit(link).status_code == 303
    assert read_states(database, person) == ["confirmed"]

    welcome = wait_until(lambda: person.mails("You’re on the list"))[0]
    leave = find_link(welcome, "/newsletter/unsubscribe/")
    assert leave in welcome["List-Unsubscribe"]
    assert person.get(leave).status_code == 200
    assert read_states(database, person) == ["confirmed"]
    assert person.post(leave, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert read_states(database, person) == ["unsubscribed"]


def read_states(database: Truth, person: Person) -> list[str]:
    return [
        row.status for row in database.all("SELECT status FROM subscribers WHERE email = :email", email=person.email)
    ]


def test_every_mail_is_plain_and_html_with_absolute_addresses_of_this_shop_only(
    shop: RunningShop, person: Person
) -> None:
    person.pay(person.begin(COURSE))
    mails = wait_until(person.mails)

    for mail in mails:
        html = mail.get_body(("html",)).get_content()
        addresses = re.findall(r'href="([^"]+)"', html) + re.findall(r"https?://\S+", read_mail(mail))
        assert addresses
        assert all(address.startswith(shop.url) for address in addresses if address.startswith("http"))
        assert mail["Message-ID"].endswith("@127.0.0.1>")
