"""The page that says why a course is open or not, in a real browser: for eyes, for axe, and without JavaScript."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.pages import COURSE, SECOND_COURSE, find_mailed_link, find_price, local, pay, start_checkout
from tests.browser.test_accessibility import AXE, LOOKS, OVERFLOWING, RUN_AXE, SMALL_TARGETS
from tests.running import RunningShop, wait_until

pytestmark = pytest.mark.browser

GUEST = "grace@example.org"
# Where pictures of the pages go when somebody wants to look at them.
PICTURES = os.environ.get("ACCESS_PICTURES", "")


@pytest.fixture(scope="module")
def paths(browser: Browser, running_shop: RunningShop) -> dict[str, str]:
    """The page's addresses in the states that differ most: a link to use, a course that is open, money gone back."""
    found = {}
    for state, email, course in (
        ("unclaimed", GUEST, COURSE),
        ("refunded", "rita@example.org", COURSE),
        ("open", "olga@example.org", SECOND_COURSE),
    ):
        context = browser.new_context(base_url=running_shop.url)
        outcome = pay(running_shop, start_checkout(context, find_price(context, course)), email=email)
        context.request.get(local(outcome["redirect_url"]))
        found[state] = find_mailed_link(running_shop, email, "/access/")
        if state == "open":
            context.request.post(find_mailed_link(running_shop, email, "/seats/claim/"))
        if state == "refunded":
            running_shop.control(f"/refund/{outcome['payment_intent']}")
            wait_until(lambda at=found[state], by=context: "The money went back" in by.request.get(at).text(), 30)
        context.close()
    return found


@pytest.fixture
def plain(browser: Browser, running_shop: RunningShop) -> Iterator[Page]:
    """A page of a browser without JavaScript."""
    context: BrowserContext = browser.new_context(base_url=running_shop.url, java_script_enabled=False)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("state", ["unclaimed", "open", "refunded"])
def test_axe_finds_nothing_and_nothing_sticks_out(page: Page, paths: dict[str, str], state: str) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(paths[state])
    page.evaluate(AXE)
    findings = {}

    for width, colors, options in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=colors, reduced_motion="reduce")  # type: ignore[arg-type]
        if PICTURES:
            page.screenshot(path=str(Path(PICTURES) / f"access_{state}_{width}_{colors}.png"), full_page=True)
        if found := page.evaluate(RUN_AXE, options):
            findings[f"{width} px, {colors}"] = found
    page.set_viewport_size({"width": 320, "height": 800})

    assert findings == {}
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate(SMALL_TARGETS) == []


def test_the_link_comes_again_without_javascript(plain: Page, running_shop: RunningShop, paths: dict[str, str]) -> None:
    plain.goto(paths["unclaimed"])
    assert plain.get_by_role("heading", level=1).inner_text() == "One step is left"
    assert plain.get_by_text("g•••@example.org", exact=False).count() >= 1
    assert GUEST not in plain.content()

    plain.get_by_role("button", name="Send the claim link again").click()

    plain.wait_for_url(re.compile(r"\?sent=1$"))
    assert plain.get_by_role("status").inner_text().startswith("If the link is still to be used, it’s on its way")


def test_an_open_course_is_one_sign_in_away_from_the_page(plain: Page, paths: dict[str, str]) -> None:
    plain.goto(paths["open"])
    assert plain.get_by_role("heading", level=1).inner_text() == "Your course is open"

    plain.get_by_role("link", name="Go to sign in").click()

    plain.wait_for_url(re.compile(r"/account/login\?next=/courses/"))
