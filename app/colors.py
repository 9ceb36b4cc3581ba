"""Colors as numbers: how well two can be told apart, and what lies between them. Colors are "#2a48d7"."""

import re

HEX = re.compile(r"#[0-9a-f]{6}")


def contrast(one: str, other: str) -> float:
    """From 1 to 21. Source: WCAG 2.2, "contrast ratio" (read 2026-11)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mix(color: str, other: str, share: float) -> str:
    """The color with this share (0 to 1) of the other in it."""
    channels = zip(_channels(color), _channels(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in channels)


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _luminance(color: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - the definition's
