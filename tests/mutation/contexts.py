"""A pytest plugin that tells coverage which test runs, and writes down how long each one took: `-p tests.mutation.contexts`."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

FOLDER = Path("build/mutation")
SECONDS = FOLDER / "seconds.json"

_seconds: dict[str, float] = defaultdict(float)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Whatever runs from here on, in any thread, runs for this test."""
    measuring = coverage.Coverage.current()
    if measuring is not None:
        measuring.switch_context(item.nodeid)
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[report.nodeid] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Only the process that hears of all tests writes; what an earlier run wrote of other tests stays."""
    if not hasattr(session.config, "workerinput"):
        FOLDER.mkdir(parents=True, exist_ok=True)
        known = json.loads(SECONDS.read_text()) if SECONDS.exists() else {}
        SECONDS.write_text(json.dumps(known | _seconds))
