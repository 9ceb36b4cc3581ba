"""The only source of time. Everything stored or compared is UTC; only rendering knows other zones."""

from collections.abc import Callable
from datetime import UTC, datetime

Source = Callable[[], datetime]


def _system_time() -> datetime:
    return datetime.now(UTC)


_source: Source = _system_time


def now() -> datetime:
    """The present moment, timezone-aware, in UTC."""
    return _source()


def set_source(source: Source | None) -> None:
    """Replace the clock (tests move time with it); None puts the system's clock back."""
    global _source  # noqa: PLW0603 - one clock for the process is the point
    _source = source or _system_time
