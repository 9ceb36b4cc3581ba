"""Every kind of page, the state each one needs (made once per session), and how to open it.

These people look at the shop: a visitor without a cookie, a guest who paid without an account, an unlucky one whose
bank said no, a member who claimed what they bought, and a newcomer whose account is empty. Addresses that only exist after something
happened (an order, a mailed link) stand in `Scene.places` and are filled into the paths below.
"""

import email
import email.policy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import APIResponse, Browser, BrowserContext, Page, Response

from tests.running import RunningShop, wait_until

COURSE = "/courses/ai-lead-engine-accelerator"
SECOND_COURSE = "/courses/search-traffic-starter"
FREE_COURSE = "/courses/your-first-ai-workflow"
LESSON = f"{COURSE}/lessons/where-inquiries-go-missing"
POST = "/blog/the-ai-paradox-how-advanced-models-and-job-cuts-are-reshaping-the-future-of-work"
PASSWORD = "a few quiet words 7"

# What a visitor may store anywhere; the rest of the pages are somebody's own.
PUBLIC = {
    "home": "/",
    "catalog": "/courses",
    "catalog filtered": "/courses?q=ai&sort=price",
    "catalog topic": "/courses?category=cloud",
    "catalog empty": "/courses?q=nothing-is-called-this",
    "course": COURSE,
    "course free": FREE_COURSE,
    "lesson preview": LESSON,
    "blog": "/blog",
    "blog topic": "/blog/category/cloud",
    "post": POST,
    "contact": "/pages/contact",
    "privacy": "/pages/privacy",
    "refund policy": "/pages/refund-policy",
    "terms": "/pages/terms",
}
VISITOR = PUBLIC | {
    "checkout": "/checkout/{paid_price}",
    "checkout free": "/checkout/{free_price}",
    "order elsewhere": "/checkout/success",
    "order by link": "{order_link}",
    "seat": "{seat_link}",
    "seat taken": "{taken_seat_link}",
    "find order": "/find-order",
    "sign in": "/account/login",
    "register": "/account/register",
    "confirm again": "/account/confirm",
    "reset": "/account/reset",
    "new password": "{reset_link}",
    "sign-in link": "/account/link",
    "sign-in link opened": "{sign_in_link}",
    "check inbox": "/account/check",
    "newsletter": "/newsletter",
    "newsletter check": "/newsletter/check",
    "newsletter confirm": "{confirm_link}",
    "newsletter confirmed": "/newsletter/confirmed",
    "newsletter leave": "{unsubscribe_link}",
    "newsletter left": "/newsletter/left",
    "not found": "/there/is/no/such/page",
    "api docs": "/api/docs",
    "mails": "/dev/mail",
}
GUEST = {"payment received": "{paid_order}"}
UNLUCKY = {"payment failed": "{failed_order}"}
MEMBER = {
    "my courses": "/account/courses",
    "orders": "/account/orders",
    "order": "{member_order}",
    "payment received, signed in": "{member_paid_order}",
    "profile": "/account/profile",
    "change password": "/account/change",
    "course bought": COURSE,
    "lesson bought": LESSON,
}
NEWCOMER = {"my courses empty": "/account/courses", "orders empty": "/account/orders"}
PATHS = {
    **{name: ("visitor", path) for name, path in VISITOR.items()},
    **{name: ("guest", path) for name, path in GUEST.items()},
    **{name: ("unlucky", path) for name, path in UNLUCKY.items()},
    **{name: ("member", path) for name, path in MEMBER.items()},
    **{name: ("newcomer", path) for name, path in NEWCOMER.items()},
}


def _refuse_sign_in(page: Page) -> None:
    page.goto("/account/login")
    page.get_by_label("Email address").first.fill("nobody@example.org")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in", exact=True).click()


def _refuse_newsletter(page: Page) -> None:
    page.goto("/newsletter")
    page.get_by_label("Email address").fill("reader@nowhere")
    page.get_by_role("button", name="Subscribe").click()


def _refuse_checkout(page: Page) -> None:
    page.goto(f"/checkout/{find_price(page.context, COURSE)}")
    page.get_by_label("Your email address").fill("reader@nowhere")
    page.get_by_role("button", name="Continue to payment").click()


def _refuse_find_order(page: Page) -> None:
    page.goto("/find-order")
    page.get_by_label("Email address").fill("reader@nowhere")
    page.get_by_role("button", name="Email me the link").click()


def _find_order(page: Page) -> None:
    page.goto("/find-order")
    page.get_by_label("Email address").fill("stranger@example.org")
    page.get_by_role("button", name="Email me the link").click()


