"""What every page must pass, whatever it shows: axe in both widths and colors, and no scrolling sideways."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.test_accessibility import AXE, LOOKS, OUTLINE, OVERFLOWING, RUN_AXE

DESK_WIDTH = 1024

# The checklist's rows are walked at a desk and on a phone.
BOTH_WIDTHS = pytest.mark.parametrize("owner_page", [1280, 390], indirect=True, ids=["1280 px", "390 px"])


def list_flaws(page: Page) -> dict[str, Any]:
    """What is wrong with the page that is open now; empty when nothing is. Leaves the page as wide as it was.

    On a phone only whether it scrolls sideways: the same walk at a desk has looked at both widths.
    """
    size = page.viewport_size or {"width": 1280, "height": 900}
    if size["width"] < DESK_WIDTH:
        overflowing = page.evaluate(OVERFLOWING)
        return {f"sideways at {size['width']} px": overflowing} if overflowing else {}
    page.evaluate(AXE)
    flaws: dict[str, Any] = {}
    for width, colors, options in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        # Colors that are still on their way to the other scheme would be read as they pass by.
        page.emulate_media(color_scheme=colors, reduced_motion="reduce")  # type: ignore[arg-type]
        if found := page.evaluate(RUN_AXE, options):
            flaws[f"axe at {width} px, {colors}"] = found
        if overflowing := page.evaluate(OVERFLOWING):
            flaws[f"sideways at {width} px"] = overflowing
    outline = page.evaluate(OUTLINE)
    wrong = {name: value for name, value in outline.items() if name in {"unnamed", "skipped", "ids"} and value}
    if wrong or (outline["h1"], outline["main"]) != (1, 1):
        flaws["outline"] = outline
    page.set_viewport_size(size)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    return flaws
