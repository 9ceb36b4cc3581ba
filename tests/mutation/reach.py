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
MOST_TESTS = 40

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
        """The tests of this line, or of the nearest line above that was counted: as different ones as can be, quick first.

        In turn one whose file names the module and one of the others; of each file one function after another.
        """
        nearest = max((each for each in self._read(path) if each <= line), default=0)
        functions: Counter[str] = Counter()
        files: dict[str, list[tuple[int, str]]] = {}
        for test in sorted(self._read(path).get(nearest, ()), key=lambda each: self._seconds.get(each, math.inf)):
            function = test.partition("[")[0]
            functions[function] += 1
            files.setdefault(test.partition("::")[0], []).append((functions[function], test))
        module = path.removesuffix(".py").replace("/", ".")
        named = {file for file in files if module in Path(file).read_text(encoding="utf-8")}
        near = [sorted(tests, key=itemgetter(0)) for file, tests in files.items() if file in named]
        far = [sorted(tests, key=itemgetter(0)) for file, tests in files.items() if file not in named]
        chosen = zip_longest(_take_turns(near), _take_turns(far))
        return [test for pair in chosen for test in pair if test is not None][:MOST_TESTS]

    def _read(self, path: str) -> dict[int, list[str]]:
        """The tests of each line of a file that any test reaches."""
        if path not in self._lines:
            lines = self._data.contexts_by_lineno(str(Path(path).resolve()))
            self._lines[path] = {line: [each for each in tests if each] for line, tests in lines.items() if any(tests)}
        return self._lines[path]


def _take_turns(files: list[list[tuple[int, str]]]) -> list[str]:
    return [each[1] for turn in zip_longest(*files) for each in turn if each is not None]
