"""A team's seats and a gift, in a real browser: bought, given out, taken; every page readable and usable by everybody."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.pages import COURSE, find_mailed_link, find_price, local, pay
from tests.browser.test_accessibility import AXE, LOOKS, OUTLINE, OVERFLOWING, RUN_AXE
from tests.running import RunningShop

pytestmark = pytest.mark.browser

KINDS = ("seats", "seats refused", "seats row open", "gift", "order", "claim", "claim gift", "claim other", "join")


@dataclass
class Team:
    """Who bought, and the pages that exist because of it."""

    shop: RunningShop
    buyer: BrowserContext
    stranger: BrowserContext
    learner: BrowserContext
    places: dict[str, str]

    @property
    def base_url(self) -> str:
        return self.shop.url

    def open(self, kind: str) -> Page:
        """A page of that kind, made anew."""
        owner = {"claim": self.stranger, "claim gift": self.stranger, "join": self.stranger}.get(kind, self.buyer)
        page = (self.learner if kind == "claim other" else owner).new_page()
        name = {"seats refused": "seats", "seats row open": "seats", "claim other": "claim"}.get(kind, kind)
        page.goto(self.places[name])
        if kind == "seats refused":
            page.get_by_label("Email addresses").fill("nobody\nmaya@nowhere\n")
            page.get_by_role("button", name="Send invitations").click()
            page.wait_for_selector(".error-summary")
        if kind == "seats row open":
            page.locator(".pass-on summary").first.click()
        return page


def buy(shop: RunningShop, context: BrowserContext, **form: str) -> str:
    """Buy with our checkout's fields; gives the path of the page that the buyer comes back to."""
    price = find_price(context, COURSE)
    answer = context.request.post("/checkout", form={"price_id": price, **form}, max_redirects=0)
    assert answer.status == 303, answer.text()[:300]
    session = re.search(r"cs_test_\w+", answer.headers["location"])
    assert session is not None, answer.headers["location"]
    return local(pay(shop, session.group(0), email="captain@example.org")["redirect_url"])


@pytest.fixture(scope="module")
def team(browser: Browser, running_shop: RunningShop) -> Iterator[Team]:
    def make_context() -> BrowserContext:
        context = browser.new_context(base_url=running_shop.url, reduced_motion="reduce")
        context.set_default_timeout(20_000)
        return context

    buyer, giver, stranger, learner = (make_context() for _ in range(4))
    places = {}
    page = buyer.new_page()
    page.goto(buy(running_shop, buyer, purpose="team", quantity="6", takes_seat="1"))
    places["order"] = find_mailed_link(running_shop, "captain@example.org", "/orders/")
    places["seats"] = places["order"] + "/seats"
    own = find_mailed_link(running_shop, "captain@example.org", "/seats/claim/")
    page.goto(own)
    page.get_by_role("button", name="Join the course").click()
    page.wait_for_url(re.compile("/lessons/"))

    page.goto(places["seats"])
    page.get_by_label("Email addresses").fill("Nia Newcomer <nia.newcomer@example.org>\ntom.baker@example.org")
    page.get_by_role("button", name="Send invitations").click()
    expect(page.get_by_text("2 people are invited.")).to_be_visible()
    page.get_by_role("button", name="Make a link").click()
    places["join"] = local(page.get_by_label("The link", exact=True).input_value())

    places["claim"] = find_mailed_link(running_shop, "tom.baker@example.org", "/seats/claim/")
    page = learner.new_page()
    page.goto(find_mailed_link(running_shop, "nia.newcomer@example.org", "/seats/claim/"))
    page.get_by_role("button", name="Join the course").click()
    page.wait_for_url(re.compile("/lessons/"))

    day = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()
    gift = {"purpose": "gift", "recipient_name": "Zoe", "giver_name": "Maya Okafor"}
    message = "Happy birthday, Zoe!\nI thought of you when I saw this."
    buy(running_shop, giver, **gift, recipient_email="zoe@example.org", gift_message=message, form_key="a")
    places["claim gift"] = find_mailed_link(running_shop, "zoe@example.org", "/seats/claim/")
    giver2 = make_context()
    buy(
        running_shop,
        giver2,
        **gift,
        recipient_email="later@example.org",
        gift_message=message,
        gift_on=day,
        form_key="b",
    )
    order = find_mailed_link(running_shop, "captain@example.org", "/orders/")
    places["gift"] = order + "/seats"
    yield Team(shop=running_shop, buyer=buyer, stranger=stranger, learner=learner, places=places)
    for context in (buyer, giver, giver2, stranger, learner):
        context.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_about_seats_is_for_everybody(team: Team, kind: str) -> None:
    page = team.open(kind)
    page.evaluate(AXE)
    outline = page.evaluate(OUTLINE)

    assert (outline["h1"], outline["main"], outline["skipped"]) == (1, 1, 0)
    assert (outline["unnamed"], outline["ids"]) == ([], [])
    for width, scheme, options in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(RUN_AXE, options) == [], (kind, width, scheme)
        assert page.evaluate(OVERFLOWING) == [], (kind, width)
    page.set_viewport_size({"width": 320, "height": 900})
    assert page.evaluate(OVERFLOWING) == [], kind
    page.close()


def test_a_team_is_served_from_first_invitation_to_last_seat(team: Team, browser: Browser) -> None:
    owner = team.open("seats")
    rows = owner.locator(".seat-rows > li")
    expect(rows).to_have_count(6)
    expect(owner.get_by_text("6 seats: 2 taken, 1 invited, 3 free.")).to_be_visible()

    newcomer = browser.new_context(base_url=team.base_url, java_script_enabled=False)
    page = newcomer.new_page()
    page.goto(team.places["join"])
    page.get_by_label("Email address").fill("zed@example.org")
    page.get_by_role("button", name="Get my seat").click()
    expect(page.get_by_role("heading", name="Check your inbox")).to_be_visible()
    page.goto(find_mailed_link(team.shop, "zed@example.org", "/seats/claim/"))
    page.get_by_role("button", name="Join the course").click()
    page.wait_for_url(re.compile("/lessons/"))
    newcomer.close()

    owner.reload()
    expect(owner.get_by_text("6 seats: 3 taken, 1 invited, 2 free.")).to_be_visible()
    expect(rows.filter(has_text="zed@example.org")).to_contain_text("Taken")
    owner.close()
