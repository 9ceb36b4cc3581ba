"""Every mail: both parts, its size, its links, and that data cannot break out of its place."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.mail import rendering
from app.mail.models import Message
from app.mail.rendering import RenderedMail, render_message

TEMPLATES = Path(rendering.__file__).parent / "templates"
SIGNED = {"path": "/x/{token}", "purpose": "x", "value": "y"}
EVIL = "<script>alert(1)</script>\r\nBcc: victim@example.org"
RECEIPT = {
    "order_number": "TU-1001",
    "order_public_id": "ord_1",
    "customer_name": "Maya",
    "items": [
        {"title": "AI Lead Engine Accelerator", "quantity": 1, "total_amount": 9700},
        {"title": "Cloud Cost Control", "quantity": 3, "total_amount": 14700},
    ],
    "subtotal_amount": 24400,
    "discount_amount": 1000,
    "tax_amount": 1872,
    "total_amount": 25272,
    "currency": "usd",
    "paid_at": "2026-11-22T16:48:00+00:00",
    "payment_method_label": "Visa ending in 4242",
    "refund_until": "2026-12-06T16:48:00+00:00",
    "is_guest": False,
    "order_url": SIGNED,
    "button_label": "Start learning",
    "button_url": {"path": "/account/courses", "purpose": "", "value": ""},
}
DATA: dict[str, dict[str, Any]] = {
    "mail_trial": {"sent_at": "2026-11-22T16:48:00+00:00", "sender": "hello@example.org"},
    "withdrawal": {
        "order_number": "TU-1001",
        "items": [{"title": "Course A", "quantity": 1}, {"title": "Course B", "quantity": 3}],
        "withdrawn_at": "2026-11-22T16:48:00+00:00",
        "last_day": "2026-12-06T23:59:59+00:00",
        "verdict": "in_time",
        "refund_state": "by_hand",
    },
    "receipt": RECEIPT,
    "claim_seat": {
        "titles": ["Course A", "Course B"],
        "order_number": "TU-1001",
        "from_name": "Maya Okafor",
        "days": 30,
        "claim_url": SIGNED,
    },
    "gift_seat": {
        "titles": ["Course A"],
        "from_name": "Maya Okafor",
        "recipient_name": "Nia",
        "message": "Happy birthday!\nYours, Maya",
        "days": 30,
        "claim_url": SIGNED,
    },
    "course_given": {
        "title": "Course A",
        "expires_at": "2026-12-06T16:48:00+00:00",
        "is_new": True,
        "courses_url": {"path": "/account/courses", "purpose": "", "value": ""},
    },
    "order_move": {"order_number": "TU-1001", "titles": ["Course A"], "days": 14, "move_url": SIGNED},
    "order_moved": {
        "order_number": "TU-1001",
        "titles": ["Course A", "Course B"],
        "to_masked": "m•••@example.org",
        "days": 7,
        "is_undone": False,
    },
    "seat_lost": {
        "titles": ["Course A"],
        "cause": "reassigned",
        "courses_url": {"path": "/account/courses", "purpose": "", "value": ""},
    },
    "payment_failed": {"titles": ["Course A"], "reason": "Not enough funds.", "course_url": SIGNED},
    "order_refunded": {"order_number": "TU-1001", "amount": 9700, "currency": "usd", "access_closed": True},
    "order_returned": {
        "order_number": "TU-1001",
        "titles": ["Course A"],
        "amount": 9700,
        "currency": "usd",
        "cause": "sold_out",
        "course_url": SIGNED,
    },
    "refund_failed": {"order_number": "TU-1001", "amount": 9700, "currency": "usd", "access_open": True},
    "confirm_address": {"confirm_url": SIGNED},
    "sign_in_link": {"link_url": SIGNED, "minutes": 15},
    "staff_invited": {"link_url": SIGNED, "role": "editor", "days": 3},
    "reset_password": {"reset_url": SIGNED},
    "password_changed": {},
    "address_known": {},
    "newsletter_confirm": {"confirm_url": SIGNED},
    "newsletter_welcome": {"unsubscribe_url": SIGNED},
}
SUBJECTS = {
    "mail_trial": "A test mail from NextSkill Lab",
    "withdrawal": "We received your withdrawal, order TU-1001",
    "course_given": "Course A is open for you",
    "order_move": "Take over order TU-1001",
    "order_moved": "Order TU-1001 has moved to another address",
    "receipt": "Your receipt from NextSkill Lab: $252.72, order TU-1001",
    "claim_seat": "Open Course A and 1 more",
    "gift_seat": "Maya Okafor gave you Course A",
    "seat_lost": "Your seat in Course A has ended",
    "payment_failed": "Your payment for Course A didn’t come through",
    "order_refunded": "$97.00 refunded, order TU-1001",
    "order_returned": "We’re returning $97.00: Course A is full",
    "refund_failed": "Your refund of $97.00 came back to us, order TU-1001",
    "confirm_address": "Confirm your email address for NextSkill Lab",
    "sign_in_link": "Your sign-in link for NextSkill Lab",
    "staff_invited": "You can open the back-office of NextSkill Lab",
    "reset_password": "Choose a new password for NextSkill Lab",
    "password_changed": "Your password for NextSkill Lab has changed",
    "address_known": "You already have an account at NextSkill Lab",
    "newsletter_confirm": "Confirm your subscription to NextSkill Lab",
    "newsletter_welcome": "You’re on the list at NextSkill Lab",
}


class Tags(HTMLParser):
    """The tags and addresses of a mail; fails on what is left open."""

    VOID = frozenset({"meta", "br", "img", "link", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src", "background"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def render(template: str, **changes: Any) -> RenderedMail:
    return render_message(
        Message(
            template=template, to_address="maya@example.org", message_id="<m@x>", data={**DATA[template], **changes}
        )
    )


def test_every_template_is_tested() -> None:
    names = {path.stem for path in TEMPLATES.iterdir() if not path.name.startswith("_")}

    assert names == set(DATA)
    assert all((TEMPLATES / f"{name}.{kind}").exists() for name in names for kind in ("txt", "html"))


@pytest.mark.parametrize("template", sorted(DATA))
def test_a_mail_is_small_complete_and_leads_only_to_us(app: Flask, template: str) -> None:
    mail = render(template)
    page = Tags()
    page.feed(mail.html)

    assert mail.subject == SUBJECTS[template]
    assert page.open == []
    assert len(mail.html.encode()) < 30_000
    assert page.seen.isdisjoint({"script", "img", "link", "form", "iframe", "svg"})
    assert all(address.startswith("http://localhost") for address in page.addresses)
    assert mail.html.count("<h1") == 1
    assert "maya@example.org" in mail.text
    assert "maya@example.org" in mail.html
    for part in (mail.text, mail.html):
        assert "{" not in re.sub(r"<style>.*?</style>", "", part, flags=re.DOTALL)
        assert "None" not in part
    assert "\n\n\n\n" not in mail.text


@pytest.mark.parametrize("template", sorted(DATA))
def test_both_parts_say_where_to_go(app: Flask, template: str) -> None:
    mail = render(template)
    links = set(re.findall(r"http://localhost/[^\s\"<]+", mail.html))

    assert set(re.findall(r"http://localhost/\S+", mail.text)) == links


@pytest.mark.parametrize(
    ("template", "field"),
    [("receipt", "customer_name"), ("receipt", "order_number"), ("receipt", "payment_method_label"),
     ("receipt", "button_label"), ("payment_failed", "reason"), ("claim_seat", "order_number"), ("claim_seat", "from_name"),
     ("gift_seat", "from_name"), ("gift_seat", "recipient_name"), ("gift_seat", "message")],
)  # fmt: skip
def test_data_stays_in_its_place(app: Flask, template: str, field: str) -> None:
    mail = render(template, **{field: EVIL})

    assert "<script" not in mail.html
    assert "\n" not in mail.subject
    assert "\r" not in mail.subject


def test_a_title_cannot_add_a_header(app: Flask) -> None:
    mail = render("claim_seat", titles=[EVIL])

    assert mail.headers == {}
    assert "\n" not in mail.subject
    assert "Bcc" not in mail.subject


def test_the_receipt_counts_every_cent(app: Flask) -> None:
    mail = render("receipt")

    for part in (mail.text, mail.html):
        for text in ("$97.00", "$147.00", "$244.00", "$10.00", "$18.72", "$252.72", "USD", "TU-1001",
                     "Visa ending in 4242", "November 22, 2026", "December 6, 2026", "Start learning"):  # fmt: skip
            assert text in part


def test_a_plain_receipt_shows_no_empty_lines(app: Flask) -> None:
    mail = render("receipt", discount_amount=0, tax_amount=0, refund_until="", payment_method_label="", is_guest=True)

    for part in (mail.text, mail.html):
        for text in ("Subtotal", "Discount", "Tax", "refund until", "Paid with", "paid with"):
            assert text not in part
        assert "Another email brings the link" in part


def test_a_yen_receipt_has_no_cents(app: Flask) -> None:
    mail = render("receipt", currency="jpy", total_amount=9700, items=[])

    assert "¥9,700" in mail.text


@pytest.mark.parametrize(("is_closed", "text"), [(True, "are closed now"), (False, "stay open")])
def test_a_refund_says_what_happens_to_the_courses(app: Flask, is_closed: bool, text: str) -> None:
    mail = render("order_refunded", access_closed=is_closed)

    assert text in mail.text
    assert text in mail.html


SEAT = {"target": "seat", "title": "Course A", "seat_position": 2, "seat_count": 3, "seat_email": "ann@example.org"}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (SEAT, "for seat 2 of 3 of Course A (ann@example.org). That seat is closed now; the others stay open."),
        ({**SEAT, "seat_count": 1, "seat_email": ""}, "of Course A. That seat is closed now."),
        ({"target": "line", "title": "Course A"}, "It was for Course A. Its seats are closed now"),
        ({"target": "amount"}, "Your courses stay open."),
        ({"target": "amount", "access_paused": True}, "courses stay paused until your bank has decided"),
        ({**SEAT, "access_closed": True}, "(ann@example.org). The order’s courses are closed now."),
    ],
)
def test_a_refund_names_what_it_was_for(app: Flask, changes: dict[str, Any], text: str) -> None:
    mail = render("order_refunded", **{"access_closed": False, **changes})

    assert text in mail.text
    assert text in mail.html
    assert ".\n\n--" in mail.text


@pytest.mark.parametrize(
    ("cause", "subject", "text"),
    [
        ("sold_out", "We’re returning $97.00: Course A is full", "after the last seat had gone to somebody else"),
        ("paid_twice", "We’re returning $97.00: order TU-1001 was paid twice", "The first payment counts"),
    ],
)
def test_money_that_goes_back_by_itself_says_why(app: Flask, cause: str, subject: str, text: str) -> None:
    mail = render("order_returned", cause=cause)

    assert mail.subject == subject
    assert text in mail.text
    assert text in mail.html
    assert "There’s nothing you need to do" in mail.text


def test_the_receipt_of_a_gift_names_whom_it_is_for_and_the_day(app: Flask) -> None:
    gift = {"gift_recipient": "Sam", "gift_on": "2026-12-24T08:00:00+00:00", "takes_seat": False, "free_seats": 0}
    mail = render("receipt", **gift)
    at_once = render("receipt", **{**gift, "gift_on": ""})

    for part in (mail.text, mail.html):
        assert "Your gift for Sam goes out by email on December 24, 2026." in part
        assert "open:" not in part
    assert "Your gift for Sam is on its way by email." in at_once.text


def test_the_receipt_of_seats_counts_those_to_give_out(app: Flask) -> None:
    own = render("receipt", takes_seat=True, free_seats=2)
    none_own = render("receipt", takes_seat=False, free_seats=1)

    assert "2 more seats are yours to give out" in own.text
    assert "2 more seats are yours to give out" in own.html
    assert "1 seat is yours to give out" in none_own.text
    assert "1 seat is yours to give out" in none_own.html


def test_the_receipt_names_the_code_and_tax_that_is_included(app: Flask) -> None:
    mail = render("receipt", discount_code="LAUNCH20", is_tax_included=True, total_amount=23400)

    assert "Discount (LAUNCH20): -$10.00" in mail.text
    assert "Tax included: $18.72" in mail.text
    assert "\nTax: " not in mail.text
    assert "Discount (LAUNCH20)" in mail.html
    assert "Tax included" in mail.html


def test_an_invitation_names_who_keeps_the_seat(app: Flask) -> None:
    named, unnamed = render("claim_seat"), render("claim_seat", from_name="")

    for part in (named.text, named.html):
        assert "Maya Okafor bought seats" in part
    for part in (unnamed.text, unnamed.html):
        assert "bought seats" not in part
        assert "A seat is yours in" in part


def test_a_mail_queued_before_names_were_written_still_goes_out(app: Flask) -> None:
    data = {name: value for name, value in DATA["claim_seat"].items() if name != "from_name"}

    mail = render_message(Message(template="claim_seat", to_address="maya@example.org", message_id="<m@x>", data=data))

    assert "A seat is yours in" in mail.text


def test_a_gift_shows_its_message_line_by_line(app: Flask) -> None:
    mail = render("gift_seat")

    assert "Maya Okafor wrote:\n> Happy birthday!\n> Yours, Maya\n" in mail.text
    assert "Happy birthday!<br>Yours, Maya" in mail.html


def test_a_gift_without_names_or_message_reads_well(app: Flask) -> None:
    mail = render("gift_seat", from_name="", recipient_name="", message="")

    assert mail.subject == "A gift for you: Course A"
    assert mail.text.startswith("Somebody gave you:\n- Course A\n")
    assert "wrote" not in mail.text
    assert "m-quote" not in mail.html


@pytest.mark.parametrize(
    ("cause", "text"), [("reassigned", "gave it to somebody else"), ("refunded", "Your progress is kept")]
)
def test_a_lost_seat_says_why(app: Flask, cause: str, text: str) -> None:
    mail = render("seat_lost", cause=cause)

    assert text in mail.text
    assert text in mail.html


def test_only_the_newsletter_carries_list_headers(app: Flask) -> None:
    headers = {name: render(name).headers for name in DATA}

    welcome = headers.pop("newsletter_welcome")
    assert set(map(str, headers.values())) == {"{}"}
    assert welcome["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert re.fullmatch(r"<http://localhost/x/[\w.-]+>", welcome["List-Unsubscribe"])
