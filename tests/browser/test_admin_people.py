"""Learners and the newsletter in the back-office, as the owner uses them, and the site seen as a learner."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.looks import list_flaws
from tests.browser.pages import COURSE

pytestmark = pytest.mark.browser
LEARNER = "seen.learner@example.org"


@pytest.fixture
def learner_page(owner_page: Page) -> Page:
    """The page of a learner who was given a course, found by the search on every page."""
    owner_page.goto(f"/admin/orders/free-seats?q={LEARNER}")
    if not owner_page.get_by_role("rowheader").count():
        owner_page.goto(f"/admin/orders/free-seats/new?email={LEARNER}")
        owner_page.get_by_label("Name (optional)").fill("Seen Learner")
        owner_page.get_by_label("Course", exact=True).select_option(label="AI Lead Engine Accelerator")
        owner_page.get_by_label("Reason", exact=True).fill("Tester")
        owner_page.get_by_role("button", name="Enroll them").click()
        owner_page.wait_for_url("**/free-seats")
    owner_page.goto(f"/admin/search?q={LEARNER}")
    owner_page.wait_for_url("**/admin/people/usr_*")
    return owner_page


def test_the_site_is_seen_as_a_learner_and_nothing_can_be_changed(learner_page: Page) -> None:
    assert list_flaws(learner_page) == {}
    own = learner_page.url

    learner_page.get_by_label("Reason (optional)").fill("They see no course")
    learner_page.get_by_role("button", name="See the site as them").click()

    learner_page.wait_for_url("**/account/courses")
    banner = learner_page.get_by_role("complementary", name="Seeing the site as somebody else")
    expect(banner).to_contain_text("You’re seeing the site as Seen Learner until")
    expect(learner_page.get_by_role("heading", name="AI Lead Engine Accelerator")).to_be_visible()
    assert list_flaws(learner_page) == {}
    learner_page.goto("/account/profile")
    learner_page.get_by_label("Name", exact=True).fill("Somebody Else")
    learner_page.get_by_role("button", name="Save", exact=False).first.click()
    expect(learner_page.get_by_role("heading", name="You’re seeing the site as Seen Learner")).to_be_visible()
    learner_page.set_viewport_size({"width": 390, "height": 844})
    learner_page.goto(COURSE)
    banner.get_by_role("button", name="End it").click()
    learner_page.wait_for_url(own)
    expect(banner).to_have_count(0)
    expect(learner_page.get_by_text("site_view.ended by Ana Admin")).to_be_visible()


def test_learners_and_subscribers_are_listed_found_and_looked_at(learner_page: Page) -> None:
    learner_page.goto("/admin/people")
    views = learner_page.get_by_role("navigation", name="Learners by kind")
    views.get_by_role("link", name="With free seats").click()
    learner_page.get_by_label("Name, email or order number").fill("seen.learner")
    learner_page.get_by_role("button", name="Apply").click()
    learner_page.wait_for_url("**/admin/people?view=given&q=seen.learner*")
    expect(learner_page.get_by_role("rowheader", name="Seen Learner")).to_be_visible()
    expect(learner_page.get_by_role("link", name=re.compile("^Remove filter"))).to_have_count(1)
    assert list_flaws(learner_page) == {}
    learner_page.get_by_role("link", name="Seen Learner").click()
    learner_page.goto(f"{learner_page.url}/close")
    assert list_flaws(learner_page) == {}

    learner_page.goto("/newsletter")
    learner_page.get_by_label("Email", exact=False).first.fill("seen.reader@example.org")
    learner_page.get_by_role("main").get_by_role("button").first.click()
    learner_page.wait_for_url("**/newsletter/check")
    learner_page.goto("/admin/newsletter")
    assert list_flaws(learner_page) == {}
    learner_page.get_by_role("link", name="seen.reader@example.org").click()
    learner_page.get_by_role("button", name="Resend confirmation").wait_for()
    assert list_flaws(learner_page) == {}
    own = learner_page.url
    learner_page.goto(f"{own}/erase")
    assert list_flaws(learner_page) == {}
    learner_page.goto(own)
    learner_page.get_by_role("link", name="Erase…").click()
    learner_page.get_by_role("dialog").get_by_role("button", name="Erase seen.reader@example.org").click()
    expect(learner_page.get_by_role("heading", name="Erased address")).to_be_visible()
