"""People with browsers of their own, the mails they get, and the truth in the shop's database (read only)."""

import email
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import requests
from sqlalchemy import Engine, text

from tests.running import RunningShop, wait_until

TIMEOUT_SECONDS = 40
SESSION_ID = re.compile(r"/c/pay/(cs_test_\w+)")

_numbers = count(1)


@dataclass
class Form:
    """A form as it stands on a page: where it posts, and what its hidden fields say."""

    action: str
    fields: dict[str, str]


class FormReader(HTMLParser):
    """Collects the forms of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(values.get("action", ""), {})
            self.forms.append(self._open)
        elif tag == "input" and self._open is not None and values.get("type") == "hidden":
            self._open.fields[values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


class Person:
    """Somebody with a browser: cookies and a network address of their own, and no redirect followed unseen."""

    def __init__(self, shop: RunningShop) -> None:
        number = next(_numbers)
        self.shop = shop
        self.email = f"person{number}@example.org"
        self.http = requests.Session()
        self.http.headers.update(
            # Every part may be killed at any time: a connection kept open would fail for a reason of its own.
            {"Connection": "close", "X-Forwarded-For": f"10.0.{number // 250}.{number % 250 + 1}"}
        )

    def get(self, path: str) -> requests.Response:
        return self.http.get(self._address(path), allow_redirects=False, timeout=TIMEOUT_SECONDS)

    def post(self, path: str, fields: dict[str, str]) -> requests.Response:
        return self.http.post(self._address(path), data=fields, allow_redirects=False, timeout=TIMEOUT_SECONDS)

    def submit(self, path: str, action: str | None = None, **typed: str) -> requests.Response:
        """Open a page and send the form on it that posts to action (None: to the page itself), with what was typed."""
        page = self.get(path)
        assert page.status_code == 200, (path, page.status_code, page.text[:500])
        wanted = action or urlsplit(path).path
        form = next(form for form in FormReader(page.text).forms if urlsplit(form.action).path in {wanted, ""})
        return self.post(form.action or path, {**form.fields, **typed})

    def enroll(self, page: str) -> requests.Response:
        """Press Enroll on a page, as a browser does: its first purchase is sent around once for a cookie."""
        form = next(form for form in FormReader(self.get(page).text).forms if form.action == "/checkout")
        return self.press_enroll(form.fields)

    def press_enroll(self, fields: dict[str, str]) -> requests.Response:
        answer = self.http.post(
            self._address("/checkout"), data=fields, allow_redirects=False, timeout=TIMEOUT_SECONDS,
            headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin"},
        )  # fmt: skip
        if answer.status_code == 307:
            answer = self.post(answer.headers["Location"], fields)
        return answer

    def begin(self, page: str) -> str:
        """Press Enroll; gives the id of the Checkout Session that opens."""
        return session_id_of(self.enroll(page))

    def pay(self, session_id: str, **body: Any) -> dict[str, Any]:
        status, answer = self.shop.control(f"/pay/{session_id}", {"email": self.email, **body})
        assert status == 200, answer
        return answer

    def come_back(self, session_id: str) -> requests.Response:
        return self.get(f"/checkout/success?session_id={session_id}")

    def sign_in(self, address: str, password: str) -> None:
        answer = self.submit("/account/login", email=address, password=password)
        assert answer.status_code == 303, answer.text[:2000]
        self.email = address

    def claim_seat(self) -> str:
        """Open the claim link that was mailed and press the button; gives the lesson's path it leads to."""
        link = self.wait_for_link("/seats/claim/")
        answer = self.submit(link)
        assert answer.status_code == 303, answer.text[:2000]
        return answer.headers["Location"]

    def mails(self, about: str = "") -> list[EmailMessage]:
        """The mails that came for this person, oldest first, those with the text in subject or body."""
        return [mail for mail in list_mails(self.shop) if mail["To"] == self.email and about in read_mail(mail)]

    def wait_for_link(self, path: str) -> str:
        mail = wait_until(lambda: self.mails(path))[-1]
        return find_link(mail, path)

    def _address(self, path: str) -> str:
        return path if path.startswith("http") else self.shop.url + path


@dataclass
class Truth:
    """The shop's database, asked by statements of our own on a connection of our own."""

    engine: Engine

    def one(self, statement: str, **values: Any) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(text(statement), values).one()

    def all(self, statement: str, **values: Any) -> Sequence[Any]:
        with self.engine.connect() as connection:
            return connection.execute(text(statement), values).all()

    def order(self, session_id: str) -> Any:
        return self.one(
            "SELECT o.* FROM orders o JOIN checkout_attempts a ON a.order_id = o.id"
            " WHERE a.stripe_checkout_session_id = :session",
            session=session_id,
        )

    def counts(self, session_id: str) -> dict[str, int]:
        """How often each thing that must be there once is there."""
        order = self.order(session_id)
        row = self.one(
            "SELECT (SELECT count(*) FROM ledger_entries WHERE order_id = :id AND kind = 'payment') AS payments,"
            " (SELECT count(*) FROM messages WHERE key = :receipt) AS receipts,"
            " (SELECT count(*) FROM seats s JOIN order_items i ON i.id = s.order_item_id WHERE i.order_id = :id) AS seats,"
            " (SELECT count(*) FROM grants g JOIN seats s ON s.id = g.seat_id JOIN order_items i ON i.id = s.order_item_id"
            "   WHERE i.order_id = :id AND g.revoked_at IS NULL AND g.suspended_at IS NULL) AS grants,"
            " (SELECT count(*) FROM enrollments e JOIN seats s ON s.claimed_by_id = e.user_id"
            "   JOIN order_items i ON i.id = s.order_item_id WHERE i.order_id = :id) AS enrollments,"
            " (SELECT count(*) FROM orders WHERE number = :number) AS orders_of_number",
            id=order.id,
            receipt=f"receipt:{order.public_id}",
            number=order.number,
        )
        return dict(row._mapping)

    def unfinished(self) -> int:
        """Stored events that wait, and mails that have not gone out."""
        events, mails = self.one(
            "SELECT (SELECT count(*) FROM stripe_events WHERE state = 'received'),"
            " (SELECT count(*) FROM messages WHERE sent_at IS NULL)"
        )
        return int(events + mails)


def list_mails(shop: RunningShop) -> list[EmailMessage]:
    """Everything the shop has mailed, oldest first."""
    found = [email.message_from_string(content, policy=default) for content in shop.mails()]
    assert all(isinstance(mail, EmailMessage) for mail in found)
    return found  # type: ignore[return-value]


def read_mail(mail: EmailMessage) -> str:
    """Subject and plain text."""
    body = mail.get_body(("plain",))
    assert body is not None
    return f"{mail['Subject']}\n{body.get_content()}"


def find_link(mail: EmailMessage, path: str) -> str:
    """The first address in the mail's text whose path begins so."""
    found = re.search(rf"http://[\w.]+:\d+({re.escape(path)}\S+)", read_mail(mail))
    assert found is not None, read_mail(mail)
    return found.group(1)


def session_id_of(answer: requests.Response) -> str:
    assert answer.status_code == 303, (answer.status_code, answer.text[:1500])
    found = SESSION_ID.search(answer.headers["Location"])
    assert found is not None, answer.headers["Location"]
    return found.group(1)
