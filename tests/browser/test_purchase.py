"""A stranger buys a course in a real browser: paid, declined, 3-D Secure, delayed; with and without JavaScript."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.running import PASSWORD, RunningShop, wait_until

pytestmark = pytest.mark.browser

POST = "/blog/the-ai-paradox-how-advanced-models-and-job-cuts-are-reshaping-the-future-of-work"
COURSE = "/courses/ai-lead-engine-accelerator"


def enroll(page: Page, path: str = COURSE) -> None:
    page.goto(path)
    page.get_by_role("button", name="Enroll — $97").first.click()
    page.wait_for_url(re.compile(r"/c/pay/cs_test_"))


def pay(page: Page, *, email: str | None, card: str = "4242 4242 4242 4242", method: str = "card") -> None:
    if email is not None:
        page.get_by_label("Email").fill(email)
    page.locator(f'input[name="method"][value="{method}"]').check()
    if method == "card":
        page.get_by_label("Card number").fill(card)
        page.get_by_label("Expires").fill("12 / 34")
        page.get_by_label("Security code").fill("123")
    page.get_by_label("Name on the card or account").fill("Maya Okafor")
    page.get_by_role("button", name=re.compile("^Pay")).click()


@pytest.fixture(params=["with JavaScript", "without JavaScript"])
def any_context(
    request: pytest.FixtureRequest, browser: Browser, running_shop: RunningShop
) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=running_shop.url, java_script_enabled=request.param == "with JavaScript")
    context.set_default_timeout(15_000)
    yield context
    context.close()


def test_reader_becomes_a_learner(any_context: BrowserContext, running_shop: RunningShop) -> None:
    page = any_context.new_page()
    email = f"reader{len(running_shop.mails())}@example.org"

    page.goto(POST)
    expect(page.get_by_role("heading", level=1)).to_contain_text("The AI Paradox")
    enroll(page, POST)
    pay(page, email=email)

    page.wait_for_url(re.compile(r"/checkout/success\?session_id=cs_test_"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("You’re in")
    page.get_by_role("link", name="Start lesson 1").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Where inquiries go missing")
    wait_until(lambda: any("97.00" in mail for mail in running_shop.mails(f"To: {email}")))


def test_claim_link_makes_the_account_and_opens_the_course(
    page: Page, running_shop: RunningShop, context: BrowserContext
) -> None:
    enroll(page)
    pay(page, email="claimer@example.org")
    page.wait_for_url(re.compile("/checkout/success"))
    context.clear_cookies()

    mails = wait_until(
        lambda: [mail for mail in running_shop.mails("To: claimer@example.org") if "/seats/claim/" in mail]
    )
    link = re.search(r"http://127\.0\.0\.1:\d+(/seats/claim/\S+)", mails[0].replace("=\n", "").replace("=3D", "="))
    assert link is not None
    page.goto(link.group(1))
    page.get_by_role("button", name="Join the course").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Where inquiries go missing")
    page.goto("/account/courses")
    expect(page.get_by_role("heading", name="AI Lead Engine Accelerator")).to_be_visible()
    page.goto(COURSE)
    expect(page.get_by_role("button", name=re.compile("Enroll"))).to_have_count(0)
    page.goto(link.group(1))
    expect(page.get_by_role("heading", level=1)).to_have_text("The seat is yours")


def test_declined_card_says_so_and_another_card_works(page: Page) -> None:
    enroll(page)
    pay(page, email="declined@example.org", card="4000 0000 0000 0002")
    expect(page.get_by_role("alert")).to_contain_text("declined")

    pay(page, email=None)

    page.wait_for_url(re.compile("/checkout/success"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("You’re in")


def test_three_d_secure_is_asked_and_passed(any_context: BrowserContext) -> None:
    page = any_context.new_page()
    enroll(page)
    pay(page, email="threeds@example.org", card="4000 0027 6000 3184")
    page.get_by_role("button", name=re.compile("Complete")).click()

    page.wait_for_url(re.compile("/checkout/success"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("You’re in")


def test_delayed_payment_confirms_by_itself(page: Page) -> None:
    enroll(page)
    pay(page, email="slow@example.org", method="bank_debit")

    page.wait_for_url(re.compile("/checkout/success"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("We’re confirming your payment")
    expect(page.get_by_role("heading", level=1)).to_contain_text("You’re in", timeout=25_000)


def test_delayed_payment_that_fails_says_so_after_a_reload(any_context: BrowserContext) -> None:
    page = any_context.new_page()
    enroll(page)
    pay(page, email="fails@example.org", method="bank_debit_fails")
    page.wait_for_url(re.compile("/checkout/success"))

    def has_failed() -> bool:
        page.reload()
        return "didn’t go through" in page.get_by_role("heading", level=1).inner_text()

    wait_until(has_failed, 25)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_cancelling_charges_nothing_and_lands_on_the_same_course(page: Page) -> None:
    enroll(page)
    page.get_by_role("link", name=re.compile("Back to")).click()

    page.wait_for_url(re.compile(COURSE))
    expect(page.get_by_text("You haven’t been charged")).to_be_visible()


def test_second_tab_and_back_button_get_the_same_session(context: BrowserContext) -> None:
    first, second = context.new_page(), context.new_page()
    enroll(first)
    enroll(second)
    assert second.url == first.url

    first.go_back()
    first.get_by_role("button", name="Enroll — $97").first.click()
    first.wait_for_url(re.compile("/c/pay/"))
    assert first.url == second.url


def test_buying_signed_in_needs_no_mail_and_owning_says_continue(page: Page) -> None:
    page.goto("/account/login")
    page.get_by_label("Email").first.fill("learner@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(re.compile("/account/courses"))

    enroll(page)
    pay(page, email=None)
    page.wait_for_url(re.compile("/checkout/success"))
    page.goto(COURSE)

    expect(page.get_by_role("link", name=re.compile("Continue|Start"))).not_to_have_count(0)
    expect(page.get_by_role("button", name=re.compile("Enroll"))).to_have_count(0)
