"""The real thing: sandbox, web and worker as processes of their own on free ports, over an instance folder of their own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from app.config import PROJECT_ROOT, SANDBOX_SECRET_KEY

BIN = Path(sys.executable).parent
READY_SECONDS = 90
PASSWORD = "journey-password-1"


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class RunningShop:
    """Starts, kills and restarts the parts; talks to the sandbox's controls."""

    folder: Path
    database_url: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.web_port, self.sandbox_port = find_free_port(), find_free_port()
        # Where each server listens; the public address is the first one's unless something stands in front of it.
        self.server_ports = {"web": self.web_port, "web-2": find_free_port()}
        self.url = f"http://127.0.0.1:{self.web_port}"
        self.sandbox_url = f"http://127.0.0.1:{self.sandbox_port}"
        self.traffic = self.folder / "traffic.jsonl"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "APP_ENV": "demo",
            "INSTANCE_PATH": str(self.folder),
            "PUBLIC_URL": self.url,
            "DATABASE_URL": self.database_url,
            "STRIPE_API_BASE": self.sandbox_url,
            "STRIPE_SECRET_KEY": SANDBOX_SECRET_KEY,
            "STRIPE_WEBHOOK_SECRET": "whsec_" + "j" * 32,
            "SANDBOX_PORT": str(self.sandbox_port),
            "SANDBOX_DATABASE": str(self.folder / "sandbox.sqlite"),
            "SANDBOX_WEBHOOK_URL": f"{self.url}/webhooks/stripe",
            "SANDBOX_TRAFFIC": str(self.traffic),
            "SANDBOX_RETRY_BASE_SECONDS": "0.5",
            "SANDBOX_ASYNC_SECONDS": "3",
            "RECONCILE_INTERVAL_SECONDS": "3",
            "DEMO_PASSWORD": PASSWORD,
            **self.settings,
        }

    def prepare(self) -> None:
        for command in (["db", "upgrade"], ["demo", "load"]):
            self.flask(*command)

    def flask(self, *command: str) -> str:
        finished = subprocess.run(
            [BIN / "flask", "--app", "app", *command],
            env=self.environment, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def start(self, *names: str) -> None:
        commands: dict[str, list[Any]] = {
            "sandbox": [sys.executable, "-m", "app.sandbox"],
            "web": [
                *[BIN / "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--workers", "1", "--no-ws"],
                *["--blocking-threads", "16", "--log-level", "error", "app.wsgi:application"],
            ],
            "worker": [BIN / "flask", "--app", "app", "jobs", "work"],
        }
        for name in names:
            # "worker-2" is another worker, "web-2" another server.
            command = commands[name.partition("-")[0]]
            if name in self.server_ports:
                command = [*command, "--port", str(self.server_ports[name])]
            log = (self.folder / f"{name}.log").open("ab")
            # A group of its own: granian's workers must die with it.
            self.processes[name] = subprocess.Popen(
                command, env=self.environment, cwd=PROJECT_ROOT, stdout=log, stderr=log, start_new_session=True
            )
            log.close()
        for name in names:
            if name == "sandbox":
                self._wait_for(name, self.sandbox_url + "/")
            elif name in self.server_ports:
                self._wait_for(name, f"http://127.0.0.1:{self.server_ports[name]}/healthz")

    def terminate(self, name: str, seconds: float = 60) -> int:
        """SIGTERM to the process that a service manager knows; gives its exit code."""
        process = self.processes.pop(name)
        process.terminate()
        return process.wait(seconds)

    def find_server_pid(self, name: str) -> int:
        """The process that answers requests: granian's only child."""
        own = self.processes[name].pid
        [child] = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return int(child)

    def kill(self, name: str) -> None:
        """SIGKILL, as a power cut would."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    def control(self, path: str, body: dict[str, Any] | None = None, method: str = "POST") -> tuple[int, Any]:
        data = json.dumps(body or {}).encode() if method != "GET" else None
        return self._json(
            Request(f"{self.sandbox_url}/_sandbox{path}", data, {"Content-Type": "application/json"}, method=method)
        )

    def stripe(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {SANDBOX_SECRET_KEY}"}
        return self._json(Request(self.sandbox_url + path, headers=headers))[1]

    def mails(self, text: str = "") -> list[str]:
        """The mails the shop has sent, those with the text in them."""
        files = sorted((self.folder / "mail").glob("*.eml"), key=lambda path: path.stat().st_mtime)
        found = []
        for path in files:
            content = path.read_text(encoding="utf-8")
            if text in content:
                found.append(content)
        return found

    def _json(self, request: Request) -> tuple[int, Any]:
        try:
            with urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")

    def _wait_for(self, name: str, url: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self.processes[name].poll() is None, (self.folder / f"{name}.log").read_text()
            try:
                with urlopen(url, timeout=5):
                    return
            except HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"{name} was not ready: " + (self.folder / f"{name}.log").read_text()[-2000:])


def wait_until(check: Any, seconds: float = 20) -> Any:
    """Ask until the answer is true; for what other processes do in their own time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
