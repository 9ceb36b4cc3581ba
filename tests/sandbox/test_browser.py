"""The pages in a real Chromium: light and dark, wide and narrow; neither the policy nor axe has an objection."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.sandbox.conftest import Driver

CHROMIUM = shutil.which("chromium")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="CHROMIUM IS NOT HERE: no page of the sandbox was looked at"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


def _objections(page: Page) -> list[str]:
    source = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page.evaluate(source)
    found: list[str] = page.evaluate(
        "rules => axe.run(document, {runOnly: rules}).then(r => r.violations.map(v => v.id + ' ' + v.nodes[0].target))",
        RULES,
    )
    return found


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_pages_are_accessible_and_fit(driver: Driver, chromium: Browser, width: int, scheme: str) -> None:
    open_page, paid, expired = driver.session(), driver.session(), driver.session()
    driver.pay(paid.id, card="4000000000001976")
    driver.stripe.v1.checkout.sessions.expire(expired.id)
    driver.control("/levers", {"kind": "webhook_hold"})
    invoiced = driver.session(automatic_tax={"enabled": True}, invoice_creation={"enabled": True})
    driver.pay(invoiced.id, country="DE")
    taxed = driver.session(automatic_tax={"enabled": True}, tax_id_collection={"enabled": True})
    invoice = str(driver.stripe.v1.invoices.list().data[0].hosted_invoice_url).removeprefix(driver.server.url)
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if "Security" in message.text else None)

    problems = {}
    for path in (
        f"/c/pay/{open_page.id}", f"/c/pay/{taxed.id}", f"/c/pay/{paid.id}", f"/c/pay/{expired.id}", "/c/pay/none", "/", "/_sandbox/sessions",
        "/_sandbox/events", "/_sandbox/levers-page", "/_sandbox/balance", "/_sandbox/invoices", invoice,
    ):  # fmt: skip
        page.goto(driver.server.url + path)
        problems[path] = _objections(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    context.close()

    assert {path: found for path, found in problems.items() if found} == {}
    assert refused == []


def test_buying_works_without_javascript_and_by_keyboard(driver: Driver, chromium: Browser) -> None:
    session = driver.session(success_url=f"{driver.server.url}/_sandbox?session={{CHECKOUT_SESSION_ID}}")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()

    page.goto(str(session.url))
    page.fill("#email", "maya@example.org")
    page.click("button[value='4000002760003184']")
    page.press("#email", "Enter")
    page.click("button[value=complete]")

    assert page.url.endswith(f"?session={session.id}")
    assert driver.stripe.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    context.close()
