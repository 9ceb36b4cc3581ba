"""Covers drawn from a slug."""

import xml.etree.ElementTree as ET

import pytest

from app.site.covers import CHOSEN, PALETTE_NAMES, PATTERN_NAMES, _choose, cover_svg

SLUGS = [f"course-{number}" for number in range(200)]
MOST_BYTES = 6 * 1024
SVG = "{http://www.w3.org/2000/svg}"
GEOMETRY = {f"{SVG}{name}" for name in ("svg", "g", "rect", "circle", "path")}


def test_the_same_slug_gives_the_same_cover() -> None:
    assert cover_svg("prompt-engineering-at-work") == cover_svg("prompt-engineering-at-work")


def test_different_slugs_differ() -> None:
    assert cover_svg("one") != cover_svg("two")


def test_two_hundred_slugs_use_every_pattern_and_palette() -> None:
    chosen = {_choose(slug) for slug in SLUGS}

    assert {pattern for pattern, _ in chosen} == set(PATTERN_NAMES)
    assert {palette for _, palette in chosen} == set(PALETTE_NAMES)


@pytest.mark.parametrize("ratio", ["16:9", "1:1", "5:2", "9:16"])
def test_covers_are_small_well_formed_geometry_without_style_or_script(
    ratio: str,
) -> None:
    for slug in [*SLUGS, *CHOSEN]:
        svg = cover_svg(slug, ratio=ratio)
        root = ET.fromstring(svg)

        assert len(svg.encode()) < MOST_BYTES
        assert {element.tag for element in root.iter()} <= GEOMETRY
        assert not any(name == "style" or name.startswith("on") for element in root.iter() for name in element.attrib)


def test_the_ratio_sets_the_size() -> None:
    root = ET.fromstring(cover_svg("any", ratio="16:9"))

    assert (root.get("viewBox"), root.get("width"), root.get("height")) == (
        "0 0 640 360",
        "640",
        "360",
    )


@pytest.mark.parametrize(
    "ratio",
    [
        "",
        "16",
        "16:9:1",
        "0:1",
        "1:0",
        "-1:1",
        "a:b",
        "6:1",
        "99999:99999",
        "²:1",
        "16:9 ",
    ],
)
def test_a_strange_ratio_is_refused(ratio: str) -> None:
    with pytest.raises(ValueError, match="not a ratio"):
        cover_svg("any", ratio=ratio)


def test_a_hostile_slug_never_reaches_the_markup() -> None:
    assert "script" not in cover_svg('"><script>alert(1)</script>')


def test_the_lead_engine_course_has_its_funnel_with_the_lime_dot_on_ink() -> None:
    svg = cover_svg("ai-lead-engine-accelerator")

    assert 'fill="#17181c"' in svg
    assert svg.endswith('r="26" fill="#e4f26a"/></svg>')


def test_the_ai_paradox_post_has_its_split_circle_on_paper() -> None:
    svg = cover_svg("the-ai-paradox-how-advanced-models-and-job-cuts-are-reshaping-the-future-of-work")

    assert 'height="360" fill="#f0eadc"' in svg
    assert 'fill="#2a48d7"' in svg
