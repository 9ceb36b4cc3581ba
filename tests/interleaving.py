"""What another process does in between, at a place that is chosen: races without threads, the same on each run."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


def do_before(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, deed: Callable[[], Any]) -> None:
    """Let deed happen once, right before the module calls the function of this name; that one then runs as ever."""
    real, done = getattr(module, name), []

    def do_both(*arguments: Any, **options: Any) -> Any:
        if not done:
            done.append(name)
            deed()
        return real(*arguments, **options)

    monkeypatch.setattr(module, name, do_both)
