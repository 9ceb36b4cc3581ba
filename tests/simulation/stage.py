"""Where the parts of a shop run: what every stage obeys, and the rehearsal, in which all of it is threads of one process.

A rehearsal loads what is loaded on first use, compiles templates and statements, and so spares it every process that is
forked afterwards. Nothing that it did is kept: its threads end, its connections close, its database is thrown away.
"""

import gc
import io
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from app.config import Settings
from app.db import db
from app.extensions import limiter
from app.sandbox.server import BufferedRequestHandler
from tests.simulation.acts import ACTS

Answer = dict[str, Any]
Work = Callable[[], None]
LONGEST_END_SECONDS = 10.0


class Stage(ABC):
    """Obeys the harness's commands for web, worker and everything that is run to its end."""

    def __init__(self, app: Flask, listening: Any) -> None:
        self.app = app
        self.listening = listening

    def obey(self, command: Answer) -> Answer:
        what = command["do"]
        if what == "start":
            self.start(command["part"])
            return {}
        if what == "kill":
            return {"was_running": self.kill(command["part"])}
        if what == "run":
            act, wanted = ACTS[command["act"]], command["wanted"]
            return {"ends": self.run(lambda: act(self.app, **wanted), command["kill_after"])}
        raise ValueError(what)

    @abstractmethod
    def start(self, part: str) -> None:
        """Let a part run; one that runs goes on."""

    @abstractmethod
    def kill(self, part: str) -> bool:
        """End a part at once; says whether it ran."""

    @abstractmethod
    def run(self, work: Work, kill_after: list[float | None]) -> list[tuple[int | None, str]]:
        """Do the work as often at once as kill_after has entries. For each: exit code (None: killed) and output."""

    @abstractmethod
    def end(self) -> None:
        """End everything that runs."""

    def make_server(self) -> BaseWSGIServer:
        host, port = self.listening.getsockname()
        return make_server(
            host,
            port,
            self.app,
            threaded=True,
            request_handler=BufferedRequestHandler,
            fd=self.listening.fileno(),
        )


class Rehearsal(Stage):
    """Plays everything in passing threads of this process. Nothing can be killed in it; the worker has no part."""

    def __init__(self, app: Flask, listening: Any) -> None:
        super().__init__(app, listening)
        self._server: BaseWSGIServer | None = None

    def start(self, part: str) -> None:
        if part == "web" and self._server is None:
            self._server = self.make_server()
            threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}).start()

    def kill(self, part: str) -> bool:
        if part != "web" or self._server is None:
            return False
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        return True

    def run(self, work: Work, kill_after: list[float | None]) -> list[tuple[int | None, str]]:
        return [in_passing_thread(lambda: _run_here(work)) for _ in kill_after]

    def end(self) -> None:
        self.kill("web")
        in_passing_thread(lambda: _leave(self.app))
        deadline = time.monotonic() + LONGEST_END_SECONDS
        while threading.active_count() > 1 and time.monotonic() < deadline:
            time.sleep(0.005)
        limiter.reset()
        gc.collect()
        # What is here stays: the collector of a child need not touch, and so copy, every page of it.
        gc.freeze()
        _require_no_trace()


def change_settings(app: Flask, values: Answer) -> None:
    """The shop with other settings, as after a restart with another environment."""
    kept: Settings = app.config.setdefault("SIMULATION_SETTINGS", app.config["SETTINGS"])
    consents = tuple(values.get("consents", kept.consents))
    app.config["SETTINGS"] = replace(kept, **{**values, "consents": consents})


def in_passing_thread(work: Callable[[], Any]) -> Any:
    """What a thread keeps for itself, connections above all, ends with it: nothing of it is forked."""
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(work()))
    thread.start()
    thread.join()
    return done[0]


def _run_here(work: Work) -> tuple[int, str]:
    output = io.StringIO()
    with redirect_stdout(output):
        try:
            work()
        except SystemExit as end:
            return (end.code if isinstance(end.code, int) else int(end.code is not None)), output.getvalue()
    return 0, output.getvalue()


def _leave(app: Flask) -> None:
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
    app.extensions["huey"].storage.close()


def _require_no_trace() -> None:
    """Raises RuntimeError where a fork would share a connection or lose a thread."""
    files = [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.exists()]
    left = [file for file in files if ".sqlite" in file]
    if left or threading.active_count() > 1:
        raise RuntimeError(f"the rehearsal left {left} and {threading.active_count() - 1} threads")
