"""Orders in the back-office, as the owner uses them: one test for each row of the checklist, and no flaw on any page."""

import csv
import io
import json
import re
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.looks import BOTH_WIDTHS, list_flaws
from tests.browser.pages import COURSE, SECOND_COURSE, find_price, pay, start_checkout
from tests.running import RunningShop, wait_until

pytestmark = pytest.mark.browser
BUYER = "amara.orders@example.org"


@dataclass(frozen=True)
class Bought:
    """An order as Stripe and the shop know it."""

    public_id: str
    number: str
    session: str
    payment_intent: str


@pytest.fixture(scope="module")
def bought(running_shop: RunningShop, browser: Browser) -> Bought:
    """Two paid orders of one buyer at 97 and 29 dollars; gives the first."""
    context = browser.new_context(base_url=running_shop.url)
    found = []
    for course in (COURSE, SECOND_COURSE):
        session = start_checkout(context, find_price(context, course))
        intent = pay(running_shop, session, name="Amara Diallo", email=BUYER)["payment_intent"]
        found.append((session, intent))
        context.clear_cookies()
    context.close()
    path = f"/v1/checkout/sessions/{found[0][0]}"
    public_id = running_shop.stripe(path)["client_reference_id"]
    number = wait_until(lambda: _find_number(running_shop, public_id), 60)
    return Bought(public_id=public_id, number=str(number), session=found[0][0], payment_intent=found[0][1])


def _find_number(shop: RunningShop, public_id: str) -> str:
    """The number of an order once both purchases of the buyer are settled."""
    orders = json.loads(shop.flask("orders", "list", "--email", BUYER, "--json"))["orders"]
    numbers = {each["order"]: each["number"] for each in orders if each["number"]}
    return numbers.get(public_id, "") if len(numbers) == 2 else ""


def refund_in_dialog(page: Page, amount: str) -> None:
    page.get_by_role("link", name="Refund…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Amount").fill(amount)
    dialog.get_by_role("button", name=f"Refund ${amount}").wait_for()


@BOTH_WIDTHS
def test_row_27_any_order_is_found_by_address_number_and_stripe_id(owner_page: Page, bought: Bought) -> None:
    for text in (bought.number, bought.payment_intent, bought.session, bought.public_id):
        owner_page.goto("/admin")
        owner_page.keyboard.press("/")
        owner_page.keyboard.type(text)
        owner_page.keyboard.press("Enter")
        owner_page.wait_for_url(f"**/admin/orders/{bought.public_id}")
    owner_page.goto(f"/admin/search?q={BUYER}")
    assert owner_page.locator("tbody tr").count() == 2
    assert list_flaws(owner_page) == {}
    owner_page.goto("/admin/search?q=pi_nothing_is_called_this")
    assert owner_page.get_by_text("Nothing found for").is_visible()


@BOTH_WIDTHS
def test_row_28_filters_live_in_the_url_and_come_off_as_chips(owner_page: Page, bought: Bought) -> None:
    owner_page.goto("/admin/orders")
    owner_page.get_by_role("navigation", name="Orders by state").get_by_role("link", name=re.compile("^Paid")).click()
    owner_page.get_by_label("Name, email, order or Stripe ID").fill("amara")
    owner_page.get_by_label("Course", exact=True).select_option(label="AI Lead Engine Accelerator")
    owner_page.get_by_role("button", name="Apply").click()
    owner_page.wait_for_url(re.compile("view=paid.*q=amara.*course=crs_"))
    url = owner_page.url
    assert owner_page.locator("tbody tr").count() == 1

    owner_page.reload()
    assert (owner_page.url, owner_page.locator("tbody tr").count()) == (url, 1)
    owner_page.get_by_role("link", name=bought.number).click()
    owner_page.wait_for_url(f"**/admin/orders/{bought.public_id}")
    owner_page.go_back()
    assert owner_page.url == url
    owner_page.get_by_role("link", name=re.compile("Remove filter Course")).click()
    owner_page.wait_for_url(re.compile("view=paid&q=amara$"))
    assert owner_page.locator("tbody tr").count() == 2
    owner_page.get_by_role("link", name="Clear all").click()
    owner_page.wait_for_url(re.compile(r"/admin/orders\?view=paid$"))
    assert list_flaws(owner_page) == {}


@BOTH_WIDTHS
def test_row_29_the_csv_is_the_filtered_list_with_its_count_and_sum(owner_page: Page, bought: Bought) -> None:
    owner_page.goto("/admin/orders?q=amara")
    line = owner_page.locator(".result-line").inner_text()
    numbers = owner_page.locator("tbody th").all_inner_texts()

    with owner_page.expect_download() as download:
        owner_page.get_by_role("link", name="Export CSV").click()

    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8"))))
    assert [row["number"] for row in rows] == numbers
    assert sum(int(row["paid"]) for row in rows) == 12_600
    assert line == "2 orders, $126.00 paid"


