"""The first page of the back-office from the first day of a shop on, and the reports."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import create_engine, text

from tests.browser.looks import list_flaws
from tests.browser.pages import POST
from tests.browser.test_accessibility import OVERFLOWING
from tests.databases import make_database_url
from tests.running import BIN, PASSWORD, RunningShop, wait_until
from tests.shop import course_text

pytestmark = pytest.mark.browser
OWNER = "first-owner@example.org"


@pytest.fixture(scope="module")
def new_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """A shop on its first day: an owner, and nothing else."""
    folder: Path = tmp_path_factory.mktemp("new-shop")
    shop = RunningShop(folder, database_url=make_database_url(folder, "new_shop"))
    shop.flask("db", "upgrade")
    subprocess.run(
        [BIN / "flask", "--app", "app", "users", "create", "--email", OWNER, "--name", "Ana", "--role", "owner",
         "--password-stdin"],
        env=shop.environment, input=PASSWORD, text=True, check=True, capture_output=True,
    )  # fmt: skip
    try:
        shop.start("sandbox", "web", "worker")
        yield shop
    finally:
        shop.stop()


@pytest.fixture(scope="module")
def home(browser: Browser, new_shop: RunningShop) -> Iterator[Page]:
    """The owner's first page, opened after signing in for the first time."""
    context = browser.new_context(base_url=new_shop.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto("/account/login?next=/admin")
    page.fill("[name=email]", OWNER)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/admin*")
    yield page
    context.close()


def import_course(shop: RunningShop, **head: str) -> None:
    path = shop.folder / "course.md"
    path.write_text(course_text(**head))
    shop.flask("courses", "import", str(path))


def list_done(page: Page) -> list[str]:
    """The steps that have ticked themselves."""
    page.goto("/admin")
    steps = page.get_by_role("region", name="Set up your shop").get_by_role("listitem")
    return [
        (step.locator(".what").text_content() or "").partition(".")[0]
        for step in steps.all()
        if step.get_by_role("img", name="Done").count()
    ]


def insert(shop: RunningShop, statement: str, **values: Any) -> None:
    engine = create_engine(shop.database_url)
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


def on_a_phone(page: Page) -> None:
    """The same page 390 px wide, which must not scroll sideways."""
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate(OVERFLOWING) == []


def at_a_desk(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})


def test_row_25_the_first_login_shows_a_list_that_ticks_itself_up_to_a_test_order(
    new_shop: RunningShop, home: Page
) -> None:
    assert [each.split("The")[0] for each in list_done(home)] == ["Connect Stripe"]
    expect(home.get_by_text("Paid orders")).to_have_count(0)
    expect(home.get_by_text("1 of 5 done")).to_be_visible()

    import_course(new_shop, title="First course", prices="[]")
    assert len(list_done(home)) == 2
    expect(home.get_by_text("“First course” has no active price")).to_be_visible()
    import_course(new_shop, title="First course")
    assert len(list_done(home)) == 3

    home.get_by_role("link", name="Open its page").click()
    home.get_by_role("button", name="Enroll — $20").first.click()
    home.wait_for_url(f"{new_shop.sandbox_url}/**")
    session_id = home.url.rstrip("/").rpartition("/")[2].partition("?")[0].partition("#")[0]
    assert new_shop.control(f"/pay/{session_id}", {"name": "Maya Okafor"})[0] == 200

    def is_set_up() -> bool:
        home.goto("/admin")
        return home.get_by_text("Set up your shop").count() == 0

    assert wait_until(is_set_up, 30)
    sales = home.locator(".kpis > div").first.inner_text()
    assert " ".join(sales.split()) == "Sales $20 None in the 30 days before"
    expect(home.get_by_role("img", name="Sales per day, last 30 days, USD")).to_be_visible()
    assert list_flaws(home) == {}
    on_a_phone(home)
    expect(home.get_by_role("img", name="Sales per day, last 30 days, USD")).to_be_visible()
    at_a_desk(home)


def test_row_26_home_lists_what_needs_me_with_its_fix_and_nothing_to_do_says_so(
    new_shop: RunningShop, home: Page
) -> None:
    home.goto("/admin")
    expect(home.get_by_text("Nothing needs you right now.")).to_be_visible()
    insert(
        new_shop,
        "INSERT INTO stripe_events (id, type, livemode, payload, state, received_at, delivery_count, attempt_count,"
        " next_attempt_at, error, replay_count) VALUES ('evt_given_up', 'customer.created', false, '{}', 'failed',"
        " '2026-01-02 03:04:05', 1, 30, '2030-01-01 00:00:00', 'it broke', 0)",
    )
    insert(
        new_shop,
        "INSERT INTO findings (key, kind, detail, created_at)"
        " VALUES ('unknown_order:x', 'unknown_order', 'Stripe names ord_x.', '2026-01-02 03:04:05')",
    )

    home.reload()
    attention = home.get_by_role("region", name="Needs attention")
    expect(attention.get_by_role("listitem")).to_have_count(2)
    on_a_phone(home)
    expect(attention.get_by_role("button", name="Retry")).to_be_visible()
    at_a_desk(home)
    attention.get_by_role("button", name="Retry").click()
    expect(home.get_by_text("1 event will be handled again now.")).to_be_visible()

    def is_handled() -> bool:
        home.goto("/admin")
        return home.get_by_text("1 Stripe event failed").count() == 0

    assert wait_until(is_handled, 30)
    home.get_by_role("link", name="Look into it").click()
    home.get_by_role("button", name="Take it off the list").click()
    expect(home.get_by_role("link", name="Say why it is solved.")).to_be_visible()
    home.get_by_label("Why is it solved?").fill("Another app of ours made it.")
    home.get_by_role("button", name="Take it off the list").click()

    expect(home.get_by_text("Nothing needs you right now.")).to_be_visible()


def test_a_report_has_no_flaw(owner_page: Page) -> None:
    owner_page.goto("/admin/reports?period=90d")

    assert list_flaws(owner_page) == {}


def test_the_way_over_two_posts_and_the_course_page_is_known_without_a_cookie(
    page: Page, running_shop: RunningShop
) -> None:
    page.goto(f"{POST}?utm_source=letter")
    first = POST.removeprefix("/blog/")
    page.get_by_role("region", name="Keep reading").locator("article a").first.click()
    page.wait_for_url("**/blog/*from=*")
    second = page.url.partition("/blog/")[2].partition("?")[0]
    page.locator(".post-related .card__title").click()
    page.wait_for_url("**/courses/*")
    assert page.context.cookies() == []

    page.get_by_role("button", name="Enroll").first.click()
    page.wait_for_url(f"{running_shop.sandbox_url}/**")

    session_id = page.url.rstrip("/").rpartition("/")[2].partition("?")[0].partition("#")[0]
    metadata = running_shop.stripe(f"/v1/checkout/sessions/{session_id}")["metadata"]
    assert {name: metadata[name] for name in ("post_first", "post_last", "post_count", "post_place", "utm_source")} == {
        "post_first": first, "post_last": second, "post_count": "2", "post_place": "side", "utm_source": "letter",
    }  # fmt: skip
