"""Courses in the back-office, as somebody with a mouse, a keyboard or a phone meets them."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.looks import BOTH_WIDTHS, list_flaws
from tests.browser.test_accessibility import OVERFLOWING
from tests.media.images import make_image

pytestmark = pytest.mark.browser

DEMO = "Search Traffic Starter"


def open_copy(page: Page) -> str:
    """A copy of a demo course, open in its editor: other tests keep theirs. Gives its address."""
    page.goto("/admin/courses?q=search-traffic-starter&sort=created")
    page.get_by_role("link", name=DEMO, exact=True).click()
    page.get_by_role("button", name="Duplicate").click()
    expect(page.get_by_role("heading", name=f"Copy of {DEMO}", level=1)).to_be_visible()
    return page.url


def list_lessons(page: Page) -> list[str]:
    return page.locator("[data-lesson] .tree-what a").all_inner_texts()


def test_every_page_of_courses_has_no_flaw(owner_page: Page) -> None:
    page = owner_page
    flaws = {}
    page.goto("/admin/courses")
    flaws["list"] = list_flaws(page)
    page.get_by_role("link", name="AI Lead Engine Accelerator").first.click()
    flaws["editor"] = list_flaws(page)
    page.locator("[data-lesson] .tree-what a").first.click()
    flaws["lesson"] = list_flaws(page)
    page.goto("/admin/courses/new")
    page.get_by_role("button", name="Make the draft").click()
    expect(page.locator("[data-error-summary]")).to_be_focused()
    flaws["new, refused"] = list_flaws(page)

    assert {name: found for name, found in flaws.items() if found} == {}


@BOTH_WIDTHS
def test_row_34_unsaved_work_on_a_course_is_never_lost(owner_page: Page) -> None:
    page = owner_page
    url = open_copy(page)
    bar = page.locator("[data-save-bar]")
    expect(bar).to_be_hidden()

    page.fill("#promise", "Typed and not saved")
    page.get_by_role("button", name="Add question").click()
    page.locator("[data-faq-row]").last.get_by_label("Question").fill("Is it kept?")
    expect(bar).to_contain_text("Unsaved changes")
    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.get_by_role("link", name="Courses").first.click()
    assert (asked, page.url) == (["beforeunload"], url)

    # Signed out meanwhile: the save leads to the sign-in page, and what was typed is still in this browser.
    cookies = page.context.cookies()
    page.context.clear_cookies()
    page.locator(".desk-actions").get_by_role("button", name="Save").click()
    page.wait_for_url("**/account/login**")
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    page.goto(url)
    page.get_by_role("button", name="Restore them").click()

    assert page.input_value("#promise") == "Typed and not saved"
    assert page.locator("[data-faq-row]").last.get_by_label("Question").input_value() == "Is it kept?"
    page.locator("[data-faq-row]").last.get_by_label("Answer").fill("It is.")
    bar.get_by_role("button", name="Save").click()
    expect(page.get_by_text("is saved.")).to_be_visible()
    page.reload()
    assert page.input_value("#promise") == "Typed and not saved"
    expect(page.get_by_role("button", name="Restore them")).to_have_count(0)


@BOTH_WIDTHS
def test_row_34_two_people_who_save_at_once_choose_and_lose_nothing(owner_page: Page) -> None:
    page = owner_page
    url = open_copy(page)
    other = page.context.new_page()
    other.goto(url)
    other.fill("#title", "Title of the other")
    other.locator(".desk-actions").get_by_role("button", name="Save").click()
    expect(other.get_by_text("is saved.")).to_be_visible()
    other.close()

    page.fill("#title", "My title")
    page.fill("#promise", "My promise")
    page.locator(".desk-actions").get_by_role("button", name="Save").click()

    expect(page.get_by_role("heading", name="Choose what stays")).to_be_visible()
    assert list_flaws(page) == {}
    page.get_by_role("group", name="Title").get_by_role("radio", name="Yours").check()
    page.get_by_role("button", name="Save this choice").click()
    expect(page.get_by_role("heading", name="My title", level=1)).to_be_visible()
    assert (page.input_value("#title"), page.input_value("#promise")) == ("My title", "My promise")


@BOTH_WIDTHS
def test_row_35_publish_undo_schedule_and_preview_take_two_clicks_at_most(owner_page: Page) -> None:
    page = owner_page
    url = open_copy(page)

    page.get_by_role("button", name="Save and publish now").click()
    expect(page.locator("[data-toast]")).to_contain_text("is published.")
    expect(page.locator(".badge--ok", has_text="Published")).to_be_visible()

    page.locator("[data-toast]").get_by_role("button", name="Undo").click()
    expect(page.locator(".desk-title .badge", has_text="Draft")).to_be_visible()

    page.fill("#publish_at", "2031-05-01T09:30")
    page.select_option("#status", "scheduled")
    page.locator(".desk-actions").get_by_role("button", name="Save").click()
    expect(page.locator(".desk-title .badge", has_text="Scheduled")).to_be_visible()
    assert page.input_value("#publish_at") == "2031-05-01T09:30"

    preview = page.get_by_label("Private preview link").input_value()
    page.get_by_role("link", name="Preview", exact=True).click()
    expect(page.get_by_text("Preview. Only staff")).to_be_visible()
    visitor = page.context.browser.new_page()  # type: ignore[union-attr]
    answer = visitor.goto(preview)
    assert answer is not None
    assert (answer.status, answer.headers["x-robots-tag"]) == (200, "noindex, nofollow")
    expect(visitor.get_by_text("private link")).to_be_visible()
    visitor.close()
    page.goto(url)


@BOTH_WIDTHS
def test_row_37_every_deletion_of_a_course_can_be_undone_and_sold_courses_cannot_be_deleted(owner_page: Page) -> None:
    page = owner_page
    url = open_copy(page)
    before = list_lessons(page)
    page.fill("#promise", "Typed while deleting")

    page.get_by_role("button", name=f"Delete {before[0]}").click()
    expect(page.locator("[data-lesson] .tree-what a").first).to_have_text(before[1])
    page.get_by_text("1 deleted").click()
    page.get_by_role("button", name=f"Bring back {before[0]}").click()
    expect(page.locator("[data-lesson] .tree-what a").first).to_have_text(before[0])
    assert list_lessons(page) == before

    count = page.locator("[data-faq-row]").count()
    first = page.locator("[data-faq-row]").first.get_by_label("Question").input_value()
    page.get_by_role("button", name="Remove question 1", exact=True).click()
    expect(page.locator("[data-faq-row]")).to_have_count(count - 1)
    page.get_by_role("button", name="Undo").last.click()
    assert page.locator("[data-faq-row]").first.get_by_label("Question").input_value() == first
    assert page.input_value("#promise") == "Typed while deleting"
    page.locator(".desk-actions").get_by_role("button", name="Save").click()
    expect(page.get_by_text("is saved.")).to_be_visible()

    page.get_by_role("button", name="Delete draft", exact=True).click()
    page.locator("[data-toast]").get_by_role("button", name="Undo").click()
    assert page.url == url
    assert list_lessons(page) == before
    page.goto("/admin/courses?q=ai-lead-engine")
    page.get_by_role("link", name="AI Lead Engine Accelerator").first.click()
    expect(page.get_by_text("Archive this course")).to_be_visible()
    expect(page.get_by_role("button", name="Delete draft", exact=True)).to_have_count(0)


def test_lessons_move_by_buttons_and_by_dragging_while_typing_stays(owner_page: Page) -> None:
    page = owner_page
    open_copy(page)
    before = list_lessons(page)
    page.fill("#promise", "Typed while moving")

    page.get_by_role("button", name=f"Move {before[1]} up").click()
    expect(page.locator("[data-lesson] .tree-what a").first).to_have_text(before[1])
    rows = page.locator("[data-lesson]")
    with page.expect_response("**/curriculum"):
        drag(page, rows.nth(0), rows.nth(2))
    expect(page.locator("[data-curriculum]")).not_to_have_attribute("aria-busy", "true")

    moved = list_lessons(page)
    assert moved != [before[1], before[0], *before[2:]]
    assert sorted(moved) == sorted(before)
    assert page.input_value("#promise") == "Typed while moving"
    page.locator("[data-save-bar]").get_by_role("button", name="Save").click()
    expect(page.get_by_text("is saved.")).to_be_visible()
    assert list_lessons(page) == moved


def drag(page: Page, what: Locator, onto: Locator) -> None:
    """By the mouse, step by step: a page that scrolls before the dragging has begun drags what came under the pointer."""
    what.hover(position={"x": 40, "y": 20})
    page.mouse.down()
    what.hover(position={"x": 48, "y": 24}, force=True)
    for offset in (48, 50):
        onto.hover(position={"x": 40, "y": offset}, force=True)
    page.mouse.up()


def test_a_course_is_edited_on_a_phone_and_gets_a_cover(owner_page: Page, tmp_path: Path) -> None:
    page = owner_page
    page.set_viewport_size({"width": 390, "height": 844})
    open_copy(page)
    assert page.evaluate(OVERFLOWING) == []
    picture = tmp_path / "cover.png"
    picture.write_bytes(make_image(size=(640, 360)))

    page.fill("#promise", "Typed on the phone")
    page.set_input_files("#picture", str(picture))

    expect(page.locator(".cover-now")).to_have_attribute("src", re.compile("^/media/[0-9a-f]{64}/640.jpg$"))
    assert page.input_value("#promise") == "Typed on the phone"
    page.get_by_role("link", name="Add section").click()
    page.get_by_role("dialog").get_by_role("button", name="Add section").click()
    expect(page.get_by_role("dialog").locator("[data-error-summary]")).to_be_visible()
    assert page.evaluate(OVERFLOWING) == []
