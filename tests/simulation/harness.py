"""Starts, kills and moves the parts of one shop: zygote (web, worker, commands), offline Stripe, database, time, mail."""

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.simulation.client import send
from tests.simulation.databases import Database, Postgresql, Sqlite
from tests.simulation.stripe_double import KEY, StripeDouble

ROOT = Path(__file__).absolute().parents[2]
WEBHOOK_SECRET = "whsec_" + "s" * 32
PARTS = ("web", "worker")
READY_SECONDS = 60


class End(NamedTuple):
    """How something that the shop ran to its end ended: exit code (None: killed on the way) and what it printed."""

    code: int | None
    output: str


class HarnessError(RuntimeError):
    """The run itself broke, not the shop."""


class Shop:
    """A shop in a folder of its own, in memory where there is some. Use it as a context; seeds use it in turn."""

    def __init__(self, *, database: str, name: str, sabotage: str = "") -> None:
        self._sabotage = sabotage
        memory = Path("/dev/shm")
        parent = memory if os.access(memory, os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix=f"tuition_simulation_{name}_", dir=parent))
        self.mail_folder = self.folder / "mail"
        self.database: Database = Sqlite(self.folder) if database == "sqlite" else Postgresql(name)
        self._clock = self.folder / "clock"
        self._clock.write_bytes(struct.pack("<d", 0.0))
        self._web_socket, self._stripe_socket = _listen(), _listen()
        self.url = f"http://127.0.0.1:{self._web_socket.getsockname()[1]}"
        stripe_file = self.folder / "stripe.sqlite"
        self.stripe = StripeDouble(f"http://127.0.0.1:{self._stripe_socket.getsockname()[1]}", stripe_file)
        self._zygote_lock = threading.Lock()
        self._processes: list[subprocess.Popen[str]] = []
        self.front: dict[str, Any] = {}

    def __enter__(self) -> "Shop":
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes (they end with their stdin) and removes the folder."""
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in self._processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self.stripe.close()
        for each in (self._web_socket, self._stripe_socket):
            each.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def reset(self, settings: dict[str, Any] | None = None) -> None:
        """As the first seed found it: database, Stripe, time, mail; both parts of the shop run.

        settings: what differs from the shop's own in app.config.Settings, as after a restart with other ones.
        """
        for part in PARTS:
            self._tell({"do": "kill", "part": part})
        self._tell({"do": "settings", "values": settings or {}})
        self.database.put_back()
        self.stripe.reset()
        self.offset = 0.0
        self.mend_mail()
        shutil.rmtree(self.mail_folder, ignore_errors=True)
        os.truncate(self.folder / "shop.log", 0)
        for part in PARTS:
            self.start(part)

    def start(self, part: str) -> None:
        self._tell({"do": "start", "part": part})

    def kill(self, part: str) -> None:
        self._tell({"do": "kill", "part": part})

    def run(self, *arguments: str) -> End:
        """One command of the shop's command line."""
        return self.run_at_once(*arguments, kill_after=[None])[0]

    def run_at_once(self, *arguments: str, kill_after: list[float | None]) -> list[End]:
        """A command as often at once as kill_after has entries: seconds after which one is killed, None for never."""
        return self._do("command", {"arguments": list(arguments)}, kill_after)

    def act(self, name: str, *, kill_after: float | None = None, **wanted: Any) -> End:
        """What the shop does by itself: one of acts.ACTS with what it wants."""
        return self._do(name, wanted, [kill_after])[0]

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """What is played inside is over and forgotten afterwards, but whatever it loaded and compiled stays."""
        self._tell({"do": "rehearse"})
        try:
            yield
        finally:
            self._tell({"do": "perform"})

    @property
    def offset(self) -> float:
        """How many seconds the shop's time is ahead of the system's."""
        return float(struct.unpack("<d", self._clock.read_bytes())[0])

    @offset.setter
    def offset(self, seconds: float) -> None:
        with self._clock.open("r+b") as file:
            file.write(struct.pack("<d", seconds))

    def let_time_pass(self, seconds: float) -> None:
        """For the shop and for Stripe."""
        self.offset += seconds
        self.stripe.advance(seconds)

    def now(self) -> float:
        """The shop's time, seconds since the epoch."""
        return time.time() + self.offset

    def break_mail(self) -> None:
        """No mail can be written: where the folder should be lies a file."""
        if self.mail_folder.is_dir():
            self.mail_folder.rename(self.folder / "mail.away")
        self.mail_folder.touch()

    def mend_mail(self) -> None:
        if self.mail_folder.is_file():
            self.mail_folder.unlink()
        if (self.folder / "mail.away").is_dir():
            (self.folder / "mail.away").rename(self.mail_folder)

    def log(self) -> str:
        """What the shop's processes have logged since the last reset, warnings and worse."""
        return (self.folder / "shop.log").read_text(errors="replace")

    def _open(self) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "APP_ENV": "demo",
            "INSTANCE_PATH": str(self.folder),
            "PUBLIC_URL": self.url,
            "DATABASE_URL": self.database.url,
            "SECRET_KEY": "simulation-" + "0123456789abcdef" * 3,
            "STRIPE_API_BASE": self.stripe.url,
            "STRIPE_SECRET_KEY": KEY,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "STRIPE_APP_ID": "tuition_simulation",
            # Buyers come through a proxy, so that each has an address, and limits, of their own.
            "PROXY_COUNT": "1",
            "SIMULATION_SABOTAGE": self._sabotage,
            "SIMULATION_CLOCK": str(self._clock),
            "SIMULATION_SOCKET": str(self._web_socket.fileno()),
        }
        stripe_socket = self._stripe_socket.fileno()
        self._start_process(
            [sys.executable, "-m", "tests.simulation.stripe_process", str(stripe_socket), str(self.folder / "stripe.sqlite")],
            environment, stripe_socket, "stripe.log",
        )  # fmt: skip
        zygote = self._start_process(
            [sys.executable, "-m", "tests.simulation.zygote"], environment, self._web_socket.fileno(), "shop.log"
        )
        self._zygote = zygote
        self.front = self._read_answer()
        self.database.keep()
        deadline = time.monotonic() + READY_SECONDS
        while send(self.stripe.url + "/").status is None:
            if time.monotonic() > deadline:
                raise HarnessError("the offline Stripe did not start: " + (self.folder / "stripe.log").read_text())
            time.sleep(0.05)

    def _do(self, act: str, wanted: dict[str, Any], kill_after: list[float | None]) -> list[End]:
        answer = self._tell({"do": "run", "act": act, "wanted": wanted, "kill_after": kill_after})
        return [End(code, output) for code, output in answer["ends"]]

    def _start_process(
        self, command: list[str], environment: dict[str, str], descriptor: int, log: str
    ) -> "subprocess.Popen[str]":
        with (self.folder / log).open("ab") as file:
            process = subprocess.Popen(
                command, env=environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file,
                pass_fds=[descriptor], text=True, start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        return process

    def _tell(self, command: dict[str, Any]) -> dict[str, Any]:
        with self._zygote_lock:
            if self._zygote.stdin is None:
                raise HarnessError("no way to the zygote")
            self._zygote.stdin.write(json.dumps(command) + "\n")
            self._zygote.stdin.flush()
            return self._read_answer()

    def _read_answer(self) -> dict[str, Any]:
        line = self._zygote.stdout.readline() if self._zygote.stdout is not None else ""
        if not line:
            raise HarnessError("the zygote is gone: " + (self.folder / "shop.log").read_text()[-4000:])
        answer: dict[str, Any] = json.loads(line)
        return answer


def _listen() -> socket.socket:
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    listening.set_inheritable(True)
    return listening
