"""The table in docs/faults.md names tests that exist: a fault without a test, or with a wrong one, is found here."""

import ast
import re
from collections import Counter
from functools import cache

from app.config import PROJECT_ROOT

ROW = re.compile(r"^\|\s*(F\d\d)\s*\|")
TEST_ID = re.compile(r"([\w/]+\.py)::(\w+)(?:\[.*\])?")
CODE = re.compile(r"`([^`]*)`")
TESTS = PROJECT_ROOT / "tests"


def read_rows(table: str) -> list[tuple[str, str]]:
    """(number, whole line) of each row."""
    return [(found.group(1), line) for line in table.splitlines() if (found := ROW.match(line))]


def list_complaints(table: str) -> list[str]:
    """What is wrong with the table's rows."""
    rows = read_rows(table)
    complaints = [
        f"{number} stands there twice" for number, times in Counter(name for name, _ in rows).items() if times > 1
    ]
    for number, line in rows:
        names = CODE.findall(line.rstrip(" |").rpartition("|")[2])
        if not names:
            complaints.append(f"{number} names no test")
        for name in names:
            found = TEST_ID.fullmatch(name)
            if found is None or found.group(2) not in list_tests(found.group(1)):
                complaints.append(f"{number} names {name}, which is not there")
    return complaints


@cache
def list_tests(path: str) -> frozenset[str]:
    """The test functions of a file under tests/; none where there is no such file."""
    file = TESTS / path
    if not file.is_file():
        return frozenset()
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def test_every_row_names_tests_that_exist() -> None:
    table = (PROJECT_ROOT / "docs" / "faults.md").read_text(encoding="utf-8")

    assert list_complaints(table) == []
    numbers = {number for number, _ in read_rows(table)}
    assert {f"F{number}" for number in (*range(20, 28), *range(30, 40))} <= numbers


def test_control_a_row_that_names_nothing_or_something_else_is_found() -> None:
    here = "faults/test_catalogue.py"
    table = (
        f"| F01 | a | b | `{here}::test_every_row_names_tests_that_exist[x]` |\n"
        f"| F02 | a | b | `{here}::test_that_was_renamed` `gone.py::test_x` `{here}` |\n"
        "| F03 | a | b | |\n"
        f"| F01 | a | b | `{here}::test_every_row_names_tests_that_exist` |\n"
    )

    assert list_complaints(table) == [
        "F01 stands there twice",
        f"F02 names {here}::test_that_was_renamed, which is not there",
        "F02 names gone.py::test_x, which is not there",
        f"F02 names {here}, which is not there",
        "F03 names no test",
    ]
