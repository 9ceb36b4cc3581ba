"""A running shop and a real Chromium; skipped with a loud line where Chromium is missing, which CI never is."""

import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.pages import Scene
from tests.databases import make_database_url
from tests.running import PASSWORD, RunningShop
from tests.stripe_contract import list_violations

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
# Suggestions of the address bar are a page of Chromium's own, half of what a new window costs; a renderer kept in reserve is
# another. The list replaces Playwright's, so what in that one could change how pages load is named again.
UNUSED_FEATURES = (
    "WebUIOmniboxPopup,WebUIOmniboxFullPopup,WebUIOmniboxAimPopup,SpareRendererForSitePerProcess,HttpsUpgrades,"
    "HttpsFirstBalancedModeAutoEnable,PaintHolding,ThirdPartyStoragePartitioning,OptimizationHints,MediaRouter,LensOverlay,"
    "DestroyProfileOnBrowserClose,AvoidUnnecessaryBeforeUnloadCheckSync"
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    f"--disable-features={UNUSED_FEATURES}",
]


@pytest.fixture(scope="session")
def running_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    folder: Path = tmp_path_factory.mktemp("shop")
    shop = RunningShop(folder, database_url=make_database_url(folder, "browser"))
    shop.prepare()
    try:
        shop.start("sandbox", "web", "worker")
        yield shop
    finally:
        shop.stop()
    assert list_violations(shop.traffic) == []


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        message = "CHROMIUM IS MISSING: the browser tests did not run. Install Debian's package chromium."
        assert os.environ.get("CI") != "true", message
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def scene(browser: Browser, running_shop: RunningShop) -> Iterator[Scene]:
    scene = Scene(running_shop, browser).prepare()
    yield scene
    scene.close()


@pytest.fixture
def context(browser: Browser, running_shop: RunningShop) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=running_shop.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture(scope="session")
def owner_state(browser: Browser, running_shop: RunningShop) -> Any:
    """The cookies of a browser in which the demo's owner has signed in, once for all tests."""
    context = browser.new_context(base_url=running_shop.url)
    page = context.new_page()
    page.goto("/account/login")
    page.fill("[name=email]", "admin@example.org")
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/account/courses")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def owner_page(
    browser: Browser, running_shop: RunningShop, owner_state: Any, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """The back-office as its owner sees it, at 1280 px or as wide as BOTH_WIDTHS says. page.context may open more."""
    width = getattr(request, "param", 1280)
    context = browser.new_context(
        base_url=running_shop.url,
        viewport={"width": width, "height": 900},
        storage_state=owner_state,
        # What still glides when a test points at it is somewhere else when it clicks.
        reduced_motion="reduce",
    )
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()
