"""What tests of seat pages do in them and read from them."""

import re
from typing import Any

from werkzeug.test import TestResponse

from tests.accounts.people import SAME_ORIGIN, Browser
from tests.enrollment.teams import Sold, claim_token


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
