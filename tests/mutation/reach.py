"""Which tests reach which line: recorded once by coverage with this file as a pytest plugin (`-p tests.mutation.reach`)."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import zip_longest
from operator import itemgetter
from pathlib import Path

import coverage
import pytest

FOLDER = Path("build/mutation")
SECONDS = FOLDER / "seconds.json"
MOST_TESTS = 30

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


class Reach:
    """Which tests reach which line."""

    def __init__(self) -> None:
        self._data = coverage.CoverageData(str(FOLDER / "coverage"))
        self._data.read()
        self._seconds: dict[str, float] = json.loads(SECONDS.read_text())
        self._lines: dict[str, dict[int, list[str]]] = {}

    def choose_tests(self, path: str, line: int) -> list[str]:
        """The tests of its line, or of the nearest line above that was counted: as different ones as can be, quick first.

        One of each file in turn, and of each file one of each function before other parameters of the same one.
        """
        path = str(Path(path).resolve())
        if path not in self._lines:
            self._lines[path] = self._data.contexts_by_lineno(path)
        lines = self._lines[path]
        nearest = max((each for each in lines if each <= line and any(lines[each])), default=0)
        functions: Counter[str] = Counter()
        files: dict[str, list[tuple[int, str]]] = {}
        for test in sorted(filter(None, lines.get(nearest, ())), key=lambda each: self._seconds.get(each, math.inf)):
            function = test.partition("[")[0]
            functions[function] += 1
            files.setdefault(test.partition("::")[0], []).append((functions[function], test))
        turns = zip_longest(*(sorted(tests, key=itemgetter(0)) for tests in files.values()))
        return [each[1] for turn in turns for each in turn if each][:MOST_TESTS]
