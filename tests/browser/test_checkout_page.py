"""Our checkout page in a real browser: seats, a code and a gift, with and without JavaScript, and for everybody's eyes."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.test_accessibility import AXE, LOOKS, OVERFLOWING, RUN_AXE
from tests.browser.test_purchase import COURSE, pay
from tests.running import RunningShop, wait_until

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def code(running_shop: RunningShop) -> str:
    """A code of 20 percent, made the way its owner makes it."""
    running_shop.flask("codes", "create", "TEAM20", "--percent", "20")
    return "TEAM20"


@pytest.fixture(params=["with JavaScript", "without JavaScript"])
def any_context(
    request: pytest.FixtureRequest, browser: Browser, running_shop: RunningShop
) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=running_shop.url, java_script_enabled=request.param == "with JavaScript")
    context.set_default_timeout(15_000)
    yield context
    context.close()


def open_checkout(page: Page) -> None:
    page.goto(COURSE)
    page.get_by_role("link", name="For a team, as a gift, or with a code").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Enroll")


def test_team_pays_what_the_page_said_and_gives_out_a_seat(
    any_context: BrowserContext, code: str, running_shop: RunningShop
) -> None:
    page = any_context.new_page()
    open_checkout(page)

    page.get_by_label("My team").check()
    page.get_by_label("Number of seats").fill("3")
    page.get_by_label("Your email address").fill("lead@example.org")
    page.get_by_label("Promotion code").fill(code)
    page.get_by_role("button", name="Update total").click()
    expect(page.locator("[data-part=sums] .total")).to_contain_text("$232.80 USD")
    page.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(re.compile(r"/c/pay/cs_test_"))
    expect(page.locator("body")).to_contain_text("$232.80")
    pay(page, email=None)

    page.wait_for_url(re.compile(r"/checkout/success\?session_id=cs_test_"))
    expect(page.locator("main")).to_contain_text("3 seats in AI Lead Engine Accelerator")
    page.get_by_role("link", name="Give out the seats").click()
    expect(page.locator("main")).to_contain_text("3 seats")


def test_gift_reaches_its_recipient(any_context: BrowserContext, running_shop: RunningShop) -> None:
    page = any_context.new_page()
    before = len(running_shop.mails("To: ana@example.org"))
    open_checkout(page)

    page.get_by_label("Someone else").check()
    page.get_by_label("Their email address").fill("ana@example.org")
    page.get_by_label("Their name").fill("Ana")
    page.get_by_label("Your name", exact=False).first.fill("Maya")
    page.get_by_label("Message (optional)").fill("Enjoy it")
    page.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(re.compile(r"/c/pay/cs_test_"))
    pay(page, email="giver@example.org")

    page.wait_for_url(re.compile(r"/checkout/success\?session_id=cs_test_"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Your gift is on its way")
    expect(page.get_by_role("link", name="Start lesson 1")).to_have_count(0)
    mails = wait_until(lambda: running_shop.mails("To: ana@example.org")[before:])
    assert "/seats/claim/" in mails[0].replace("=\n", "").replace("=3D", "=")


def test_sums_follow_the_number_of_seats_without_a_button(page: Page) -> None:
    open_checkout(page)

    page.get_by_label("My team").check()
    page.get_by_label("Number of seats").fill("4")
    page.get_by_label("Number of seats").blur()

    expect(page.locator("[data-part=sums] .total")).to_contain_text("$388.00 USD")


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("query", ["", "?for=team&quantity=3&code=TEAM20", "?for=gift&code=NOPE"])
def test_page_is_for_everybody(browser: Browser, running_shop: RunningShop, code: str, look: Any, query: str) -> None:
    width, scheme, options = look
    context = browser.new_context(
        base_url=running_shop.url, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    page = context.new_page()
    page.goto(COURSE)
    address = page.get_by_role("link", name="For a team, as a gift, or with a code").first.get_attribute("href")
    page.goto(f"{address}{query}")

    page.evaluate(AXE)
    assert page.evaluate(RUN_AXE, options) == []
    assert page.evaluate(OVERFLOWING) == []
    context.close()
