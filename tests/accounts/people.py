"""A browser with cookies that fills in forms as people do, and an inbox."""

import html
import re
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.accounts.models import User
from app.accounts.services import create_user
from app.db import db
from app.mail.models import Message
from app.mail.rendering import render_message

PASSWORD = "eleven green bicycles"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}
TOKEN_FIELD = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Browser:
    """One person's browser. Every request runs in an application context of its own, as in production."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client = app.test_client()

    def open(self, path: str, **options: Any) -> TestResponse:
        with self.app.app_context():
            return self.client.open(path, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.open(path, method="GET", **options)

    def post(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """A POST as it is, without a token and without a browser's headers."""
        return self.open(path, method="POST", data=data, **options)

    def submit(self, path: str, data: dict[str, Any] | None = None, *, page: str | None = None) -> TestResponse:
        """Open the page that holds the form and send it with its token."""
        token = self.read_token(page or path)
        return self.post(path, {"csrf_token": token, **(data or {})}, headers=SAME_ORIGIN)

    def read_token(self, path: str) -> str:
        found = TOKEN_FIELD.search(self.get(path).text)
        return html.unescape(found.group(1)) if found else ""

    def sign_in(self, email: str, password: str = PASSWORD) -> TestResponse:
        return self.submit("/account/login", {"email": email, "password": password})

    def is_signed_in(self) -> bool:
        return self.get("/account/profile").status_code == 200

    @property
    def cookie(self) -> str:
        found = self.client.get_cookie("session")
        return found.value if found is not None else ""

    def plant_cookie(self, value: str) -> None:
        self.client.set_cookie("session", value)


def make_person(email: str = "maya@example.org", *, password: str | None = PASSWORD, **values: Any) -> User:
    """A confirmed learner with a password."""
    values = {"name": "Maya Okafor", "role_names": [], "is_confirmed": True, **values}
    return create_user(email=email, password=password, **values)


def list_mails(to_address: str | None = None) -> list[Message]:
    """The outbox, oldest first."""
    query = select(Message).order_by(Message.id)
    if to_address is not None:
        query = query.where(Message.to_address == to_address)
    db.session.rollback()
    return list(db.session.scalars(query))


def read_link(message: Message) -> str:
    """The path of the one link to our pages in a mail, as its reader gets it."""
    text = render_message(message).text
    public_url = current_app.config["SETTINGS"].public_url
    found = [url for url in re.findall(r"https?://\S+", text) if url.startswith(public_url + "/")]
    return urlsplit(found[0]).path


def read_back(user_id: int) -> User:
    """The user as the database has them, in a fresh session."""
    db.session.remove()
    return db.session.get_one(User, user_id)
