"""Prices and bundles in the back-office, as somebody with a mouse or a phone meets them."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.looks import BOTH_WIDTHS, list_flaws
from tests.browser.pages import find_price, pay, start_checkout
from tests.browser.test_accessibility import OVERFLOWING
from tests.running import RunningShop

pytestmark = pytest.mark.browser

TITLE = "Ship a Web App to the Cloud"
COURSE = "/courses/ship-a-web-app-to-the-cloud"


def open_prices(page: Page) -> str:
    """The prices of a demo course that no other test sells; gives their address."""
    page.goto(f"/admin/courses?q={TITLE.replace(' ', '+')}")
    page.get_by_role("link", name=TITLE, exact=True).click()
    page.get_by_role("link", name="Plans, sales, currencies and history").click()
    expect(page.get_by_role("heading", name="Prices", level=1)).to_be_visible()
    return page.url


def replace_price(page: Page, url: str, amount: str) -> None:
    """From the page of prices to the preview."""
    page.goto(url)
    page.get_by_role("link", name=re.compile("^Replace")).click()
    page.get_by_role("textbox", name="New price").fill(amount)
    page.get_by_role("button", name="Show what changes").click()


def test_every_page_of_prices_and_bundles_has_no_flaw(owner_page: Page) -> None:
    page = owner_page
    flaws = {}
    url = open_prices(page)
    page.goto(f"{url}/change?kind=sale&currency=usd")
    page.get_by_role("textbox", name="Price in the sale").fill("20")
    page.get_by_role("button", name="Show what changes").click()
    expect(page.locator("[data-error-summary]")).to_be_focused()
    flaws["form, refused"] = list_flaws(page)
    page.get_by_label("Starts").fill("2027-11-01T09:00")
    page.get_by_label("Ends").fill("2027-11-08T09:00")
    page.get_by_role("button", name="Show what changes").click()
    flaws["preview"] = list_flaws(page)
    page.get_by_role("button", name="Plan the sale").click()
    expect(page.get_by_role("heading", name="Planned in USD")).to_be_visible()
    flaws["prices"] = list_flaws(page)
    page.get_by_role("link", name=re.compile("^Cancel ")).click()
    flaws["stop"] = list_flaws(page)
    page.get_by_role("button", name="Cancel the sale").click()
    expect(page.get_by_text("will not happen")).to_be_visible()

    page.goto("/admin/bundles/new")
    page.get_by_role("textbox", name="Name").fill("Two of a kind")
    page.get_by_label(TITLE).check()
    page.get_by_role("button", name="Make the bundle").click()
    expect(page.locator("[data-error-summary]")).to_be_focused()
    flaws["new bundle, refused"] = list_flaws(page)
    page.get_by_label("Cloud Cost Control for Engineers").check()
    page.get_by_role("button", name="Make the bundle").click()
    page.get_by_role("textbox", name="New price").fill("99")
    page.get_by_role("button", name="Show what changes").click()
    page.get_by_role("button", name="Set the price to $99.00").click()
    page.get_by_role("link", name="Bundles").first.click()
    flaws["bundles"] = list_flaws(page)
    page.get_by_role("link", name="Two of a kind").click()
    flaws["bundle"] = list_flaws(page)
    page.get_by_role("link", name="View page").click()
    expect(page.get_by_role("button", name="Enroll — $99").first).to_be_visible()
    flaws["the bundle's public page"] = list_flaws(page)

    assert {name: found for name, found in flaws.items() if found} == {}


@BOTH_WIDTHS
def test_row_30_a_new_price_is_typed_previewed_and_old_orders_keep_theirs(
    owner_page: Page, context: BrowserContext, running_shop: RunningShop
) -> None:
    page = owner_page
    url = open_prices(page)
    old = page.locator(".kpis .value").first.inner_text()
    session = start_checkout(context, find_price(context, COURSE))

    new = "117" if page.viewport_size == {"width": 1280, "height": 900} else "119"

    replace_price(page, url, new)

    sentence = page.locator("[data-reach]")
    expect(sentence).to_contain_text(f"1 checkout is open at {old} and keeps it until it expires")
    expect(sentence).to_contain_text("past order")
    page.get_by_role("button", name=f"Replace {old} with ${new}.00").click()
    expect(page.get_by_text(f"costs ${new}.00 now.")).to_be_visible()
    expect(page.locator(".kpis .value").first).to_have_text(f"${new}.00")
    visitor = context.new_page()
    visitor.goto(COURSE)
    expect(visitor.get_by_role("button", name=f"Enroll — ${new}").first).to_be_visible()
    # The checkout that was open is paid at the price it showed.
    assert pay(running_shop, session, email="early@example.org")["redirect_url"]
    amount = running_shop.stripe(f"/v1/checkout/sessions/{session}")["amount_total"]
    assert f"${amount / 100:.2f}" == old


def test_row_36_a_price_is_changed_on_a_phone_without_sideways_scroll(owner_page: Page) -> None:
    page = owner_page
    url = open_prices(page)
    page.set_viewport_size({"width": 390, "height": 844})
    wide = []

    replace_price(page, url, "121.50")
    expect(page.locator("[data-reach]")).to_be_visible()
    wide.append(page.evaluate(OVERFLOWING))
    page.get_by_role("link", name="Change the amount").click()
    expect(page.get_by_role("textbox", name="New price")).to_have_value("121.50")
    wide.append(page.evaluate(OVERFLOWING))
    page.get_by_role("button", name="Show what changes").click()
    page.get_by_role("button", name=re.compile(r"^Replace .* with \$121.50$")).click()
    expect(page.locator(".kpis .value").first).to_have_text("$121.50")
    wide.append(page.evaluate(OVERFLOWING))

    assert [found for found in wide if found] == []
