"""What pages may weigh and ask for, and the manners of every answer: policy, no inline code, caching, no cookies."""

import gzip
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import brotli
import pytest
from playwright.sync_api import Browser, Page

from app.site.static_files import FILES
from tests.browser.pages import ANSWERS, COURSE, KEPT, PATHS, POST, PUBLIC, Scene
from tests.running import RunningShop

pytestmark = pytest.mark.browser

PAGE_BYTES = 100_000
PAGE_REQUESTS = 8
CSS_BYTES, JS_BYTES, FONT_BYTES = 14_000, 6_000, 50_000
# A page of the back-office has the site's files as well, and at most one sheet and one script of its own.
ADMIN_CSS_BYTES, ADMIN_JS_BYTES = 16_000, 8_000
HTML_BYTES, LONG_HTML_BYTES = 20_000, 30_000
# Pictures that a cold visit may fetch on top of the eight requests; those below the fold wait for the reader.
COVERS = {"/": 6, "/courses": 7, COURSE: 1, POST: 2}


@dataclass
class Traffic:
    """What one cold visit moved over the wire."""

    requests: list[str] = field(default_factory=list)
    encoded_bytes: int = 0
    messages: list[str] = field(default_factory=list)


def visit_cold(browser: Browser, shop: RunningShop, path: str, *, width: int = 1280) -> Traffic:
    """Load a page in a browser that has never been here; wait until the network is quiet."""
    context = browser.new_context(base_url=shop.url, viewport={"width": width, "height": 900})
    page, traffic = context.new_page(), Traffic()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.requestWillBeSent", lambda event: traffic.requests.append(event["request"]["url"]))

    def count(event: dict[str, float]) -> None:
        traffic.encoded_bytes += int(event["encodedDataLength"])

    session.on("Network.loadingFinished", count)
    page.on("console", lambda message: traffic.messages.append(message.text) if message.type != "log" else None)
    page.on("pageerror", lambda error: traffic.messages.append(str(error)))
    page.goto(path, wait_until="networkidle")
    context.close()
    return traffic


@pytest.mark.parametrize(
    ("path", "width"), [("/", 1280), ("/", 390), ("/courses", 1280), (COURSE, 1280), (POST, 1280), (POST, 390)]
)
def test_cold_visit_stays_within_its_budget(browser: Browser, running_shop: RunningShop, path: str, width: int) -> None:
    traffic = visit_cold(browser, running_shop, path, width=width)

    covers = [url for url in traffic.requests if "/covers/" in url]
    others = [url for url in traffic.requests if "/covers/" not in url and not url.startswith("data:")]

    assert traffic.messages == []
    assert [url for url in covers + others if not url.startswith(running_shop.url)] == []
    assert traffic.encoded_bytes <= PAGE_BYTES, f"{traffic.encoded_bytes:,} bytes"
    assert len(others) <= PAGE_REQUESTS, "\n".join(others)
    # A browser fetches lazy pictures about a screen ahead; one for each card in reach, and none twice.
    assert len(covers) <= COVERS[path], "\n".join(covers)


def measure(name: str) -> int:
    """Bytes of a file as it is sent, gzipped."""
    return len(gzip.compress(FILES[name].content, 9))


def test_files_stay_within_their_budgets() -> None:
    fonts = sum(len(file.content) for name, file in FILES.items() if name.endswith(".woff2"))

    assert measure("css/tuition.css") <= CSS_BYTES
    assert len(brotli.compress(FILES["css/tuition.css"].content)) <= CSS_BYTES
    assert measure("js/tuition.js") <= JS_BYTES
    assert fonts <= FONT_BYTES


@pytest.mark.parametrize(("kind", "most"), [("css", ADMIN_CSS_BYTES), ("js", ADMIN_JS_BYTES)])
def test_files_of_the_back_office_stay_within_their_budgets(kind: str, most: int) -> None:
    areas = [measure(name) for name in FILES if name.startswith(f"{kind}/admin-")]

    assert measure(f"{kind}/tuition.{kind}") + measure(f"{kind}/admin.{kind}") + max(areas) <= most


@pytest.mark.parametrize("kind", PUBLIC)
def test_public_page_is_light_and_the_same_for_everybody(scene: Scene, kind: str) -> None:
    answer = scene.fetch(kind)

    assert answer.status == 200
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"].startswith("public")
    assert len(gzip.compress(answer.body(), 6)) <= (LONG_HTML_BYTES if kind == "post" else HTML_BYTES)


class InlineFinder(HTMLParser):
    """Collects what a strict policy would refuse: code and style in the page itself, and foreign addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in values and values.get("type") != "application/ld+json"):
            self.found.append(f"<{tag}>")
        self.found += [f"<{tag} {name}>" for name in values if name.startswith("on")]
        # Chromium leaves an empty attribute behind where the tests for large text have been.
        self.found += [f"<{tag} style>" for name, value in attrs if name == "style" and value]
        self.found += [f"{name}={value}" for name, value in attrs if (value or "").strip().startswith("javascript:")]
        if tag in {"script", "img", "iframe"} and not re.match(r"/(?!/)", values.get("src") or "/"):
            self.found.append(f"<{tag} src={values['src']}>")


def find_inline(html: str) -> list[str]:
    finder = InlineFinder()
    finder.feed(html)
    return finder.found


@pytest.mark.parametrize("kind", PATHS)
def test_page_has_a_strict_policy_and_nothing_inline(scene: Scene, kind: str) -> None:
    answer = scene.fetch(kind)
    policy = answer.headers["content-security-policy"]

    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy.replace("http://127.0.0.1:* http://localhost:*", "")
    assert find_inline(answer.text()) == []


@pytest.mark.parametrize("kind", [*ANSWERS, *KEPT])
def test_answer_to_a_form_has_nothing_inline(scene: Scene, kind: str) -> None:
    assert find_inline(scene.open(kind).content()) == []


def test_static_files_are_kept_for_ever(page: Page) -> None:
    kept = {}
    page.on(
        "response",
        lambda response: (
            kept.update({response.url: response.headers.get("cache-control")}) if "/static/" in response.url else None
        ),
    )

    page.goto("/", wait_until="networkidle")

    assert len(kept) >= 4
    assert set(kept.values()) == {"public, max-age=31536000, immutable"}


def test_covers_below_the_fold_wait_and_reserve_their_room(page: Page) -> None:
    page.goto("/")
    images = page.evaluate(
        "() => [...document.images].map(image => [image.width > 0 && image.hasAttribute('width')"
        " && image.hasAttribute('height'), image.getBoundingClientRect().top > innerHeight, image.loading])"
    )

    assert len(images) >= 7
    assert all(has_room for has_room, _, _ in images)
    assert {loading for _, is_below, loading in images if is_below} == {"lazy"}


def test_nothing_moves_while_a_page_loads(page: Page) -> None:
    for path in ("/", COURSE, POST):
        page.goto(path, wait_until="networkidle")
        shift = page.evaluate(
            """() => new Promise(resolve => {
              let total = 0;
              new PerformanceObserver(list => list.getEntries().forEach(entry => {
                if (!entry.hadRecentInput) total += entry.value;
              })).observe({ type: "layout-shift", buffered: true });
              requestAnimationFrame(() => requestAnimationFrame(() => resolve(total)));
            })"""
        )
        assert shift <= 0.02, path
