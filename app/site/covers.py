"""Covers drawn from a slug, for courses and posts without a picture: plain SVG geometry, no script, no style.

Same slug and ratio, same bytes: the answer may be cached for ever.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

HEIGHT = 360.0
LONGEST_SIDE_DIGITS = 4
MOST_STRETCH = 5
FUNNEL_DOTS = 110
PatternName = Literal["funnel", "steps", "arcs", "grid", "split"]
PaletteName = Literal["ink", "paper", "mist", "blue"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Palette:
    """Six colors; pop is the one bright spot of a picture."""

    ground: str
    other_half: str
    main: str
    second: str
    soft: str
    pop: str


PALETTES: dict[PaletteName, Palette] = {
    "ink": Palette(
        ground="#17181c", other_half="#e9edff", main="#fff", second="#5c77ff", soft="#4a4d58", pop="#e4f26a"
    ),
    "paper": Palette(
        ground="#f0eadc", other_half="#17181c", main="#17181c", second="#2a48d7", soft="#d8d0b5", pop="#2a48d7"
    ),
    "mist": Palette(
        ground="#e9edff", other_half="#17181c", main="#17181c", second="#2a48d7", soft="#b9c5ff", pop="#2a48d7"
    ),
    "blue": Palette(
        ground="#2a48d7", other_half="#17181c", main="#fff", second="#17181c", soft="#93a4ff", pop="#e4f26a"
    ),
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
    size = f'width="{_n(width)}" height="{_n(HEIGHT)}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(HEIGHT)}" {size}>'
        f'<rect {size} fill="{colors.ground}"/>{drawing}</svg>'
    )


def _width(ratio: str) -> float:
    across, _, down = ratio.partition(":")
    if not all(side.isascii() and side.isdigit() and len(side) <= LONGEST_SIDE_DIGITS for side in (across, down)):
        raise ValueError(f"not a ratio such as 16:9: {ratio!r}")
    sides = int(across), int(down)
    if not min(sides) or max(sides) > MOST_STRETCH * min(sides):
        raise ValueError(f"not a ratio between 1:5 and 5:1: {ratio!r}")
    return HEIGHT * sides[0] / sides[1]


def _choose(slug: str) -> tuple[PatternName, PaletteName]:
    digest = hashlib.sha256(f"cover/660/{slug}".encode()).digest()
    return PATTERN_NAMES[digest[0] % len(PATTERN_NAMES)], PALETTE_NAMES[digest[1] % len(PALETTE_NAMES)]


def _fractions(slug: str) -> Iterator[float]:
    """An endless row of numbers from 0 up to 1 that depends on the slug alone."""
    block = 0
    while True:
        yield from (byte / 256 for byte in hashlib.sha256(f"{slug}/{block}".encode()).digest())
        block += 1


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _rect(*, x: float, y: float, width: float, height: float, radius: float, color: str) -> str:
    place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"'
    return f'<rect {place} rx="{_n(radius)}" fill="{color}"/>'


def _half_circle(*, x: float, y: float, radius: float, sweep: int, color: str) -> str:
    """The left half (sweep 0) or the right half (sweep 1) of a circle."""
    r = _n(radius)
    return f'<path d="M{_n(x)} {_n(y - radius)}a{r} {r} 0 0 {sweep} 0 {_n(2 * radius)}z" fill="{color}"/>'


def _funnel(width: float, colors: Palette, fractions: Iterator[float]) -> str:
    """Scattered dots that gather into one line and one bright circle."""
    middle, start, end = HEIGHT / 2, width * 0.05, width * 0.755
    groups: dict[tuple[str, float, str], list[str]] = {}
    for index in range(FUNNEL_DOTS):
        # Even at the wide end, dense at the narrow one.
        along = (index / FUNNEL_DOTS) ** 0.72
        x = start + (end - start) * along + (next(fractions) - 0.5) * width * 0.06 * (1 - along)
        # Two numbers together gather around the middle.
        y = middle + (next(fractions) + next(fractions) - 1) * ((1 - along) * HEIGHT * 0.5 + 9)
        color = colors.second if next(fractions) * 5 < 1 else colors.main
        step = min(3, int(along * 4))
        groups.setdefault((color, 3.6 + 1.3 * step, (".45", ".7", ".85", "1")[step]), []).append(f"M{_n(x)} {_n(y)}h0")
    dots = "".join(
        f'<path d="{"".join(moves)}" stroke="{color}" stroke-width="{_n(size)}" opacity="{opacity}"/>'
        for (color, size, opacity), moves in groups.items()
    )
    line = f'<path d="M{_n(end + 10)} {_n(middle)}H{_n(width * 0.84)}" stroke="{colors.pop}" stroke-width="5"/>'
    circle = f'<circle cx="{_n(width * 0.905)}" cy="{_n(middle)}" r="26" fill="{colors.pop}"/>'
    return f'<g fill="none" stroke-linecap="round">{dots}{line}</g>{circle}'


def _steps(width: float, colors: Palette, fractions: Iterator[float]) -> str:
    """Bars that climb to one bright bar."""
    count = 6 + int(next(fractions) * 3)
    pitch = width * 0.8 / count
    bars = []
    for index in range(count):
        height = HEIGHT * (0.08 + 0.7 * ((index + 1) / count) ** 1.2)
        color = colors.pop if index == count - 1 else (colors.soft, colors.main)[index % 2]
        left = width * 0.1 + pitch * (index + 0.12)
        bars.append(_rect(x=left, y=HEIGHT * 0.9 - height, width=pitch * 0.76, height=height, radius=7, color=color))
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
    """Squares that turn into circles, from scattered to settled."""
    rows, pitch = 4, HEIGHT * 0.78 / 4
    columns = max(2, round(width * 0.84 / pitch))
    size = pitch * 0.66
    left, top = (width - columns * pitch + pitch - size) / 2, (HEIGHT - rows * pitch + pitch - size) / 2
    shapes = []
    for row in range(rows):
        for column in range(columns):
            settled = (column + 1) / columns * 0.55 + (row + 1) / rows * 0.35
            is_settled = next(fractions) < settled
            # One settled cell in six is bright, four in five are round.
            color = (colors.pop if next(fractions) * 6 < 1 else colors.main) if is_settled else colors.soft
            is_round = next(fractions) * 5 < 4 * is_settled
            radius = size / 2 if is_round else size * 0.16
            x, y = left + column * pitch, top + row * pitch
            shapes.append(_rect(x=x, y=y, width=size, height=size, radius=radius, color=color))
    return "".join(shapes)


def _split(width: float, colors: Palette, fractions: Iterator[float]) -> str:
    """A circle in two halves: rings on one side, solid on the other."""
    middle, center = HEIGHT / 2, width / 2
    radius = min(HEIGHT, width) * 0.4
    rings = 7 + int(next(fractions) * 3)
    step = radius * 0.95 / rings
    half = f'<rect x="{_n(center)}" width="{_n(center)}" height="{_n(HEIGHT)}" fill="{colors.other_half}"/>'
    left = _half_circle(x=center, y=middle, radius=radius, sweep=0, color=colors.soft) + "".join(
        _half_circle(
            x=center, y=middle, radius=step * (rings - index), sweep=0, color=(colors.pop, colors.ground)[index % 2]
        )
        for index in range(rings)
    )
    return half + left + _half_circle(x=center, y=middle, radius=radius, sweep=1, color=colors.pop)


_PATTERNS: dict[PatternName, Callable[[float, Palette, Iterator[float]], str]] = {
    "funnel": _funnel,
    "steps": _steps,
    "arcs": _arcs,
    "grid": _grid,
    "split": _split,
}
