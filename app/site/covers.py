"""Covers drawn from a slug, for courses and posts without a picture: plain SVG geometry, no script, no style.

Same slug and ratio, same bytes: the answer may be cached for ever.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

HEIGHT = 360.0
PatternName = Literal["funnel", "steps", "arcs", "grid", "split"]
PaletteName = Literal["ink", "paper", "mist", "blue"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Palette:
    """Five colors; pop is the one bright spot of a picture."""

    ground: str
    main: str
    second: str
    soft: str
    pop: str


PALETTES: dict[PaletteName, Palette] = {
    "ink": Palette(ground="#17181c", main="#fff", second="#2a48d7", soft="#4a4d58", pop="#e4f26a"),
    "paper": Palette(
        ground="#f0eadc",
        main="#17181c",
        second="#2a48d7",
        soft="#d8d0b5",
        pop="#2a48d7",
    ),
    "mist": Palette(
        ground="#e9edff",
        main="#17181c",
        second="#2a48d7",
        soft="#b9c5ff",
        pop="#2a48d7",
    ),
    "blue": Palette(ground="#2a48d7", main="#fff", second="#17181c", soft="#93a4ff", pop="#e4f26a"),
}
PATTERN_NAMES: tuple[PatternName, ...] = ("funnel", "steps", "arcs", "grid", "split")
PALETTE_NAMES: tuple[PaletteName, ...] = ("ink", "paper", "mist", "blue")
# The shop's best-known pages have the looks their design was made with.
CHOSEN: dict[str, tuple[PatternName, PaletteName]] = {
    "ai-lead-engine-accelerator": ("funnel", "ink"),
    "the-ai-paradox-how-advanced-models-and-job-cuts-are-reshaping-the-future-of-work": (
        "split",
        "paper",
    ),
}


def cover_svg(slug: str, *, ratio: str = "16:9") -> str:
    """The cover of a slug as an SVG document of a few kilobytes.

    ratio is "width:height", both whole numbers above zero and neither more than five times the other;
    raises ValueError for anything else.
    """
    width = _width(ratio)
    pattern, palette = CHOSEN.get(slug) or _choose(slug)
    colors = PALETTES[palette]
    drawing = _PATTERNS[pattern](width, colors, _fractions(slug))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(HEIGHT)}" width="{_n(width)}" height="{_n(HEIGHT)}">'
        f'<rect width="{_n(width)}" height="{_n(HEIGHT)}" fill="{colors.ground}"/>{drawing}</svg>'
    )


def _width(ratio: str) -> float:
    parts = ratio.split(":")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in parts):
        raise ValueError(f"not a ratio such as 16:9: {ratio!r}")
    across, down = int(parts[0]), int(parts[1])
    if not across or not down or max(across, down) > 5 * min(across, down):
        raise ValueError(f"not a ratio between 1:5 and 5:1: {ratio!r}")
    return HEIGHT * across / down


def _choose(slug: str) -> tuple[PatternName, PaletteName]:
    digest = hashlib.sha256(slug.encode()).digest()
    return PATTERN_NAMES[digest[0] % len(PATTERN_NAMES)], PALETTE_NAMES[digest[1] % len(PALETTE_NAMES)]


def _fractions(slug: str) -> Iterator[float]:
    """An endless row of numbers from 0 up to 1 that depends on the slug alone."""
    block = 0
    while True:
        yield from (byte / 256 for byte in hashlib.sha256(f"{slug}/{block}".encode()).digest())
        block += 1


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _funnel(width: float, colors: Palette, fractions: Iterator[float]) -> str:
    """Scattered dots that gather into one line and one bright circle."""
    middle, end = HEIGHT / 2, width * 0.76
    groups: dict[tuple[str, int, str], list[str]] = {}
    for index in range(120):
        along = (index / 120) ** 0.75
        x = width * 0.04 + (end - width * 0.04) * along + (next(fractions) - 0.5) * width * 0.05
        spread = (1 - along) ** 1.25 * HEIGHT * 0.78 + 10 * (1 - along) + 6
        # The sum of two gathers the dots around the middle.
        y = middle + (next(fractions) + next(fractions) - 1) * spread * 0.62
        color = colors.second if next(fractions) < 0.24 else colors.main
        size = 4 if along < 0.3 else 6 if along < 0.7 else 8
        opacity = ".5" if along < 0.3 else ".8" if along < 0.75 else "1"
        groups.setdefault((color, size, opacity), []).append(f"M{_n(min(x, end))} {_n(y)}h0")
    dots = "".join(
        f'<path d="{"".join(moves)}" stroke="{color}" stroke-width="{size}" opacity="{opacity}"/>'
        for (color, size, opacity), moves in groups.items()
    )
    line = f'<path d="M{_n(end + 8)} {_n(middle)}H{_n(width * 0.85)}" stroke="{colors.pop}" stroke-width="5"/>'
    circle = f'<circle cx="{_n(width * 0.905)}" cy="{_n(middle)}" r="26" fill="{colors.pop}"/>'
    return f'<g fill="none" stroke-linecap="round">{dots}{line}</g>{circle}'


def _steps(width: float, colors: Palette, fractions: Iterator[float]) -> str:
    """Bars that climb to one bright bar."""
    count = 6 + int(next(fractions) * 3)
    pitch = width * 0.8 / count
    bars = []
    for index in range(count):
        rise = (index + 1) / count
        height = HEIGHT * (0.08 + 0.7 * rise**1.2)
        color = colors.pop if index == count - 1 else (colors.soft, colors.main)[index % 2]
        bars.append(
            f'<rect x="{_n(width * 0.1 + pitch * index + pitch * 0.12)}" y="{_n(HEIGHT * 0.9 - height)}"'
            f' width="{_n(pitch * 0.76)}" height="{_n(height)}" rx="7" fill="{color}"/>'
        )
    return "".join(bars)


def _arcs(width: float, colors: Palette, fractions: Iterator[float]) -> str:
    """Half rings that rise from the ground."""
    rings = 6
    order = (colors.soft, colors.pop, colors.main)
    shift = int(next(fractions) * 3)
    largest = min(HEIGHT * 0.86, width * 0.47)
    return "".join(
        f'<circle cx="{_n(width / 2)}" cy="{_n(HEIGHT)}" r="{_n(largest * (rings - index) / rings)}" fill="none"'
        f' stroke="{order[(index + shift) % 3]}" stroke-width="{_n(largest / rings * 0.46)}"/>'
        for index in range(rings)
    )


def _grid(width: float, colors: Palette, fractions: Iterator[float]) -> str:
    """Squares and circles that turn from scattered to settled."""
    rows, pitch = 4, HEIGHT * 0.78 / 4
    columns = max(2, round(width * 0.84 / pitch))
    left, top, size = (width - columns * pitch) / 2, HEIGHT * 0.11, pitch * 0.66
    shapes = []
    for row in range(rows):
        for column in range(columns):
            chance, round_chance = next(fractions), next(fractions)
            settled = (column + 1) / columns * 0.55 + (row + 1) / rows * 0.35
            color = colors.soft if chance > settled else colors.pop if chance < 0.16 else colors.main
            radius = size / 2 if color != colors.soft and round_chance < 0.8 else size * 0.16
            x, y = (
                left + column * pitch + (pitch - size) / 2,
                top + row * pitch + (pitch - size) / 2,
            )
            shapes.append(
                f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(size)}" height="{_n(size)}" rx="{_n(radius)}" fill="{color}"/>'
            )
    return "".join(shapes)


def _split(width: float, colors: Palette, fractions: Iterator[float]) -> str:
    """A circle in two halves: rings on one side, solid on the other."""
    middle, center = HEIGHT / 2, width / 2
    radius = min(HEIGHT, width) * 0.4
    other = colors.main if colors.main != "#fff" else "#e9edff" if colors.ground == "#17181c" else "#17181c"
    rings = 7 + int(next(fractions) * 3)
    step = radius * 0.95 / rings
    half = f'<rect x="{_n(center)}" width="{_n(center)}" height="{_n(HEIGHT)}" fill="{other}"/>'
    solid = colors.pop

    def left_half(size: float, color: str) -> str:
        return f'<path d="M{_n(center)} {_n(middle - size)}a{_n(size)} {_n(size)} 0 0 0 0 {_n(2 * size)}z" fill="{color}"/>'

    left = left_half(radius, colors.soft) + "".join(
        left_half(step * (rings - index), (solid, colors.ground)[index % 2]) for index in range(rings)
    )
    right = f'<path d="M{_n(center)} {_n(middle - radius)}a{_n(radius)} {_n(radius)} 0 0 1 0 {_n(2 * radius)}z" fill="{solid}"/>'
    return half + left + right


_PATTERNS: dict[PatternName, Callable[[float, Palette, Iterator[float]], str]] = {
    "funnel": _funnel,
    "steps": _steps,
    "arcs": _arcs,
    "grid": _grid,
    "split": _split,
}
