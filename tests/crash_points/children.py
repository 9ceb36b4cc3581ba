"""Forked children that may be killed: what they wrote down before stays."""

import json
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST_LIFE_SECONDS = 180
PIPE_CHUNK = 65_536


class Diary:
    """What a process tells the world while it lives: each note is out before the next step."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, **note: Any) -> None:
        line = memoryview(json.dumps(note).encode() + b"\n")
        while line:
            line = line[os.write(self._descriptor, line) :]


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a child ended: its notes, what its work gave, and the signal that killed it (None: it came to its end)."""

    notes: tuple[dict[str, Any], ...]
    value: Any
    signal: int | None

    @property
    def was_killed(self) -> bool:
        return self.signal == signal.SIGKILL


class ChildFailed(AssertionError):
    """A child raised, or lived too long; the text is its traceback or the signal."""


def run_child(work: Callable[[Diary], Any], *, log: Path) -> Ending:
    """Run work in a fork of this process. What it gives must be JSON. Its output goes to the log.

    Raises ChildFailed unless it ended by itself or by SIGKILL.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _live(work, writing, log)
    os.close(writing)
    lines = _read_all(reading).splitlines()
    _, status = os.waitpid(child, 0)
    killer = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    notes = [json.loads(line) for line in lines]
    end = next((note for note in notes if note.get("note") == "end"), None)
    if end is not None and end["error"]:
        raise ChildFailed(end["error"])
    if end is None and killer != signal.SIGKILL:
        raise ChildFailed(f"ended by signal {killer}, after {notes[-3:]}")
    said = tuple(note for note in notes if note.get("note") != "end")
    return Ending(notes=said, value=end["value"] if end else None, signal=killer)


@contextmanager
def output_into(log: Path) -> Iterator[None]:
    """Whatever this process writes to its standard output and error goes to the end of the log."""
    kept = [os.dup(descriptor) for descriptor in (1, 2)]
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    try:
        yield
    finally:
        for descriptor, before in zip((1, 2), kept, strict=True):
            os.dup2(before, descriptor)
            os.close(before)
        os.close(output)


def _live(work: Callable[[Diary], Any], writing: int, log: Path) -> None:
    """The child's whole life; never returns."""
    diary = Diary(writing)
    signal.alarm(LONGEST_LIFE_SECONDS)
    try:
        with output_into(log):
            value = work(diary)
        diary.write(note="end", value=value, error=None)
    except BaseException:  # noqa: BLE001 - a forked child must not come back into its parent's code
        diary.write(note="end", value=None, error=traceback.format_exc())
    finally:
        os._exit(0)


def _read_all(descriptor: int) -> bytes:
    parts = []
    while part := os.read(descriptor, PIPE_CHUNK):
        parts.append(part)
    os.close(descriptor)
    return b"".join(parts)
