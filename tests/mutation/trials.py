"""A pytest plugin that tries each fault in a fork of a process whose shop is warm: `-p tests.mutation.trials`.

The fork gets the fault as another code object in the functions that are loaded already, so neither models nor routes are
made twice. It shares the parent's database file and sandbox, of which it is the only user while it lives.
"""

import gc
import json
import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from flask import current_app

from app.config import PROJECT_ROOT
from app.db import db
from tests.conftest import empty_database

KILLED, SURVIVED, BROKEN = 1, 0, 3
# Tests that compute for this long go round in circles: noticed. The second limit is for what only waits, and so long
# that a busy machine does not reach it.
CPU_SECONDS = 60
HANGING_SECONDS = 1800


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--trials", type=Path, help="JSON lines: path, function, source and the ids of the tests")


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Instead of running all tests once: some of them for each fault, writing one line of outcome each."""
    trials_file: Path = session.config.getoption("--trials")
    items = {item.nodeid: item for item in session.items}
    _warm_up(session.items)
    functions = _list_functions()
    gc.freeze()
    with trials_file.with_suffix(".outcomes").open("w", encoding="utf-8") as outcomes:
        for line in trials_file.read_text(encoding="utf-8").splitlines():
            trial = json.loads(line)
            chosen = [items[test] for test in trial["tests"] if test in items]
            outcome = _try_out(trial, functions[trial["path"], trial["function"]], chosen)
            if outcome["how"] == "timed out":
                empty_database()
                db.engine.dispose()
            outcomes.write(json.dumps({"number": trial["number"], "count": len(chosen), **outcome}) + "\n")
            outcomes.flush()
    return True


def _warm_up(items: list[pytest.Item]) -> None:
    """Run a purchase here, so that forks begin with everything loaded; leave no connection that they would share."""
    first = next(item for item in items if item.nodeid.startswith("tests/checkout/test_purchase.py"))
    _run(first)
    assert first.session.testsfailed == 0
    db.session.remove()
    db.engine.dispose()
    current_app.extensions["stripe_client"]._requestor._client.close()
    current_app.extensions["huey"].storage.close()
    gc.collect()


def _run(item: pytest.Item) -> None:
    """One test; what it shares with all others stays."""
    other = next(each for each in item.session.items if each.module is not item.module)
    item.session._setupstate.teardown_exact(item)
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=other)


def _list_functions() -> dict[tuple[str, str], list[FunctionType]]:
    """The functions that are loaded, by file and qualified name, also those under decorators."""
    found: dict[tuple[str, str], list[FunctionType]] = defaultdict(list)
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and Path(each.__code__.co_filename).is_relative_to(PROJECT_ROOT / "app"):
            path = Path(each.__code__.co_filename).relative_to(PROJECT_ROOT)
            found[str(path), each.__code__.co_qualname].append(each)
    return found


def _try_out(trial: dict[str, Any], functions: list[FunctionType], chosen: list[pytest.Item]) -> dict[str, str]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _live(trial, functions, chosen, writing)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        tests = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        how = "timed out" if os.WTERMSIG(status) in {signal.SIGALRM, signal.SIGPROF} else "killed"
    else:
        how = {KILLED: "killed", SURVIVED: "survived"}.get(os.WEXITSTATUS(status), "broken")
    return {"how": how, "by": tests[-1] if tests and how != "survived" else ""}


def _live(trial: dict[str, Any], functions: list[FunctionType], chosen: list[pytest.Item], writing: int) -> None:
    """The fork's whole life; never returns."""
    code = BROKEN
    try:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        signal.alarm(HANGING_SECONDS)
        if trial["source"]:
            _put_in(trial, functions)
        code = SURVIVED
        for item in chosen:
            os.write(writing, f"{item.nodeid}\n".encode())
            _run(item)
            if item.session.testsfailed:
                code = KILLED
                break
    finally:
        os._exit(code)


def _put_in(trial: dict[str, Any], functions: list[FunctionType]) -> None:
    compiled = compile(trial["source"], str(PROJECT_ROOT / trial["path"]), "exec")
    mutated = next(code for code in _walk(compiled) if code.co_qualname == trial["function"])
    assert functions
    for function in functions:
        function.__code__ = mutated


def _walk(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _walk(constant)
