"""WCAG 2.2 AA on every kind of page: axe in both widths and colors, large text, narrow screens, focus, landmarks."""

from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Page

from tests.browser.pages import COURSE, EVERY_KIND, LESSON, POST, Scene

pytestmark = pytest.mark.browser

# Evaluated, not added as a script tag: our policy refuses foreign scripts, which is as it should be.
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN_AXE = """async options => (await axe.run(options)).violations.map(violation => ({
  rule: violation.id, places: violation.nodes.map(node => node.target.join(" ") + ": " + node.failureSummary),
}))"""
VIOLATIONS = {"resultTypes": ["violations"]}
EVERYTHING = {**VIOLATIONS, "runOnly": {"type": "tag", "values": TAGS}, "rules": {"target-size": {"enabled": True}}}
# The rules that can tell dark from light.
COLORS = {**VIOLATIONS, "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
LOOKS = [(1280, "light", EVERYTHING), (1280, "dark", COLORS), (390, "dark", COLORS), (390, "light", EVERYTHING)]

# What sticks out, with its text, for a failure that says where to look.
OVERFLOWING = """() => {
  const room = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= room) return [];
  return [...document.body.querySelectorAll("*")]
    .filter(part => part.getBoundingClientRect().right > room + 1)
    .map(part => `${part.tagName}.${part.className}: ${part.textContent.trim().slice(0, 40)}`).slice(0, 8);
}"""
SMALL_TARGETS = """() => [...document.querySelectorAll(
    ".btn, summary, input:not([type=hidden]), select, .chip, .site-nav a, .menu-panel a, .tabs a, .site-footer li a")]
  .map(part => [part, part.getBoundingClientRect()])
  .filter(([part, box]) => box.width && (box.width < 24 || box.height < 24)
    && !(part.type === "checkbox" && part.labels[0]?.getBoundingClientRect().height >= 24 && box.height >= 16))
  .map(([part, box]) => `${part.className || part.tagName} ${part.textContent.trim()} ${box.width}×${box.height}`)"""
OUTLINE = """() => {
  const headings = [...document.querySelectorAll("h1, h2, h3, h4")].filter(heading => heading.checkVisibility());
  // A lesson's text is a part of its course's text, so its own headings begin at the third rank.
  const ranks = headings.filter(heading => !heading.closest(".lesson-main .prose")).map(heading => Number(heading.tagName[1]));
  return {
    lang: document.documentElement.lang, title: document.title.trim(),
    h1: document.querySelectorAll("h1").length, main: document.querySelectorAll("main").length,
    header: document.querySelectorAll("body > header").length, footer: document.querySelectorAll("body > footer").length,
    unnamed: [...document.querySelectorAll("nav, aside:not(.prose *), section[aria-labelledby]")]
      .filter(part => !part.ariaLabel && !document.getElementById(part.getAttribute("aria-labelledby") ?? ""))
      .map(part => `${part.tagName}.${part.className}`),
    skipped: ranks.filter((rank, at) => at && rank > ranks[at - 1] + 1).length,
    ids: [...document.querySelectorAll("[id]")].map(part => part.id).filter((id, at, all) => all.indexOf(id) !== at),
  };
}"""
FOCUSED = """() => {
  const part = document.activeElement;
  if (part === document.body || part === document.documentElement) return null;
  const name = `${part.tagName}.${part.className} ${(part.ariaLabel || part.textContent || part.name || "").trim().slice(0, 30)}`;
  const box = part.getClientRects()[0] ?? part.getBoundingClientRect();
  // A card's link draws its ring around the whole card.
  const rings = [getComputedStyle(part), getComputedStyle(part, "::after")];
  const at = document.elementFromPoint(
    Math.min(Math.max(box.left + box.width / 2, 0), innerWidth - 1),
    Math.min(Math.max(box.top + box.height / 2, 0), innerHeight - 1));
  const covered = !at || !(part.contains(at) || at.contains(part));
  const bare = rings.every(ring => ring.outlineStyle === "none" || parseFloat(ring.outlineWidth) < 2);
  const outside = box.bottom <= 0 || box.top >= innerHeight;
  const problems = [covered && "covered", bare && "no focus ring", outside && "off the screen"].filter(Boolean);
  return { name, problems };
}"""


@pytest.fixture(scope="module", params=EVERY_KIND)
def shown(request: pytest.FixtureRequest, scene: Scene) -> Page:
    """Each kind of page, loaded once for all tests that look at it."""
    return scene.open(request.param)


def test_axe_finds_nothing(shown: Page) -> None:
    shown.evaluate(AXE)
    findings: dict[str, Any] = {}

    for width, colors, options in LOOKS:
        shown.set_viewport_size({"width": width, "height": 900})
        shown.emulate_media(color_scheme=colors)  # type: ignore[arg-type]
        found = shown.evaluate(RUN_AXE, options)
        if found:
            findings[f"{width} px, {colors}"] = found

    assert findings == {}


def test_nothing_scrolls_sideways_on_a_narrow_screen_or_with_large_text(shown: Page) -> None:
    root_size = "size => { document.documentElement.style.fontSize = size }"
    found = {}
    try:
        for width, size in ((320, ""), (390, "200%"), (1280, "200%")):
            shown.set_viewport_size({"width": width, "height": 800})
            shown.evaluate(root_size, size)
            if overflowing := shown.evaluate(OVERFLOWING):
                found[f"{width} px, text {size or '100%'}"] = overflowing
    finally:
        shown.evaluate("document.documentElement.removeAttribute('style')")

    assert found == {}


def test_targets_are_large_enough_to_hit(shown: Page) -> None:
    shown.set_viewport_size({"width": 390, "height": 800})

    assert shown.evaluate(SMALL_TARGETS) == []


def test_page_has_one_heading_named_landmarks_and_a_language(shown: Page) -> None:
    shown.set_viewport_size({"width": 1280, "height": 900})
    outline = shown.evaluate(OUTLINE)

    assert outline.pop("lang") == "en"
    assert outline.pop("title") != ""
    assert outline == {"h1": 1, "main": 1, "header": 1, "footer": 1, "unnamed": [], "skipped": 0, "ids": []}


@pytest.mark.parametrize(
    ("path", "width"),
    [
        ("/", 390),
        ("/courses", 1280),
        (COURSE, 1280),
        (COURSE, 390),
        (LESSON, 390),
        (POST, 1280),
        ("/account/login", 390),
    ],
)
def test_focus_is_always_visible_and_nothing_covers_it(page: Page, path: str, width: int) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(path)
    seen, problems = [], []

    for _ in range(150):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            break
        seen.append(focused["name"])
        problems += [f"{focused['name']}: {problem}" for problem in focused["problems"]]

    assert len(seen) > 10
    assert problems == []


def test_skip_link_is_the_first_stop_and_leads_past_the_header(page: Page) -> None:
    page.goto("/courses")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_forced_colors_keep_what_color_alone_would_say(page: Page) -> None:
    page.emulate_media(forced_colors="active")
    page.goto(COURSE)

    borders = page.evaluate(
        "() => [...document.querySelectorAll('.btn, .card')].filter(part => part.checkVisibility())"
        ".map(part => getComputedStyle(part).borderTopStyle)"
    )

    assert set(borders) == {"solid"}
