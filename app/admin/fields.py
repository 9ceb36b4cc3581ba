"""Fields that the back-office's forms share."""

from collections.abc import Iterable
from typing import Any

from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # newer than its type stubs


def make_choices(pairs: Iterable[tuple[str, str]]) -> list[Any]:
    """Options of a select, radio or checkbox field from (value, label)."""
    return [SelectChoice(value, label) for value, label in pairs]