def test_row_31_and_36_a_refund_on_a_phone_shows_who_gets_what_and_runs_once(
    owner_page: Page, bought: Bought, running_shop: RunningShop
) -> None:
    owner_page.set_viewport_size({"width": 390, "height": 844})
    owner_page.goto(f"/admin/orders/{bought.public_id}")
    refund_in_dialog(owner_page, "20.00")
    dialog = owner_page.get_by_role("dialog")
    assert "Up to $97.00 of $97.00 is left" in dialog.inner_text()
    assert "Amara Diallo gets $20.00 back on Visa ending 4242 in 5–10 days" in dialog.inner_text()
    assert "$77.00 can still be refunded afterwards" in dialog.inner_text()
    assert owner_page.evaluate("document.documentElement.scrollWidth") == 390
    assert dialog.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
    rival = owner_page.context.new_page()
    rival.goto(f"/admin/orders/{bought.public_id}/refund?what=amount&amount=20.00")

    dialog.get_by_role("button", name="Refund $20.00").dblclick()
    owner_page.get_by_text("$20.00 is on its way back").wait_for()
    rival.get_by_role("button", name="Refund $20.00").click()

    rival.get_by_text("Nothing more was refunded").wait_for()
    refunds = running_shop.stripe(f"/v1/refunds?payment_intent={bought.payment_intent}")["data"]
    assert [each["amount"] for each in refunds] == [2000]
    assert rival.get_by_role("button", name="Refund $77.00").is_visible()
    rival.set_viewport_size({"width": 1280, "height": 900})
    assert list_flaws(rival) == {}


def test_row_31_the_refund_works_without_javascript_at_a_desk(
    browser: Browser, owner_state: dict[str, object], running_shop: RunningShop, bought: Bought
) -> None:
    context: BrowserContext = browser.new_context(
        base_url=running_shop.url, storage_state=owner_state, java_script_enabled=False,  # type: ignore[arg-type]
        viewport={"width": 1280, "height": 900},
    )  # fmt: skip
    page = context.new_page()
    page.goto(f"/admin/orders/{bought.public_id}")
    page.get_by_role("link", name="Refund…").click()
    page.get_by_label("Amount").fill("7")
    page.get_by_role("button", name="Show what it does").click()
    page.get_by_role("button", name="Refund $7.00").click()

    assert page.get_by_text("$7.00 is on its way back").is_visible()
    context.close()


@BOTH_WIDTHS
def test_row_32_the_order_explains_every_cent_and_who_did_what(owner_page: Page, bought: Bought) -> None:
    owner_page.goto(f"/admin/orders/{bought.public_id}")
    owner_page.get_by_label("Add a note only your team sees").fill("Agreed on the phone")
    owner_page.get_by_role("button", name="Add note").click()
    owner_page.get_by_text("Note from Ana Admin").first.wait_for()

    totals = owner_page.locator("[data-totals]").inner_text()
    amounts = [
        int(sign.replace("−", "-") + digits.replace(",", "").replace(".", ""))
        for sign, digits in re.findall(r"(−?)\$([\d,]+\.\d\d)", totals)
    ]
    paid = amounts.index(9700, 1)
    assert sum(amounts[paid:-1]) == amounts[-1]
    assert "Stripe fee" in totals
    timeline = owner_page.locator("ol.timeline").inner_text()
    for part in (
        "$97.00 paid with Visa ending 4242",
        "refunded by Ana Admin",
        "Agreed on the phone",
        "Checkout started",
    ):
        assert part in timeline, part
    owner_page.get_by_role("link", name="Show Stripe events").click()
    owner_page.get_by_text("checkout.session.completed", exact=True).click()
    assert bought.session in owner_page.locator("details[open] pre").inner_text()
    assert list_flaws(owner_page) == {}


@BOTH_WIDTHS
def test_row_37_a_paid_order_cannot_be_deleted(owner_page: Page, bought: Bought) -> None:
    owner_page.goto(f"/admin/orders/{bought.public_id}")

    assert owner_page.get_by_role("button", name=re.compile("delete|remove", re.IGNORECASE)).count() == 0
    for method in ("DELETE", "POST"):
        assert owner_page.request.fetch(f"/admin/orders/{bought.public_id}", method=method).status in {400, 405}
    assert owner_page.goto(f"/admin/orders/{bought.public_id}").status == 200  # type: ignore[union-attr]


def test_someone_is_enrolled_without_payment_and_closed_again(owner_page: Page, running_shop: RunningShop) -> None:
    owner_page.goto("/admin/orders/free-seats/new")
    owner_page.get_by_role("button", name="Enroll them").click()
    assert owner_page.get_by_role("alert").get_by_role("link").all_inner_texts() == [
        "Enter their email address.", "Choose a course.", "Say why they get it: the reason is kept.",
    ]  # fmt: skip
    assert list_flaws(owner_page) == {}
    owner_page.get_by_label("Email address").fill("speaker@example.org")
    owner_page.get_by_label("Course", exact=True).select_option(label="AI Lead Engine Accelerator")
    owner_page.get_by_label("Reason").fill("Guest speaker")
    owner_page.get_by_role("button", name="Enroll them").click()
    row = owner_page.locator("tbody tr", has_text="speaker@example.org")
    row.get_by_role("button", name="Close access").click()

    row.get_by_role("button", name="Open again").wait_for()
    assert list_flaws(owner_page) == {}


def test_the_move_page_has_no_flaw(owner_page: Page, bought: Bought) -> None:
    owner_page.goto(f"/admin/orders/{bought.public_id}/move")

    assert list_flaws(owner_page) == {}
