"""The back-office around its pages."""

import pytest
from playwright.sync_api import Page

from tests.browser.looks import list_flaws

pytestmark = pytest.mark.browser


def test_the_first_page_has_no_flaw(owner_page: Page) -> None:
    owner_page.goto("/admin")

    assert list_flaws(owner_page) == {}


def test_the_menu_of_a_phone_opens_and_leads_on(owner_page: Page) -> None:
    owner_page.set_viewport_size({"width": 390, "height": 800})
    owner_page.goto("/admin")

    owner_page.locator("details.menu > summary").click()
    owner_page.get_by_role("navigation", name="Menu").get_by_role("link", name="View site").click()

    assert owner_page.url.rstrip("/").count("/") == 2
