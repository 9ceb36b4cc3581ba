"""Posts in the back-office, as somebody with a mouse, a keyboard or a phone meets them."""

import base64
from itertools import count

import pytest
from playwright.sync_api import Page, expect

from tests.browser.looks import BOTH_WIDTHS, list_flaws
from tests.browser.test_accessibility import OVERFLOWING
from tests.media.images import make_image

pytestmark = pytest.mark.browser

COURSE = "AI Lead Engine Accelerator"
_numbers = count(1)
# What a browser does when somebody pastes or drops a picture, as far as a page can do it.
GIVE_PICTURE = """([kind, data]) => {
  const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "chart.png", { type: "image/png" }));
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true })
    : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
  document.getElementById("body").dispatchEvent(event);
}"""


def open_new(page: Page) -> str:
    """A new draft, open in its editor. Gives its address."""
    page.goto("/admin/posts/new")
    page.fill("#title", f"Written in a browser {next(_numbers)}")
    page.get_by_role("button", name="Make the draft").click()
    expect(page.locator("#post-form")).to_be_visible()
    return page.url


def press_save(page: Page) -> None:
    page.locator(".desk-actions").get_by_role("button", name="Save").click()
    expect(page.get_by_text("is saved.")).to_be_visible()


def expect_kept(page: Page) -> None:
    """The server has what was typed."""
    expect(page.locator("[data-save-bar]")).to_contain_text("Kept for you at", timeout=15_000)


def test_every_page_of_posts_has_no_flaw(owner_page: Page) -> None:
    page = owner_page
    flaws = {}
    page.goto("/admin/posts")
    flaws["list"] = list_flaws(page)
    url = open_new(page)
    page.fill("#body", f"## Begin\n\nThe {COURSE} costs $1.\n\n::: tip Try\nIt.\n:::\n\n| A |\n| --- |\n| 1 |")
    page.fill("#course", COURSE)
    page.get_by_role("button", name="Add", exact=True).click()
    press_save(page)
    expect(page.get_by_text("The text says $1 beside")).to_be_visible()
    flaws["editor"] = list_flaws(page)
    page.get_by_role("link", name="Revision 2").click()
    flaws["revision"] = list_flaws(page)
    page.goto(f"{url}/revisions")
    flaws["revisions"] = list_flaws(page)

    assert {name: found for name, found in flaws.items() if found} == {}


@BOTH_WIDTHS
def test_row_34_unsaved_work_on_a_post_is_never_lost(owner_page: Page) -> None:
    page = owner_page
    url = open_new(page)
    bar = page.locator("[data-save-bar]")
    expect(bar).to_be_hidden()

    page.fill("#body", "Typed and not saved")
    expect(bar).to_contain_text("Unsaved changes")
    expect_kept(page)
    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.get_by_role("link", name="Posts").first.click()
    assert (asked, page.url) == (["beforeunload"], url)

    # Another machine of the same person: the server has it, and nobody else sees it.
    other = page.context.browser.new_context(  # type: ignore[union-attr]
        base_url=url.partition("/admin")[0], storage_state={"cookies": page.context.cookies()}  # type: ignore[typeddict-item]
    ).new_page()  # fmt: skip
    other.goto(url)
    expect(other.get_by_text("These are your unsaved changes")).to_be_visible()
    assert other.input_value("#body") == "Typed and not saved"
    other.context.close()

    # Signed out meanwhile: the save leads to the sign-in page, and what was typed since is still in this browser.
    cookies = page.context.cookies()
    page.context.clear_cookies()
    page.fill("#body", "Typed after signing out")
    expect(bar).to_contain_text("Kept in this browser only", timeout=15_000)
    page.locator(".desk-actions").get_by_role("button", name="Save").click()
    page.wait_for_url("**/account/login**")
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    page.goto(url)
    page.get_by_role("button", name="Restore them").click()
    assert page.input_value("#body") == "Typed after signing out"
    press_save(page)
    page.reload()
    assert page.input_value("#body") == "Typed after signing out"
    expect(page.get_by_role("button", name="Restore them")).to_have_count(0)
    expect(page.get_by_text("These are your unsaved changes")).to_have_count(0)


