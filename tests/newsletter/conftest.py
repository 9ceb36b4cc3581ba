"""The browsers of tests.accounts, for the newsletter's pages."""

from collections.abc import Callable

import pytest
from flask import Flask

from app.mail.models import Message
from tests.accounts.people import Browser, list_mails


@pytest.fixture
def open_browser(app: Flask) -> Callable[[], Browser]:
    """Makes browsers that share nothing with each other."""
    return lambda: Browser(app)


@pytest.fixture
def browser(open_browser: Callable[[], Browser]) -> Browser:
    return open_browser()


@pytest.fixture
def mails(app: Flask) -> Callable[..., list[Message]]:
    return list_mails