def _refuse_registration(page: Page) -> None:
    page.goto("/account/register")
    page.get_by_label("Email address").fill("reader@nowhere")
    page.get_by_role("button", name="Create account").click()


# Answers to a form: they have no address of their own, so the page stays open once it is made.
ANSWERS: dict[str, Callable[[Page], None]] = {
    "sign in refused": _refuse_sign_in,
    "register refused": _refuse_registration,
    "newsletter refused": _refuse_newsletter,
    "checkout refused": _refuse_checkout,
    "find order refused": _refuse_find_order,
    "find order sent": _find_order,
}
# Kept open since the scene was made: the sandbox moves on by itself.
KEPT = ("payment processing", "payments paused")
EVERY_KIND = [*PATHS, *ANSWERS, *KEPT]


@dataclass
class Scene:
    """The shop with everything in it that a page can show."""

    shop: RunningShop
    browser: Browser
    people: dict[str, BrowserContext] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    _pages: dict[str, Page] = field(default_factory=dict)

    def prepare(self) -> "Scene":
        for person in ("visitor", "guest", "unlucky", "member", "newcomer"):
            self.people[person] = self._make_context()
        self._buy()
        self._join_newsletter()
        self._register_newcomer()
        self._ask_for_links()
        self._keep_pages()
        return self

    def open(self, kind: str) -> Page:
        """The page, loaded anew where it has an address, at 1280 px and in light colors."""
        if kind in PATHS:
            person, path = self._find(kind)
            page = self._page_of(person)
            page.goto(path)
        else:
            if kind not in self._pages:
                self._pages[kind] = self._make_context().new_page()
                ANSWERS[kind](self._pages[kind])
            page = self._pages[kind]
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")
        return page

    def fetch(self, kind: str) -> APIResponse:
        """The page's answer as it is sent, without a browser's work on it."""
        person, path = self._find(kind)
        return self.people[person].request.get(path)

    def close(self) -> None:
        for page in list(self._pages.values()):
            page.context.close()
        for context in self.people.values():
            context.close()

    def _find(self, kind: str) -> tuple[str, str]:
        person, path = PATHS[kind]
        if person == "visitor":
            # A page with a form leaves a cookie behind, and who brings one is no longer a stranger.
            self.people[person].clear_cookies()
        return person, path.format(**self.places)

    def _page_of(self, person: str) -> Page:
        if person not in self._pages:
            self._pages[person] = self.people[person].new_page()
        return self._pages[person]

    def _make_context(self) -> BrowserContext:
        # Reduced motion: a color on its way from light to dark has a contrast of its own.
        context = self.browser.new_context(base_url=self.shop.url, reduced_motion="reduce")
        context.set_default_timeout(20_000)
        return context

    def _buy(self) -> None:
        guest, member = self.people["guest"], self.people["member"]
        self.places["paid_price"] = find_price(guest, COURSE)
        self.places["free_price"] = find_price(guest, FREE_COURSE)
        self.places["paid_order"] = buy(self.shop, guest, email="guest@example.org")
        buy(self.shop, member, email="member@example.org")
        failed = start_checkout(self.people["unlucky"], self.places["paid_price"])
        outcome = pay(self.shop, failed, email="declined-later@example.org", method="bank_debit_fails")
        self.shop.control(f"/settle/{outcome['payment_intent']}", {"outcome": "failed"})
        self.places["failed_order"] = local(outcome["redirect_url"])
        self.places["seat_link"] = find_mailed_link(self.shop, "guest@example.org", "/seats/claim/")
        self.places["order_link"] = find_mailed_link(self.shop, "guest@example.org", "/orders/")
        self.places["taken_seat_link"] = find_mailed_link(self.shop, "member@example.org", "/seats/claim/")
        page = self._page_of("member")
        page.goto(self.places["taken_seat_link"])
        page.get_by_role("button", name="Join the course").click()
        page.wait_for_url(re.compile("/lessons/"))
        page.goto("/account/orders")
        self.places["member_order"] = local(page.locator(".rows a").first.get_attribute("href") or "")
        self.places["member_paid_order"] = buy(
            self.shop, member, SECOND_COURSE, email="member@example.org", card="5555555555554444"
        )

    def _join_newsletter(self) -> None:
        for address in ("waiting@example.org", "reader@example.org"):
            self.people["visitor"].request.post("/newsletter", form={"email": address, "source": "home"})
        self.places["confirm_link"] = find_mailed_link(self.shop, "waiting@example.org", "/newsletter/confirm/")
        confirm = find_mailed_link(self.shop, "reader@example.org", "/newsletter/confirm/")
        self.people["visitor"].request.post(confirm)
        self.places["unsubscribe_link"] = find_mailed_link(self.shop, "reader@example.org", "/newsletter/unsubscribe/")

    def _register_newcomer(self) -> None:
        page = self._page_of("newcomer")
        page.goto("/account/register")
        page.get_by_label("Name", exact=True).fill("Nia Newcomer")
        page.get_by_label("Email address").fill("newcomer@example.org")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        again = page.get_by_label("The same password again")
        if again.count():
            again.fill(PASSWORD)
        page.get_by_role("button", name="Create account").click()
        page.wait_for_url(re.compile("/account/check"))
        page.goto(find_mailed_link(self.shop, "newcomer@example.org", "/account/confirm/"))
        page.get_by_role("button", name="Confirm my address").click()
        page.wait_for_url(re.compile("/account/(courses|profile)"))

    def _ask_for_links(self) -> None:
        context = self._make_context()
        page = context.new_page()
        for path, label in (("/account/reset", "Email me the link"), ("/account/link", "Email me a link")):
            page.goto(path)
            page.get_by_label("Email address").fill("newcomer@example.org")
            page.get_by_role("button", name=label).click()
            page.wait_for_url(re.compile("/account/check"))
        context.close()
        self.places["reset_link"] = find_mailed_link(self.shop, "newcomer@example.org", "/account/reset/")
        self.places["sign_in_link"] = find_mailed_link(self.shop, "newcomer@example.org", "/account/link/")

    def _keep_pages(self) -> None:
        """The states that pass: a payment on its way, and Stripe not answering."""
        page = self._pages["payment processing"] = self._make_context().new_page()
        page.route("**/checkout/status/*", lambda route: route.fulfill(json={"state": "processing"}))
        session = start_checkout(page.context, self.places["paid_price"])
        outcome = pay(self.shop, session, email="slowly@example.org", method="bank_debit")
        page.goto(outcome["redirect_url"])

        page = self._pages["payments paused"] = self._make_context().new_page()
        page.goto(COURSE)
        _, lever = self.shop.control(
            "/levers", {"kind": "api_error", "path": "/v1/checkout/sessions*", "method": "POST", "status": 503}
        )
        try:
            with page.expect_response(_is_refusal):
                page.get_by_role("button", name=re.compile("^Enroll")).first.click()
            page.wait_for_load_state()
        finally:
            self.shop.control(f"/levers/{lever['id']}", method="DELETE")