@BOTH_WIDTHS
def test_row_35_publish_undo_schedule_and_preview_a_post_take_two_clicks_at_most(owner_page: Page) -> None:
    page = owner_page
    open_new(page)
    page.fill("#body", "Ready.")
    badge = page.locator(".desk-title .badge")

    page.get_by_role("button", name="Publish now").click()
    expect(badge).to_have_text("Published")
    page.locator("[data-toast]").get_by_role("button", name="Undo").click()
    expect(badge).to_have_text("Draft")

    page.get_by_label("Date").fill("2031-05-01T09:30")
    page.get_by_role("button", name="Schedule").click()
    expect(badge).to_have_text("Scheduled")

    preview = page.get_by_label("Private preview link").input_value()
    page.fill("#body", "Ready, and typed on.")
    with page.context.expect_page() as opened:
        page.locator(".desk-actions").get_by_role("link", name="Preview").click()
    expect(opened.value.locator(".post-main")).to_have_text("Ready, and typed on.")
    expect(opened.value.get_by_text("These are your unsaved changes")).to_be_visible()
    opened.value.close()
    visitor = page.context.browser.new_page()  # type: ignore[union-attr]
    answer = visitor.goto(preview)
    assert answer is not None
    assert (answer.status, answer.headers["x-robots-tag"]) == (200, "noindex, nofollow")
    expect(visitor.locator(".post-main")).to_have_text("Ready.")
    visitor.close()

    page.get_by_role("button", name="Publish now").click()
    expect(badge).to_have_text("Published")
    page.get_by_role("button", name="Unpublish").click()
    expect(badge).to_have_text("Draft")


@BOTH_WIDTHS
def test_row_37_a_deleted_post_and_an_old_revision_come_back(owner_page: Page) -> None:
    page = owner_page
    url = open_new(page)
    page.fill("#body", "First words.")
    press_save(page)
    page.fill("#body", "Second words.")
    press_save(page)

    page.get_by_role("link", name="Revision 2").click()
    page.get_by_role("link", name="What changed since").click()
    expect(page.locator("tr.removed")).to_contain_text("Removed")
    expect(page.locator("tr.added ins")).to_have_text("Second")
    page.get_by_role("button", name="Restore this revision").click()
    expect(page.locator("#body")).to_have_value("First words.")
    page.locator("[data-toast]").get_by_role("button", name="Undo").click()
    expect(page.locator("#body")).to_have_value("Second words.")

    page.get_by_role("button", name="Move to trash").click()
    page.locator("[data-toast]").get_by_role("button", name="Undo").click()
    page.wait_for_url(url)
    expect(page.locator("#body")).to_have_value("Second words.")

    page.fill("#body", "Third words.")
    expect_kept(page)
    page.locator("[data-save-bar]").get_by_role("button", name="Discard").click()
    expect(page.locator("#body")).to_have_value("Second words.")


def test_a_post_is_written_on_a_phone_with_preview_pictures_and_courses(owner_page: Page) -> None:
    page = owner_page
    page.set_viewport_size({"width": 390, "height": 844})
    open_new(page)
    assert page.evaluate(OVERFLOWING) == []
    picture = base64.b64encode(make_image(size=(640, 360))).decode()

    page.fill("#body", "Some **strong** words.")
    expect(page.locator("[data-preview] strong")).to_have_text("strong")
    for kind, words in (("paste", "A pasted chart"), ("drop", "A dropped chart")):
        page.evaluate(GIVE_PICTURE, [kind, picture])
        expect(page.locator("#alt-text")).to_be_focused()
        page.keyboard.type(words)
        page.keyboard.press("Enter")
        expect(page.locator(f"[data-preview] img[alt='{words}']")).to_be_visible()
    assert page.input_value("#body").startswith("Some **strong** words.\n\n![A pasted chart](/media/")

    for name in (COURSE, "Search Traffic Starter"):
        page.fill("#course", name)
        page.keyboard.press("Enter")
    rows = page.locator("[data-courses] [data-course-title]")
    expect(rows).to_have_text([COURSE, "Search Traffic Starter"])
    page.get_by_role("button", name="Move up: Search Traffic Starter").click()
    expect(rows).to_have_text(["Search Traffic Starter", COURSE])
    page.locator("[data-course-row]").nth(1).drag_to(
        page.locator("[data-course-row]").nth(0), target_position={"x": 40, "y": 4}
    )  # fmt: skip
    expect(rows).to_have_text([COURSE, "Search Traffic Starter"])
    press_save(page)
    expect(rows).to_have_text([COURSE, "Search Traffic Starter"])
    assert page.evaluate(OVERFLOWING) == []
