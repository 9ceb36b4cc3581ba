"""Bar charts as numbers for an SVG: the template draws the shapes and writes the words in HTML beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.money import exponent

HEIGHT = 100.0
SLOT, BAR = 10.0, 6.0
GRID_STEPS = 4
MOST_LABELS = 7
# A scale's steps are these tenths of a power of ten: 1, 1.5, 2 and so on.
ROUND = (10, 15, 20, 25, 30, 40, 50, 60, 80, 100)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One bar; all in units of the SVG's own size. title is what a pointer or screen reader gets."""

    x: float
    y: float
    height: float
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BarChart:
    """A finished chart. grid: heights of its lines from the top; line: points of the period before, "" without one.

    rows: the table beside it, (label, value, value before), as text.
    """

    width: float
    height: float = HEIGHT
    bar_width: float = BAR
    bars: Sequence[Bar] = ()
    grid: Sequence[float] = ()
    line: str = ""
    y_labels: Sequence[str] = ()
    x_labels: Sequence[str] = ()
    rows: Sequence[tuple[str, str, str]] = field(default=())


def draw_bars(
    labels: Sequence[str], values: Sequence[int], before: Sequence[int], *, currency: str = "",
    show: Callable[[int], str], show_short: Callable[[int], str], before_label: str,
) -> BarChart:  # fmt: skip
    """A bar for each value, and the period before as a line. Amounts in minor units of currency; below zero is zero.

    Without a currency the values are counts.
    """
    step = choose_step(max([*values, *before, 0]), exponent(currency) if currency else 0)
    top = step * GRID_STEPS

    def height_of(value: int) -> float:
        return round(max(value, 0) / top * HEIGHT, 2)

    bars = [
        Bar(
            x=place * SLOT + (SLOT - BAR) / 2,
            y=round(HEIGHT - height_of(value), 2),
            height=height_of(value),
            title=f"{label}: {show(value)}" + (f", {before_label} {show(before[place])}" if before else ""),
        )
        for place, (label, value) in enumerate(zip(labels, values, strict=True))
    ]
    points = [f"{place * SLOT + SLOT / 2:g},{HEIGHT - height_of(value):g}" for place, value in enumerate(before)]
    return BarChart(
        width=len(labels) * SLOT,
        bars=bars,
        grid=[HEIGHT / GRID_STEPS * line for line in range(GRID_STEPS + 1)],
        line=" ".join(points),
        y_labels=[show_short(step * line) for line in range(GRID_STEPS, -1, -1)],
        x_labels=[labels[place] for place in spread(len(labels))],
        rows=[
            (label, show(value), show(before[place]) if before else "")
            for place, (label, value) in enumerate(zip(labels, values, strict=True))
        ],
    )


def choose_step(largest: int, decimals: int) -> int:
    """The distance between two grid lines in minor units: round, and four of them hold the largest value."""
    whole = int(10**decimals)
    least = max(-(-largest // GRID_STEPS), 1)
    if largest >= GRID_STEPS * whole or largest == 0:
        # Whole units only: $25, never $24.50.
        return whole * _round_up(-(-least // whole))
    return _round_up(least)


def spread(count: int, most: int = MOST_LABELS) -> list[int]:
    """The places of at most so many labels, evenly from the first to the last."""
    if count <= most:
        return list(range(count))
    return [round(label * (count - 1) / (most - 1)) for label in range(most)]


def _round_up(least: int) -> int:
    power = 1
    while True:
        for tenths in ROUND:
            if tenths * power % 10 == 0 and tenths * power // 10 >= least:
                return tenths * power // 10
        power *= 10
