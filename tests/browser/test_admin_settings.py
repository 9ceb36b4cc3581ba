"""Settings as the owner uses them, and the withdrawal that they switch on, with and without JavaScript."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.looks import list_flaws
from tests.running import RunningShop

pytestmark = pytest.mark.browser
LINK = "Withdraw from contract here"


def save(page: Page) -> None:
    page.locator("#settings-form").get_by_role("button", name="Save").click()
    expect(page.get_by_text("saved. It counts from now on.")).to_be_visible()


def follow_environment(page: Page, section: str) -> None:
    page.goto(f"/admin/settings/{section}")
    button = page.get_by_role("button", name="Follow the environment")
    if button.count():
        button.click()
        expect(button).to_have_count(0)


@pytest.fixture
def brand_page(owner_page: Page) -> Iterator[Page]:
    """The brand's settings, as before once the test is over."""
    owner_page.goto("/admin/settings/brand")
    yield owner_page
    follow_environment(owner_page, "brand")


@pytest.fixture
def withdrawal(owner_page: Page) -> Iterator[Page]:
    """The function is on for as long as the test lasts: the other tests share the shop."""
    owner_page.goto("/admin/settings/withdrawal")
    owner_page.get_by_label("Offer").check()
    save(owner_page)
    yield owner_page
    follow_environment(owner_page, "withdrawal")


@pytest.mark.parametrize("path", ["/admin/settings", "/admin/settings/brand", "/admin/settings/consents",
                                  "/admin/settings/mail", "/admin/orders/withdrawals"])  # fmt: skip
def test_no_page_of_the_settings_has_a_flaw(owner_page: Page, path: str) -> None:
    owner_page.goto(path)

    assert list_flaws(owner_page) == {}


def test_a_setting_is_seen_by_visitors_at_once_and_undone_by_one_click(
    running_shop: RunningShop, brand_page: Page, browser: Browser
) -> None:
    visitor = browser.new_context(base_url=running_shop.url).new_page()
    visitor.goto("/pages/terms")
    name = visitor.locator(".site-footer .brand")
    before = name.inner_text()
    brand_page.get_by_label("Accent color").fill("#ffe000")
    brand_page.locator("#settings-form").get_by_role("button", name="Save").click()
    brand_page.get_by_role("link", name="This color is too pale to be read on white").click()
    expect(brand_page.get_by_label("Accent color")).to_be_focused()
    brand_page.get_by_label("Accent color").fill("#8a2c0d")
    brand_page.get_by_label("Shop name").fill("Corner School")
    save(brand_page)

    visitor.reload()
    expect(name).to_have_text("Corner School")
    assert (
        visitor.evaluate("getComputedStyle(document.body).getPropertyValue('--accent')")
        == "light-dark(#8a2c0d,#cda398)"
    )
    brand_page.get_by_role("button", name="Undo", exact=True).click()
    expect(brand_page.get_by_label("Shop name")).to_have_value(before)

    visitor.reload()
    expect(name).to_have_text(before)
    visitor.context.close()


def test_anybody_can_withdraw_on_a_phone_without_javascript(
    running_shop: RunningShop, withdrawal: Page, browser: Browser
) -> None:
    context = browser.new_context(
        base_url=running_shop.url, viewport={"width": 390, "height": 844}, java_script_enabled=False
    )
    page = context.new_page()
    page.goto("/")
    page.get_by_role("link", name=LINK).click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Fix 2 things to go on")).to_be_visible()
    page.get_by_label("Order number").fill("NSL-999999")
    page.get_by_label("Email address you paid with").fill("nobody@example.org")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Confirm your withdrawal")).to_be_visible()
    page.get_by_role("button", name="Confirm withdrawal").click()

    expect(page.get_by_role("heading", name="Your withdrawal was sent")).to_be_visible()
    expect(page.get_by_text("nobody@example.org")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_no_step_of_a_withdrawal_has_a_flaw(running_shop: RunningShop, withdrawal: Page, browser: Browser) -> None:
    context = browser.new_context(base_url=running_shop.url, reduced_motion="reduce")
    page = context.new_page()
    page.goto("/withdraw")
    flaws = list_flaws(page)
    page.get_by_label("Order number").fill("NSL-999999")
    page.get_by_label("Email address you paid with").fill("nobody@example.org")
    page.get_by_role("button", name="Continue").click()

    expect(page.get_by_role("heading", name="Confirm your withdrawal")).to_be_visible()
    assert (flaws, list_flaws(page)) == ({}, {})
    context.close()
