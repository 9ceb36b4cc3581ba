"""The page behind the signed link: what it says, what it offers, and what it never shows."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from app import clock
from app.catalog.models import Course
from app.checkout.access_links import make_access_token, make_seat_access_token
from app.checkout.models import Order
from app.db import db, transaction
from app.enrollment.models import Seat
from app.enrollment.seats import claim_seat
from app.formatting import date_long
from app.mail.models import Message
from app.mail.rendering import render_message
from app.signing import sign_link
from tests.accounts.people import SAME_ORIGIN, Browser, list_mails, make_person
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import make_course
from tests.reports.worlds import make_gift, make_grant, make_link_mail, make_order, make_seat

ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.\w+")


def buy_as_guest(shop: Shop, course: Course, email: str = "gia@example.org", **pay: Any) -> str:
    """A guest's order, paid or on its way; gives the path of its access page."""
    started = shop.begin(course, browser="gia")
    shop.pay(started, email=email, **pay)
    shop.deliver_all()
    return f"/access/{make_access_token(started.order_public_id)}"


def claim_path(email: str) -> str:
    mail = [each for each in list_mails(email) if each.key.startswith("claim:")][-1]
    return "/seats/claim/" + render_message(mail).text.partition("/seats/claim/")[2].split()[0]


def read_main(page: str) -> str:
    """The page's own text, without header and footer."""
    main = page.partition('<main id="main"')[2].partition("</main>")[0]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main)))


def test_the_receipt_leads_to_the_page(shop: Shop) -> None:
    course = make_course(title="Knitting")
    buy_as_guest(shop, course)
    receipt = next(each for each in list_mails("gia@example.org") if each.template == "receipt")
    rendered = render_message(receipt)

    found = re.search(r"http://localhost(/access/\S+)", rendered.text)

    assert found is not None
    assert f'href="http://localhost{found.group(1)}"' in rendered.html
    answer = Browser(shop.app).get(found.group(1))
    assert answer.status_code == 200
    assert "<h1>One step is left</h1>" in answer.text


def test_a_guest_reads_one_sentence_and_gets_the_link_again(shop: Shop, moving_clock: MovableClock) -> None:
    course = make_course(title="Knitting")
    path = buy_as_guest(shop, course)
    browser = Browser(shop.app)
    before = len(list_mails("gia@example.org"))
    page = browser.get(path)
    today = date_long(clock.now())
    assert f"Open the link we sent to g•••@example.org on {today}, and Knitting is yours." in read_main(page.text)
    assert "Send the claim link again" in page.text

    early = browser.post(f"{path}/resend", headers=SAME_ORIGIN)
    assert len(list_mails("gia@example.org")) == before
    moving_clock.advance(minutes=11)
    answers = [browser.post(f"{path}/resend", headers=SAME_ORIGIN) for _ in range(3)]

    assert {(each.status_code, each.headers["Location"]) for each in (early, *answers)} == {(303, f"{path}?sent=1")}
    mails = list_mails("gia@example.org")
    assert len(mails) == before + 1
    assert (mails[-1].template, mails[-1].to_address) == ("claim_seat", "gia@example.org")
    assert "it’s on its way to the address that was invited" in browser.get(f"{path}?sent=1").text
    claim_seat(claim_path("gia@example.org").rpartition("/")[2])
    assert "Knitting is open in the account of g•••@example.org." in read_main(browser.get(path).text)


def test_a_link_that_ended_can_be_had_again(shop: Shop, moving_clock: MovableClock) -> None:
    course = make_course(title="Knitting")
    path = buy_as_guest(shop, course)
    moving_clock.advance(days=31)
    browser = Browser(shop.app)
    assert "<h1>The link has ended</h1>" in browser.get(path).text

    browser.post(f"{path}/resend", headers=SAME_ORIGIN)
    queued = browser.get(path).text
    shop.work()
    sent = browser.get(path).text

    assert "<h1>The link has ended</h1>" not in sent
    assert "<h1>One step is left</h1>" in sent
    assert queued != sent
    claim_seat(claim_path("gia@example.org").rpartition("/")[2])


def test_the_owner_opens_the_course_and_others_are_sent_to_sign_in(shop: Shop) -> None:
    course = make_course(title="Knitting")
    maya = make_person("maya@example.org")
    started = shop.buy(course, user=maya)
    path = f"/access/{make_access_token(started.order_public_id)}"
    owner, stranger, noah = Browser(shop.app), Browser(shop.app), Browser(shop.app)
    owner.sign_in("maya@example.org")
    make_person("noah@example.net")
    noah.sign_in("noah@example.net")

    pages = {name: each.get(path).text for name, each in {"owner": owner, "stranger": stranger, "noah": noah}.items()}

    lesson = f"/courses/{course.slug}/lessons/lesson-1"
    assert f'href="{lesson}"><svg' in pages["owner"]
    assert "Open the course" in pages["owner"]
    assert f'href="/account/login?next={lesson}"' in pages["stranger"]
    assert "Go to sign in" in pages["stranger"]
    assert "<h1>It’s in another account</h1>" in pages["noah"]
    assert "you’re signed in as n•••@example.net" in pages["noah"]
    assert "Sign out" in pages["noah"]
    # A stranger and Noah read no whole address of Maya's; in Noah's header stands his own name.
    for name in ("stranger", "noah"):
        assert "maya@example.org" not in pages[name]
        assert "Visa" not in read_main(pages[name])


