"""A running shop and a real Chromium; skipped with a loud line where Chromium is missing, which CI never is."""

import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.pages import Scene
from tests.databases import make_database_url
from tests.running import RunningShop
from tests.stripe_contract import list_violations

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
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
