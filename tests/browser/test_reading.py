"""Reading, joining, deciding and paying as a person does it: by mouse, by keyboard, on a phone and on paper."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.pages import COURSE, LESSON, POST, Scene, find_mailed_link
from tests.browser.test_purchase import enroll, pay
from tests.running import RunningShop

pytestmark = pytest.mark.browser

IN_VIEW = """part => {
  const box = part.getBoundingClientRect();
  return box.width > 0 && box.top >= 0 && box.bottom <= innerHeight;
}"""
IS_RINGED = """() => [document.activeElement, ...document.activeElement.querySelectorAll("*")]
  .some(part => ["", "::after"].some(pseudo => {
    const style = getComputedStyle(part, pseudo || undefined);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  }))"""


@pytest.fixture
def phone(browser: Browser, running_shop: RunningShop) -> Iterator[Page]:
    context = browser.new_context(
        base_url=running_shop.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def plain_page(browser: Browser, running_shop: RunningShop) -> Iterator[Page]:
    """A phone-sized browser without JavaScript."""
    context = browser.new_context(
        base_url=running_shop.url, viewport={"width": 390, "height": 844}, java_script_enabled=False
    )
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def is_in_view(part: Locator) -> bool:
    return bool(part.evaluate(IN_VIEW))


def tab_to(page: Page, part: Locator, *, limit: int = 80) -> None:
    """Reach a control with the Tab key alone; on the way, and there, the focus can be seen."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        assert page.evaluate(IS_RINGED), page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if part.evaluate("part => part === document.activeElement"):
            return
    raise AssertionError("the Tab key never arrived")


# Deciding: rows 1 to 5 and 7 of the checklist.


