"""A seeded sample of all crash points, and the proof that the judge would notice."""

import re
import subprocess
import sys

import pytest

from app.config import PROJECT_ROOT
from tests.crash_points.controls import CONTROLS
from tests.crash_points.flows import FLOWS
from tests.databases import DATABASE

pytestmark = pytest.mark.crash

SAMPLE = 40
SUMMARY = re.compile(
    rf"^{DATABASE}: (?P<flows>\d+) flows, (?P<points>\d+) points, (?P<kills>\d+) kills, "
    r"(?P<lost>\d+) lost, (?P<doubled>\d+) doubled, (?P<wrong>\d+) wrong",
    re.MULTILINE,
)


def run_crash_points(*options: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: it forks, and this one has threads."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.crash_points", "--database", DATABASE, *options],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def test_a_kill_at_any_of_forty_points_loses_nothing_and_doubles_nothing() -> None:
    finished = run_crash_points("--sample", str(SAMPLE), "--seed", "7")

    assert finished.returncode == 0, finished.stdout + finished.stderr
    found = SUMMARY.search(finished.stdout)
    assert found is not None, finished.stdout
    figures = {name: int(value) for name, value in found.groupdict().items()}
    assert figures | {"points": 0} == {
        "flows": len(FLOWS),
        "points": 0,
        "kills": SAMPLE,
        "lost": 0,
        "doubled": 0,
        "wrong": 0,
    }
    # Fewer would mean that the instrument has gone blind to a kind of step.
    assert figures["points"] > 1500


def test_every_guard_that_is_taken_out_is_noticed() -> None:
    finished = run_crash_points("--controls")

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert f"{len(CONTROLS)} controls, 0 not noticed" in finished.stdout
    assert finished.stdout.count("\nnoticed: ") == len(CONTROLS) == 7


def test_one_point_can_be_run_again_by_its_number() -> None:
    finished = run_crash_points("--flow", "ingest", "--point", "5")

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "1 flows, 8 points, 1 kills, 0 lost, 0 doubled, 0 wrong" in finished.stdout