def test_the_page_looks_at_stripe_itself_and_says_so_when_it_is_silent(shop: Shop, moving_clock: MovableClock) -> None:
    course = make_course(title="Knitting")
    started = shop.begin(course, browser="gia")
    path = f"/access/{make_access_token(started.order_public_id)}"
    browser = Browser(shop.app)
    shop.control("/levers", {"kind": "api_error", "path": "/v1/checkout/sessions*", "method": "GET", "status": 503})
    shop.pay(started, email="gia@example.org")

    silent = browser.get(path).text
    shop.remove_levers()
    moving_clock.advance(seconds=2)
    answered = browser.get(path).text

    assert "<h1>We’re still confirming your payment</h1>" in silent
    assert f'href="{path}"' in silent
    assert "$97.00 paid" in answered
    assert "<h1>Your link is on its way</h1>" in answered


def test_a_bank_that_takes_its_time_is_given_it(shop: Shop) -> None:
    path = buy_as_guest(shop, make_course(title="Knitting"), method="bank_debit")

    page = Browser(shop.app).get(path).text

    assert "<h1>Your bank is still working on it</h1>" in page
    assert "Bank payments can take up to 14 business days, and Knitting opens as soon as yours arrives." in read_main(
        page
    )


def test_a_refund_is_shown_to_its_buyer_and_its_page_to_the_signed_in_one_only(shop: Shop) -> None:
    maya = make_person("maya@example.org")
    started = shop.buy(make_course(title="Knitting"), user=maya)
    intent = db.session.scalars(select(Order.stripe_payment_intent_id)).one()
    shop.control(f"/refund/{intent}")
    shop.deliver_all()
    path = f"/access/{make_access_token(started.order_public_id)}"
    owner = Browser(shop.app)
    owner.sign_in("maya@example.org")

    own, other = owner.get(path).text, Browser(shop.app).get(path).text

    assert "$97.00 went back to you, so Knitting is closed." in read_main(other)
    assert f'href="/account/orders/{started.order_public_id}"' in own
    assert "See the refund" in own
    assert started.order_public_id not in other
    assert 'href="/find-order"' in read_page_part(other, "actions")


def read_page_part(page: str, name: str) -> str:
    return page.partition(f'class="{name}')[2].partition("</div>")[0]


def test_write_to_us_names_the_order(shop: Shop) -> None:
    path = buy_as_guest(shop, make_course(title="Knitting & Yarn"))
    number = db.session.scalars(select(Order.number)).one()

    page = Browser(shop.app).get(path).text

    found = re.search(r'href="mailto:([^?"]+)\?subject=([^"]+)"', page)
    assert found is not None
    assert found.group(1) == shop.settings.mail_from
    assert found.group(2).startswith("Access%20to%20Knitting%20%26%20Yarn%2C%20order%20")
    assert found.group(2).endswith(f"-{number}")


@pytest.mark.parametrize("who", ["order", "seat"])
def test_nobody_elses_address_or_seat_is_on_the_page(shop: Shop, who: str) -> None:
    course = make_course(title="Knitting")
    order = make_order(course, email="boss@example.com", quantity=3, purpose="team")
    make_link_mail(make_seat(order, email="boss@example.com"))
    seat = make_seat(order, email="ann@example.org")
    make_link_mail(seat)
    make_link_mail(make_seat(order, email="carl@example.net"))
    token = make_access_token(order.public_id) if who == "order" else make_seat_access_token(seat.public_id, 1)

    main = read_main(Browser(shop.app).get(f"/access/{token}").text)

    shown = {"order": "b•••@example.com", "seat": "a•••@example.org"}[who]
    assert set(re.findall(r"\w•••@[\w.]+", main)) == {shown}
    assert ADDRESS.findall(main) == []
    assert ("$291.00 paid" in main) is (who == "order")


def test_a_seat_link_dies_when_the_seat_goes_to_somebody_else(shop: Shop) -> None:
    order = make_order(make_course(), email="boss@example.com", quantity=2, purpose="team", takes_seat=False)
    seat = make_seat(order, email="ann@example.org")
    make_link_mail(seat)
    path = f"/access/{make_seat_access_token(seat.public_id, seat.claim_version)}"
    assert Browser(shop.app).get(path).status_code == 200
    with transaction() as session:
        session.execute(update(Seat).values(invited_email="zoe@example.org", claim_version=2))

    answers = [Browser(shop.app).get(path), Browser(shop.app).post(f"{path}/resend", headers=SAME_ORIGIN)]

    assert [each.status_code for each in answers] == [410, 410]
    assert not any("zoe" in each.text or "z•••" in each.text for each in answers)
    assert [each.to_address for each in list_mails()] == ["ann@example.org"]