def test_course_page_shows_promise_price_enroll_and_refund_without_scrolling(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(COURSE)
    card = page.get_by_role("complementary", name="Price")

    for part in (
        page.get_by_text("Launch a smarter AI lead funnel in just 60 days").first,
        card.get_by_text("$97", exact=True),
        card.get_by_role("button", name="Enroll — $97"),
        card.get_by_text("money-back guarantee"),
    ):
        assert is_in_view(part), part


@pytest.mark.parametrize("width", [390, 320])
def test_price_and_enroll_stay_reachable_at_every_scroll_position_of_a_phone(phone: Page, width: int) -> None:
    phone.set_viewport_size({"width": width, "height": 800})
    phone.goto(COURSE)
    main, bar = phone.locator("form[data-main-action] button"), phone.locator("[data-buybar]")
    height = phone.evaluate("document.documentElement.scrollHeight")
    first = main.evaluate("part => part.getBoundingClientRect().bottom + scrollY - innerHeight")

    # Before the main button comes up for the first time there is nothing to be lost yet.
    for top in range(int(first) + 1, height - 800, 400):
        phone.evaluate("top => scrollTo({ top, behavior: 'instant' })", top)
        if not is_in_view(main):
            expect(bar.get_by_role("button", name="Enroll — $97")).to_be_in_viewport(ratio=1)
            expect(bar.get_by_text("$97", exact=True)).to_be_in_viewport(ratio=1)


def test_curriculum_names_lessons_and_minutes_and_a_preview_opens_for_everybody(plain_page: Page) -> None:
    plain_page.goto(COURSE)
    curriculum = plain_page.locator("#curriculum")

    expect(curriculum.locator("summary").first).to_contain_text("Module 1, 4 lessons")
    expect(curriculum.locator(".lessons").first).to_contain_text("Draw the whole path on paper")
    expect(curriculum.locator(".lessons").first).to_contain_text("25 min")
    curriculum.get_by_role("link", name="Where inquiries go missing").click()

    expect(plain_page.get_by_role("heading", level=1)).to_have_text("Where inquiries go missing")
    expect(plain_page.get_by_text("Free preview").first).to_be_visible()


def test_button_says_the_price_and_the_total_stands_before_paying(page: Page) -> None:
    page.goto(COURSE)
    expect(page.get_by_role("complementary", name="Price").get_by_role("button")).to_have_text("Enroll — $97")

    enroll(page)

    expect(page.get_by_role("button", name=re.compile(r"^Pay.*\$97\.00"))).to_be_visible()


def test_enroll_takes_one_click_and_none_of_our_own_fields(page: Page, running_shop: RunningShop) -> None:
    page.goto(COURSE)
    form = page.locator("form[data-main-action]")
    assert form.locator("input:not([type=hidden]), select, textarea").count() == 0

    form.get_by_role("button").click()
    page.wait_for_url(re.compile("/c/pay/cs_test_"))

    assert page.url.startswith(running_shop.sandbox_url)


def test_going_back_from_stripe_says_nothing_was_charged_without_script_too(plain_page: Page) -> None:
    enroll(plain_page)
    plain_page.get_by_role("link", name=re.compile("Back to")).click()
    plain_page.wait_for_url(re.compile(COURSE))

    notice = plain_page.get_by_role("status").filter(has_text="You haven’t been charged")
    expect(notice).to_be_in_viewport()


# Reading: rows 17 and 18.


def test_contents_jump_and_the_section_being_read_is_marked(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(POST)
    contents = page.get_by_role("navigation", name="In this article")
    links = contents.get_by_role("link")
    expect(links.first).to_have_attribute("aria-current", "true")

    links.nth(7).click()

    target = page.locator(f'[id="{links.nth(7).evaluate("link => link.hash.slice(1)")}"]')
    expect(target).to_be_in_viewport()
    expect(links.nth(7)).to_have_attribute("aria-current", "true")
    expect(contents.locator("[aria-current]")).to_have_count(1)

    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    expect(links.first).to_have_attribute("aria-current", "true")


def test_line_of_a_post_has_a_comfortable_length(page: Page) -> None:
    page.goto(POST)

    characters = page.evaluate("""() => {
      const paragraphs = [...document.querySelectorAll(".post-main > p")].filter(p => p.textContent.length > 250);
      const lines = p => Math.round(p.getBoundingClientRect().height / parseFloat(getComputedStyle(p).lineHeight));
      return paragraphs.reduce((sum, p) => sum + p.textContent.length, 0) / paragraphs.reduce((sum, p) => sum + lines(p), 0);
    }""")

    assert 60 <= characters <= 80


def test_contents_of_a_phone_open_without_script(plain_page: Page) -> None:
    plain_page.goto(POST)
    contents = plain_page.locator("details.toc-phone")
    link = contents.get_by_role("link", name="The missing first rung")
    expect(link).to_be_hidden()

    contents.locator("summary").click()
    link.click()

    expect(plain_page.get_by_role("heading", name="The missing first rung")).to_be_in_viewport()


def test_copy_link_confirms(context: BrowserContext, page: Page, running_shop: RunningShop) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=running_shop.url)
    page.goto(POST)
    share = page.locator(".post-end .share")

    share.get_by_role("button", name="Copy link").click()

    expect(share.get_by_role("status")).to_have_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == running_shop.url + POST


def test_share_links_are_plain_addresses_and_the_card_has_title_and_image(scene: Scene) -> None:
    html = scene.fetch("post").text()
    shop = re.escape(scene.shop.url)
    links = re.findall(r'<a class="btn btn--sm[^>]* href="(https://[^"]+)"', html)

    assert {re.sub(r"^https://(www\.)?([^/]+)/.*", r"\2", link) for link in links} == {
        "linkedin.com",
        "x.com",
        "facebook.com",
    }
    assert 'href="mailto:?' in html
    assert re.search(r'<meta property="og:title" content="The AI Paradox', html)
    image = re.search(rf'<meta property="og:image" content="{shop}([^"]+)"', html)
    assert image is not None
    assert scene.people["visitor"].request.get(image.group(1)).ok


# The newsletter: row 19 and the first half of row 23.


@pytest.mark.parametrize("start", ["/", POST])
def test_newsletter_box_leads_to_a_mail_a_click_and_a_way_out(
    page: Page, running_shop: RunningShop, start: str
) -> None:
    address = f"box{len(start)}@example.org"
    page.goto(start)
    box = page.locator("#newsletter")

    box.get_by_label("Email address").fill(address)
    box.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your inbox to confirm")

    page.goto(find_mailed_link(running_shop, address, "/newsletter/confirm/"))
    page.reload()
    assert not running_shop.mails("You’re on the list") or all(
        f"To: {address}" not in mail for mail in running_shop.mails("You’re on the list")
    )
    page.get_by_role("button", name="Confirm my subscription").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You’re on the list")

    page.goto(find_mailed_link(running_shop, address, "/newsletter/unsubscribe/"))
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You’ve left the newsletter")


@pytest.mark.parametrize(
    ("path", "label", "button", "typed"),
    [
        ("/newsletter", "Email address", "Subscribe", "reader@nowhere"),
        ("/find-order", "Email address", "Email me the link", "maya at example"),
        ("/account/register", "Email address", "Create account", "maya@"),
    ],
)
def test_wrong_input_keeps_what_was_typed_names_the_problem_and_links_to_it(
    page: Page, path: str, label: str, button: str, typed: str
) -> None:
    page.goto(path)
    page.get_by_label(label).fill(typed)
    page.get_by_role("button", name=button).click()

    field, summary = page.get_by_label(label), page.get_by_role("alert")
    expect(page).to_have_title(re.compile("^Error: "))
    expect(field).to_have_value(typed)
    expect(field).to_have_attribute("aria-invalid", "true")
    assert "name@example.com" in field.evaluate(
        "field => field.getAttribute('aria-describedby').split(' ')"
        ".map(id => document.getElementById(id).textContent).join(' ')"
    )
    expect(summary).to_be_focused()
    summary.get_by_role("link", name=re.compile("name@example.com")).click()
    expect(field).to_be_focused()


def test_wrong_address_in_the_box_is_explained_without_script_too(plain_page: Page) -> None:
    plain_page.goto(POST)
    box = plain_page.locator("#newsletter")

    box.get_by_label("Email address").fill("reader@nowhere")
    box.get_by_role("button", name="Subscribe").click()

    expect(plain_page.get_by_label("Email address")).to_have_value("reader@nowhere")
    expect(plain_page.get_by_role("alert")).to_contain_text("name@example.com")


# Keyboard and phone: rows 20, 21 and 22.


def test_curriculum_opens_by_keyboard_and_all_at_once(page: Page) -> None:
    page.goto(COURSE)
    parts = page.locator("#curriculum details")
    summary = parts.nth(1).locator("summary")

    tab_to(page, summary)
    page.keyboard.press("Enter")
    expect(parts.nth(1)).to_have_attribute("open", "")
    page.keyboard.press("Space")
    expect(parts.nth(1)).not_to_have_attribute("open", "")

    page.get_by_role("button", name="Expand all").press("Enter")
    expect(page.locator("#curriculum details:not([open])")).to_have_count(0)
    page.get_by_role("button", name="Collapse all").press("Enter")
    expect(page.locator("#curriculum details[open]")).to_have_count(0)


def test_whole_purchase_works_by_keyboard_with_the_focus_always_visible(page: Page) -> None:
    page.goto(COURSE)
    tab_to(page, page.locator("form[data-main-action] button"))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/c/pay/cs_test_"))

    for label, text in (
        ("Email", "keyboard@example.org"),
        ("Card number", "4242424242424242"),
        ("Expires", "1234"),
        ("Security code", "123"),
        ("Name on the card or account", "Kay Board"),
    ):
        field = page.get_by_label(label)
        if not field.evaluate("part => part === document.activeElement"):
            tab_to(page, field)
        page.keyboard.type(text)
    tab_to(page, page.get_by_role("button", name=re.compile("^Pay")))
    page.keyboard.press("Enter")

    page.wait_for_url(re.compile("/checkout/success"))
    tab_to(page, page.get_by_role("link", name="Start lesson 1"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Where inquiries go missing")


def test_phone_menu_works_without_script(plain_page: Page) -> None:
    plain_page.goto("/")
    menu = plain_page.locator("details.menu")
    expect(menu.get_by_role("link", name="Sign in")).to_be_hidden()

    menu.locator("summary").click()
    expect(menu.get_by_role("link", name="Sign in")).to_be_in_viewport()
    menu.get_by_role("link", name="Blog").click()

    expect(plain_page.get_by_role("heading", level=1)).to_have_text("Blog")


def test_phone_menu_closes_on_escape_and_gives_the_focus_back(phone: Page) -> None:
    phone.goto("/")
    menu = phone.locator("details.menu")

    menu.locator("summary").focus()
    phone.keyboard.press("Enter")
    expect(menu.get_by_role("link", name="Courses", exact=True)).to_be_visible()
    phone.keyboard.press("Escape")

    expect(menu).not_to_have_attribute("open", "")
    expect(menu.locator("summary")).to_be_focused()


def test_purchase_on_a_phone_without_script(plain_page: Page) -> None:
    plain_page.goto(LESSON)
    plain_page.get_by_role("button", name="Enroll — $97").first.click()
    plain_page.wait_for_url(re.compile("/c/pay/cs_test_"))
    pay(plain_page, email="phone@example.org")

    expect(plain_page.get_by_role("heading", level=1)).to_have_text("You’re in")
    plain_page.get_by_role("link", name="Start lesson 1").click()
    expect(plain_page.get_by_role("heading", level=1)).to_have_text("Where inquiries go missing")


def test_reduced_motion_stops_everything_that_moves(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(POST)

    moving = page.evaluate("""() => ({
      scroll: getComputedStyle(document.documentElement).scrollBehavior,
      parts: [...document.querySelectorAll("*")].filter(part => {
        const style = getComputedStyle(part);
        return style.animationName !== "none" || parseFloat(style.transitionDuration) > 0;
      }).length,
    })""")

    assert moving == {"scroll": "auto", "parts": 0}


# On paper, and when something is wrong: rows 11 and 24.


@pytest.mark.parametrize("kind", ["payment received", "payment received, signed in", "order"])
def test_receipt_prints_on_one_page(scene: Scene, kind: str, tmp_path: Path) -> None:
    page = scene.open(kind)

    paper = page.pdf(path=tmp_path / "receipt.pdf", format="A4", prefer_css_page_size=True)

    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1


def test_confirmation_can_be_opened_again(scene: Scene) -> None:
    for kind in ("payment received", "payment received, signed in"):
        page = scene.open(kind)
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_contain_text("You’re in")


def test_missing_page_offers_search_courses_and_posts(plain_page: Page) -> None:
    answer = plain_page.goto("/there/is/no/such/page")
    assert answer is not None
    assert answer.status == 404
    main = plain_page.get_by_role("main")
    expect(main.get_by_role("link", name="Browse courses")).to_be_visible()
    expect(main.get_by_role("link", name="Read the blog")).to_be_visible()

    main.get_by_role("searchbox", name="Search courses").fill("cloud")
    main.get_by_role("button", name="Search courses").click()

    expect(plain_page.get_by_role("link", name="Cloud Cost Control for Engineers")).to_be_visible()


def test_failure_on_our_side_gives_an_id_to_quote_and_says_nothing_was_charged(scene: Scene) -> None:
    page = scene.open("payments paused")

    expect(page.get_by_role("heading", level=1)).to_have_text("Payments are paused for a moment")
    expect(page.get_by_role("main")).to_contain_text("Nothing was charged")
    expect(page.get_by_role("main").locator("code")).to_have_text(re.compile("^req_[0-9a-f]{16}$"))
