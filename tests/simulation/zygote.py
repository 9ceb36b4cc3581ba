"""The process that has the shop imported and ready: forks its web server, its worker and its commands in milliseconds.

Started by the harness with the shop's settings in the environment; takes one JSON command a line on stdin and answers
each with one JSON line on stdout. Children log to stderr. They die with SIGKILL, as at a power cut, and are forked
again from memory that holds no connection to anything. When stdin ends, everything ends.

What runs is the product: its application, its worker command, its settings of the database. Only its waits are
shorter (SCALED), so that "longer than the shop waits" costs a second of a run and not a minute.
"""

import gc
import importlib
import json
import logging
import mmap
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import stripe
import structlog
from flask import Flask
from flask.cli import ScriptInfo
from werkzeug.serving import make_server

from app import clock, create_app
from app.checkout.refund_orders import refund_order
from app.checkout.refund_plans import RefundScope
from app.errors import AppError
from app.extensions import limiter
from app.payments import gateway
from app.sandbox.server import BufferedRequestHandler
from tests.simulation.sabotage import SABOTAGES
from tests.simulation.shopfront import open_shopfront, warm_up

SCALED = (
    (importlib.import_module("app.cli.jobs"), "SWEEP_SECONDS", 0.5),
    (gateway, "TIMEOUT_SECONDS", 2.5),
    (stripe.HTTPClient, "INITIAL_DELAY", 0.05),
)
LOG = logging.getLogger(__name__)
POLL_SECONDS = 0.005
# No round of the worker and no refund may take longer.
LONGEST_SECONDS = 180.0
REFUSED = 3


class SharedClock:
    """The system's time plus an offset that lies in a file, eight bytes, for every process of the shop."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._offset = mmap.mmap(file.fileno(), 8)

    def __call__(self) -> datetime:
        (seconds,) = struct.unpack("<d", self._offset[:8])
        return datetime.now(UTC) + timedelta(seconds=seconds)


class Zygote:
    """Forks and kills on command. Has no thread of its own while it forks."""

    def __init__(self, app: Flask, listening: socket.socket) -> None:
        self._app = app
        self._listening = listening
        self._children: dict[str, int] = {}

    def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        what = command["do"]
        if what == "warm_up":
            _in_passing_thread(lambda: warm_up(self._app))
            limiter.reset()
            # What is here stays: the collector of a child need not touch, and so copy, every page of it.
            gc.collect()
            gc.freeze()
            return {}
        if what == "start":
            self._start(command["part"])
            return {}
        if what == "kill":
            return {"was_running": self._kill(command["part"])}
        if what == "run":
            return self._run(lambda: self._command(command["arguments"]), command["kill_after"])
        if what == "refund":
            return self._run(lambda: self._refund(command), command["kill_after"])
        raise ValueError(what)

    def kill_all(self) -> None:
        for part in list(self._children):
            self._kill(part)

    def _start(self, part: str) -> None:
        work = {"web": self._serve, "worker": lambda: self._command(["jobs", "work"])}[part]
        if part not in self._children:
            self._children[part] = self._fork(work)

    def _kill(self, part: str) -> bool:
        pid = self._children.pop(part, None)
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return True

    def _run(self, work: Callable[[], None], kill_after: float | None) -> dict[str, Any]:
        """Something done to its end in a child; its exit code, or None when it was killed on the way."""
        reading, writing = os.pipe()

        def write_to_pipe() -> None:
            os.dup2(writing, 1)
            work()

        pid = self._fork(write_to_pipe)
        os.close(writing)
        output: list[str] = []
        with os.fdopen(reading, encoding="utf-8") as pipe:
            listening = threading.Thread(target=lambda: output.append(pipe.read()))
            listening.start()
            status = self._wait(pid, LONGEST_SECONDS if kill_after is None else kill_after)
            listening.join()
        return {"code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None, "output": "".join(output)}

    @staticmethod
    def _wait(pid: int, seconds: float) -> int:
        """The status of a child at its end, which is SIGKILL when the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return status
            time.sleep(POLL_SECONDS)
        os.kill(pid, signal.SIGKILL)
        return os.waitpid(pid, 0)[1]

    def _fork(self, work: Callable[[], None]) -> int:
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
            os.dup2(2, 1)
            work()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            LOG.exception("child failed")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _serve(self) -> None:
        host, port = self._listening.getsockname()
        server = make_server(
            host, port, self._app, threaded=True, request_handler=BufferedRequestHandler, fd=self._listening.fileno()
        )
        server.serve_forever(poll_interval=0.05)

    def _refund(self, wanted: dict[str, Any]) -> None:
        """The use case behind `flask orders refund` and the back office. Exit code 3: refused, nothing was stored."""
        scope = RefundScope(amount=wanted["amount"], seats=tuple(wanted["seats"]))
        with self._app.app_context():
            try:
                refund_order(
                    order_public_id=wanted["order"],
                    request_key=wanted["key"],
                    scope=scope,
                    reason="The simulator asks.",
                )
            except AppError as error:
                os.write(1, error.code.encode())
                raise SystemExit(REFUSED) from error

    def _command(self, arguments: list[str]) -> None:
        sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self._app.cli.main(args=arguments, obj=ScriptInfo(create_app=lambda: self._app), prog_name="flask")


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
    front = _in_passing_thread(lambda: open_shopfront(app))
    listening = socket.socket(fileno=int(os.environ["SIMULATION_SOCKET"]))
    zygote = Zygote(app, listening)
    _tell(front)
    try:
        for line in sys.stdin:
            _tell(zygote.obey(json.loads(line)))
    finally:
        zygote.kill_all()
    return 0


def _in_passing_thread(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a thread keeps for itself, connections above all, ends with it: nothing of it is forked."""
    done: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: done.append(work()))
    thread.start()
    thread.join()
    return done[0]


def _tell(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
