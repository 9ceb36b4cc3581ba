"""Stripe in the back-office, in a real browser: a failed event is seen, read and replayed; every page is without flaw."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import create_engine, text

from tests.browser.looks import BOTH_WIDTHS, list_flaws
from tests.browser.pages import SECOND_COURSE
from tests.running import RunningShop, wait_until

pytestmark = pytest.mark.browser
TYPE = "checkout.session.completed"


def ask(shop: RunningShop, statement: str, **values: Any) -> Any:
    """Run a statement in the shop's database; gives the first value it returns."""
    engine = create_engine(shop.database_url)
    with engine.begin() as connection:
        found = connection.execute(text(statement), values)
        first = found.scalar() if found.returns_rows else None
    engine.dispose()
    return first


def buy(page: Page, shop: RunningShop) -> str:
    """Buy a course; gives the session's id."""
    page.goto(SECOND_COURSE)
    page.get_by_role("button", name="Enroll").first.click()
    page.wait_for_url(f"{shop.sandbox_url}/**")
    session_id = page.url.rstrip("/").rpartition("/")[2].partition("?")[0].partition("#")[0]
    assert shop.control(f"/pay/{session_id}", {"name": "Maya Okafor", "email": "maya-33@example.org"})[0] == 200
    return session_id


def fail_event(shop: RunningShop, session_id: str) -> str:
    """As after a day of tries; gives the event's id."""
    query = "SELECT id FROM stripe_events WHERE object_id = :session AND type = :type AND state = 'handled'"
    event_id = wait_until(lambda: ask(shop, query, session=session_id, type=TYPE), 30)
    ask(
        shop,
        "UPDATE stripe_events SET state = 'failed', attempt_count = 31, handled_at = NULL, error = :error WHERE id = :id",
        id=event_id, error="payment_unavailable",
    )  # fmt: skip
    return str(event_id)


@BOTH_WIDTHS
def test_row_33_a_failed_webhook_is_seen_read_and_replayed(
    owner_page: Page, page: Page, running_shop: RunningShop
) -> None:
    event_id = fail_event(running_shop, buy(page, running_shop))
    owner_page.goto("/admin")
    owner_page.get_by_role("link", name="1 Stripe event failed").click()

    expect(owner_page).to_have_url(f"{running_shop.url}/admin/stripe?view=failed")
    assert list_flaws(owner_page) == {}
    owner_page.get_by_role("link", name=TYPE).click()
    expect(owner_page.get_by_text("Stripe did not answer when the shop asked about it.")).to_be_visible()
    expect(owner_page.get_by_label(f"Payload of {event_id}")).to_contain_text('"type": "checkout.session.completed"')
    assert list_flaws(owner_page) == {}

    owner_page.get_by_role("link", name="Replay…").click()
    dialog = owner_page.get_by_role("dialog")
    expect(dialog.get_by_text("The order agrees with Stripe.")).to_be_visible()
    dialog.get_by_role("button", name="Replay the event").click()

    expect(owner_page.get_by_text("Replayed. The order agrees with Stripe.")).to_be_visible()
    expect(owner_page.locator(".desk-title").get_by_text("Handled")).to_be_visible()
    owner_page.set_viewport_size({"width": 390, "height": 800})
    owner_page.goto("/admin/stripe?view=failed")
    expect(owner_page.get_by_text("Nothing matches")).to_be_visible()


def test_the_other_pages_about_stripe_and_jobs_have_no_flaw(owner_page: Page) -> None:
    owner_page.goto("/admin/stripe/health")
    owner_page.get_by_role("button", name="Check").click()
    expect(owner_page.get_by_text("The worker has handled the event that was sent.")).to_be_visible(timeout=60_000)
    flaws = {"health": list_flaws(owner_page)}
    for name in ("products", "import", "comparison"):
        owner_page.goto(f"/admin/stripe/{name}")
        flaws[name] = list_flaws(owner_page)
    owner_page.goto("/admin/stripe")
    owner_page.locator("tbody a").first.click()
    for name in (f"{owner_page.url}/replay", "/admin/stripe/replay-failed"):
        owner_page.goto(name)
        flaws[name] = list_flaws(owner_page)
    owner_page.goto("/admin/jobs")
    expect(owner_page.get_by_text("Worker runs")).to_be_visible()
    flaws["jobs"] = list_flaws(owner_page)

    assert {name: found for name, found in flaws.items() if found} == {}
