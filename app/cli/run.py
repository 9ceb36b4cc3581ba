"""python -m app.cli.run: the whole shop on one machine, for `make run`. Starts, watches and stops its processes.

Production starts the same parts under a service manager of its own (README, "In production").
"""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import click

from app.cli.demo import demo_password
from app.config import SANDBOX_SECRET_KEY, ConfigError, Settings, load_settings

READY_SECONDS = 60
STOP_SECONDS = 8
RESTART_SECONDS = 1.0
BIN = Path(sys.executable).parent


@dataclass(kw_only=True)
class Part:
    """One process of the shop."""

    name: str
    command: list[str]
    ready_url: str | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        self.process = subprocess.Popen(self.command)  # noqa: S603 - our own commands, no shell

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def main() -> int:
    """Run everything until Ctrl-C; returns the exit code."""
    port = os.environ.get("PORT", "5000")
    os.environ.setdefault("PUBLIC_URL", f"http://127.0.0.1:{port}")
    uses_sandbox = not os.environ.get("STRIPE_SECRET_KEY") and not os.environ.get("STRIPE_API_BASE")
    if uses_sandbox:
        sandbox_port = os.environ.setdefault("SANDBOX_PORT", str(int(port) + 1))
        os.environ["STRIPE_API_BASE"] = f"http://127.0.0.1:{sandbox_port}"
        os.environ["STRIPE_SECRET_KEY"] = SANDBOX_SECRET_KEY
        os.environ["SANDBOX_WEBHOOK_URL"] = f"{os.environ['PUBLIC_URL']}/webhooks/stripe"
    try:
        settings = load_settings()
    except ConfigError as error:
        click.echo(f"Tuition can’t start: {error}", err=True)
        return 1
    os.environ["DEMO_PASSWORD"] = demo_password(settings)
    if uses_sandbox:
        os.environ["STRIPE_WEBHOOK_SECRET"] = settings.stripe_webhook_secrets[0]
    flask = [str(BIN / "flask"), "--app", "app"]
    for preparation in (["db", "upgrade"], ["demo", "load"]):
        finished = subprocess.run([*flask, *preparation], check=False, capture_output=True)  # noqa: S603 - our own commands
        if finished.returncode != 0:
            sys.stderr.buffer.write(finished.stdout + finished.stderr)
            return 1
    return _run(_list_parts(settings, port, uses_sandbox=uses_sandbox), settings, port)


def _list_parts(settings: Settings, port: str, *, uses_sandbox: bool) -> list[Part]:
    flask = [str(BIN / "flask"), "--app", "app"]
    parts = [
        Part(
            name="web",
            command=[
                *[str(BIN / "granian"), "--interface", "wsgi", "--host", "127.0.0.1", "--port", port],
                *["--workers", "1", "--blocking-threads", "32", "--no-access-log", "--log-level", "error"],
                "app.wsgi:application",
            ],
            ready_url=f"http://127.0.0.1:{port}/healthz",
        ),
        Part(name="worker", command=[*flask, "jobs", "work"]),
    ]
    if uses_sandbox:
        sandbox = Part(
            name="sandbox", command=[sys.executable, "-m", "app.sandbox"], ready_url=settings.stripe_api_base
        )
        parts.insert(0, sandbox)
    return parts


def _run(parts: list[Part], settings: Settings, port: str) -> int:
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    for part in parts:
        part.start()
    try:
        if not all(_wait_until_ready(part, stopping) for part in parts):
            return 0 if stopping.is_set() else 1
        _print_welcome(settings, port, parts)
        while not stopping.wait(RESTART_SECONDS):
            for part in parts:
                if part.process is not None and part.process.poll() is not None:
                    click.echo(f"{part.name} stopped; starting it again. Nothing is lost.", err=True)
                    part.start()
    finally:
        for part in reversed(parts):
            part.stop()
    return 0


def _wait_until_ready(part: Part, stopping: threading.Event) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while part.ready_url is not None and not stopping.is_set():
        if part.process is None or part.process.poll() is not None or time.monotonic() > deadline:
            click.echo(f"{part.name} did not start. Is its port taken? PORT=8000 make run moves the shop.", err=True)
            return False
        try:
            with urllib.request.urlopen(part.ready_url, timeout=2):  # noqa: S310 - an address on this machine
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            stopping.wait(0.2)
    return not stopping.is_set()


def _print_welcome(settings: Settings, port: str, parts: list[Part]) -> None:
    password = os.environ["DEMO_PASSWORD"]
    click.echo(f"\n  {settings.site_name} is open at http://127.0.0.1:{port}\n")
    click.echo(f"  Admin    admin@example.org    {password}")
    click.echo(f"  Learner  learner@example.org  {password}\n")
    if any(part.name == "sandbox" for part in parts):
        click.echo("  Pay with card 4242 4242 4242 4242, any future date, any CVC.")
        click.echo(f"  Offline Stripe sandbox   {settings.stripe_api_base}/")
    click.echo(f"  Mails the shop sent      http://127.0.0.1:{port}/dev/mail\n")
    click.echo("  Ctrl-C stops everything; your data stays in instance/.\n")


if __name__ == "__main__":
    sys.exit(main())