def _is_refusal(response: Response) -> bool:
    return response.status == 503


def local(url: str) -> str:
    """The path and query of an address of ours."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def find_price(context: BrowserContext, course: str) -> str:
    """The id of the price on a course's page."""
    found = re.search(r'name="price_id" value="([^"]+)"', context.request.get(course).text())
    assert found is not None, f"nothing to buy on {course}"
    return found.group(1)


def start_checkout(context: BrowserContext, price: str) -> str:
    """Press Enroll; gives the id of Stripe's session."""
    answer = context.request.post("/checkout", form={"price_id": price}, max_redirects=0)
    assert answer.status == 303, answer.text()[:300]
    found = re.search(r"cs_test_\w+", answer.headers["location"])
    assert found is not None, answer.headers["location"]
    return found.group(0)


def pay(shop: RunningShop, session: str, **attempt: str) -> dict[str, str]:
    """Pay on Stripe's page without looking at it; gives what the sandbox says of the payment."""
    status, outcome = shop.control(f"/pay/{session}", {"name": "Maya Okafor", **attempt})
    assert status == 200, outcome
    return dict(outcome)


def buy(shop: RunningShop, context: BrowserContext, course: str = COURSE, **attempt: str) -> str:
    """Buy a course; gives the path of the page that the buyer comes back to."""
    session = start_checkout(context, find_price(context, course))
    return local(pay(shop, session, **attempt)["redirect_url"])


def find_mailed_link(shop: RunningShop, address: str, part: str) -> str:
    """The path of the newest link with that part in a mail to the address; waits for the mail."""

    def look() -> str:
        for mail in reversed(shop.mails(f"To: {address}")):
            message = email.message_from_string(mail, policy=email.policy.default)
            body = message.get_body(("plain",))
            found = re.search(rf"{re.escape(shop.url)}({re.escape(part)}\S+)", body.get_content() if body else "")
            if found is not None:
                return found.group(1)
        return ""

    return str(wait_until(look, 30))
