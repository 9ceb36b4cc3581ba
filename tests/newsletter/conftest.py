"""The browsers of tests.accounts, for the newsletter's pages."""

from tests.accounts.conftest import answers_without_waiting, browser, mails, open_browser

__all__ = ["answers_without_waiting", "browser", "mails", "open_browser"]
