"""The process that has the shop imported and ready: forks its web server, its worker and its commands in milliseconds.

Started by the harness with the shop's settings in the environment; takes one JSON command a line on stdin and answers
each with one JSON line on stdout. Children log to stderr. They die with SIGKILL, as at a power cut, and are forked
again from memory that holds no connection to anything. When stdin ends, everything ends.

What runs is the product: its application, its worker command, its settings of the database. Only its waits are
shorter (SCALED), so that "longer than the shop waits" costs a second of a run and not a minute.
"""

import importlib
import json
import logging
import mmap
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from select import select
from typing import Any

import stripe
import structlog

from app import clock, create_app
from app.checkout import reconcile_scans
from app.payments import gateway
from tests.simulation.acts import command
from tests.simulation.sabotage import SABOTAGES
from tests.simulation.shopfront import open_shopfront
from tests.simulation.stage import Rehearsal, Stage, Work, change_settings, in_passing_thread

# A killed reconciler holds its page for a lease, and whoever waits for the page waits by the machine's clock.
LEASE = timedelta(seconds=4)
SCALED: tuple[tuple[Any, str, Any], ...] = (
    (importlib.import_module("app.cli.jobs"), "SWEEP_SECONDS", 1.0),
    (importlib.import_module("app.cli.stripe"), "WAIT_SECONDS", 0.1),
    (importlib.import_module("app.cli.stripe"), "LEASE", LEASE),
    (reconcile_scans, "LEASE", LEASE),
    (gateway, "TIMEOUT_SECONDS", 2.5),
    (stripe.HTTPClient, "INITIAL_DELAY", 0.05),
)
LOG = logging.getLogger(__name__)
# No round of the worker, no refund and no reconciler may take longer.
LONGEST_SECONDS = 180.0


class SharedClock:
    """The system's time plus an offset that lies in a file, eight bytes, for every process of the shop."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._offset = mmap.mmap(file.fileno(), 8)

    def __call__(self) -> datetime:
        (seconds,) = struct.unpack("<d", self._offset[:8])
        return datetime.now(UTC) + timedelta(seconds=seconds)


class Zygote(Stage):
    """Forks and kills on command. Has no thread of its own while it forks."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._children: dict[str, int] = {}

    def start(self, part: str) -> None:
        work = {"web": self._serve, "worker": lambda: command(self.app, arguments=["jobs", "work"])}[part]
        if part not in self._children:
            self._children[part] = self._fork(work)

    def kill(self, part: str) -> bool:
        pid = self._children.pop(part, None)
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return True

    def run(self, work: Work, kill_after: list[float | None]) -> list[tuple[int | None, str]]:
        """Each in a child of its own. A child that is over has closed its end of the pipe."""
        children = [_Child(self._fork, work, seconds) for seconds in kill_after]
        while any(child.is_running for child in children):
            running = [child for child in children if child.is_running]
            wait = max(0.0, min(child.deadline for child in running) - time.monotonic())
            ready, _, _ = select([child.pipe for child in running], [], [], wait)
            for child in running:
                if child.pipe in ready:
                    child.read()
                elif child.deadline <= time.monotonic():
                    child.kill()
        return [child.end() for child in children]

    def end(self) -> None:
        for part in list(self._children):
            self.kill(part)

    def _fork(self, work: Callable[[], None], output: int | None = None) -> int:
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            os.dup2(2 if output is None else output, 1)
            sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
            work()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            LOG.exception("child failed")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _serve(self) -> None:
        self.make_server().serve_forever(poll_interval=0.05)


class _Child:
    """Some work in a process of its own, with what it prints."""

    def __init__(self, fork: Callable[[Work, int], int], work: Work, kill_after: float | None) -> None:
        self.pipe, writing = os.pipe()
        self._pid = fork(work, writing)
        os.close(writing)
        self._output = b""
        self.is_running = True
        self.deadline = time.monotonic() + (LONGEST_SECONDS if kill_after is None else kill_after)

    def read(self) -> None:
        told = os.read(self.pipe, 65536)
        self._output += told
        self.is_running = bool(told)

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        self.is_running = False

    def end(self) -> tuple[int | None, str]:
        status = os.waitpid(self._pid, 0)[1]
        os.close(self.pipe)
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else None, self._output.decode(errors="replace")


def main() -> int:
    logging.captureWarnings(capture=True)
    for module, name, value in SCALED:
        getattr(module, name)
        setattr(module, name, value)
    clock.set_source(SharedClock(Path(os.environ["SIMULATION_CLOCK"])))
    app = create_app()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    app.logger.setLevel(logging.WARNING)
    if os.environ["SIMULATION_SABOTAGE"]:
        SABOTAGES[os.environ["SIMULATION_SABOTAGE"]]()
    front = in_passing_thread(lambda: open_shopfront(app))
    listening = socket.socket(fileno=int(os.environ["SIMULATION_SOCKET"]))
    stage: Stage = Zygote(app, listening)
    _tell(front)
    try:
        for line in sys.stdin:
            asked = json.loads(line)
            if asked["do"] in {"rehearse", "perform"}:
                stage.end()
                stage = {"rehearse": Rehearsal, "perform": Zygote}[asked["do"]](app, listening)
                _tell({})
            elif asked["do"] == "settings":
                change_settings(app, asked["values"])
                _tell({})
            else:
                _tell(stage.obey(asked))
    finally:
        stage.end()
    return 0


def _tell(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
