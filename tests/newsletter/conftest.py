"""The browsers of tests.accounts, for the newsletter's pages."""

from collections.abc import Callable

import pytest
from flask import Flask

from app.mail.models import Message
from app.site import limits
from tests.accounts.people import Browser, list_mails


@pytest.fixture(autouse=True)
def answers_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps that answers take are for people with stopwatches; tests need none of them."""
    monkeypatch.setattr(limits, "EVEN_SECONDS", 0.001)


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