def test_a_giver_sends_the_gift_again_to_its_recipient(shop: Shop, moving_clock: MovableClock) -> None:
    gil = make_person("gil@example.org")
    order = make_order(make_course(title="Knitting"), buyer=gil, purpose="gift")
    make_gift(order, email="rosa@example.org")
    make_link_mail(make_seat(order, email="rosa@example.org"), template="gift_seat")
    moving_clock.advance(minutes=11)
    path = f"/access/{make_access_token(order.public_id)}"

    page = Browser(shop.app).get(path).text
    Browser(shop.app).post(f"{path}/resend", headers=SAME_ORIGIN)

    assert "<h1>Your gift is waiting to be opened</h1>" in page
    assert [(each.template, each.to_address) for each in list_mails()][1:] == [("gift_seat", "rosa@example.org")]


def test_an_account_reads_its_own_trace_by_course(shop: Shop) -> None:
    maya = make_person("maya@example.org")
    course, draft, owned_draft = make_course(title="Knitting"), make_course(status="draft"), make_course(status="draft")
    make_grant(maya, owned_draft)
    browser = Browser(shop.app)
    path = f"/account/access/{course.slug}"
    assert browser.get(path).headers["Location"].startswith("/account/login?next=")
    browser.sign_in("maya@example.org")

    nothing = browser.get(path)
    make_grant(maya, course)
    opened = browser.get(path)

    assert "We know of no order, invitation or gift of Knitting for m•••@example.org." in read_main(nothing.text)
    assert f'href="/courses/{course.slug}"' in nothing.text
    assert "<h1>Your course is open</h1>" in opened.text
    assert browser.get(f"/account/access/{draft.slug}").status_code == 404
    assert browser.get(f"/account/access/{owned_draft.slug}").status_code == 200
    assert browser.get("/account/access/no-such-course").status_code == 404


def test_an_account_sends_its_own_invitation_again(shop: Shop, moving_clock: MovableClock) -> None:
    make_person("ann@example.org")
    course = make_course()
    order = make_order(course, email="boss@example.com", quantity=2, purpose="team", takes_seat=False)
    make_link_mail(make_seat(order, email="ann@example.org"))
    moving_clock.advance(minutes=11)
    browser = Browser(shop.app)
    browser.sign_in("ann@example.org")

    page = browser.get(f"/account/access/{course.slug}").text
    target = re.search(r'action="(/access/[^"]+/resend)"', page)
    assert target is not None
    browser.post(target.group(1), headers=SAME_ORIGIN)

    assert "boss" not in page
    assert [each.to_address for each in list_mails() if each.key.startswith("claim:")] == ["ann@example.org"] * 2


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c", "A" * 401, "é", "%2e%2e", "%00", "WyJvcmRfMSJd.aaaa.bbbb"],
)
def test_tokens_that_are_not_ours_open_nothing(app: Flask, token: str) -> None:
    browser = Browser(app)

    assert browser.get(f"/access/{token}").status_code in {400, 404}
    assert browser.post(f"/access/{token}/resend", headers=SAME_ORIGIN).status_code in {400, 404, 405}


@pytest.mark.parametrize(
    ("purpose", "value"),
    [
        ("order", ["ord_1"]),
        ("seat-claim", ["seat_1", 1]),
        ("access", "ord_1"),
        ("access", []),
        ("access", ["ord_1", "ord_2"]),
        ("access", ["usr_1"]),
        ("access", ["seat_1"]),
        ("access", [1]),
        ("access", {"ord_1": 1}),
        ("access", None),
        ("access", ["ord_doesnotexist"]),
    ],
)
def test_what_we_signed_for_something_else_opens_nothing(app: Flask, purpose: str, value: Any) -> None:
    assert Browser(app).get(f"/access/{sign_link(purpose, value)}").status_code == 404


def test_a_changed_token_and_another_site_are_refused(shop: Shop) -> None:
    path = buy_as_guest(shop, make_course())
    mails = len(list_mails())
    with transaction() as session:
        session.execute(update(Message).values(created_at=clock.now() - timedelta(hours=1)))
        session.execute(update(Seat).values(claim_expires_at=clock.now()))
    changed = path[:-3] + ("aaa" if path[-3:] != "aaa" else "bbb")

    assert Browser(shop.app).get(changed).status_code == 404
    cross_site = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert Browser(shop.app).post(f"{path}/resend", headers=cross_site).status_code == 403
    assert len(list_mails()) == mails


def test_the_page_is_kept_by_nobody_and_indexed_nowhere(shop: Shop) -> None:
    answer = Browser(shop.app).get(buy_as_guest(shop, make_course()))

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert '<meta name="robots" content="noindex">' in answer.text
    assert "Set-Cookie" not in answer.headers
    assert "Disallow: /access" in Browser(shop.app).get("/robots.txt").text


def test_a_flood_of_requests_is_refused(shop: Shop) -> None:
    path = buy_as_guest(shop, make_course())
    browser = Browser(shop.app)

    resends = [browser.post(f"{path}/resend", headers=SAME_ORIGIN).status_code for _ in range(11)]

    assert resends == [303] * 10 + [429]
