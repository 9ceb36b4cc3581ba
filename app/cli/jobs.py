"""flask jobs: the worker."""

import json
import threading
import time
from contextlib import suppress

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from app.queue import list_sweeps, run_sweeps, sweep_until

SWEEP_SECONDS = 3.0
# Service managers send SIGTERM and then wait, mostly for 30 seconds; a call to Stripe takes 16 at most.
STOP_SECONDS = 25.0
MOST_ROUNDS = 50

jobs = AppGroup("jobs", help="Work that is done behind the pages: Stripe's events, mails, refunds, checks.")


@jobs.command("work")
@click.option("--threads", default=2, show_default=True, help="How many tasks may run at once.")
def work(threads: int) -> None:
    """Work until stopped. SIGTERM lets the work at hand be finished, for up to 25 seconds; what is left stays stored.

    \b
    Example:
      flask jobs work --threads 4
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - the app for a thread
    stopping = threading.Event()
    # One thread for each kind of work: a mail server that never answers must not hold up Stripe's events (F92), nor
    # Stripe the mails (F45).
    sweepers = [
        threading.Thread(
            target=sweep_until,
            args=(each, stopping),
            kwargs={"app": app, "pause_seconds": SWEEP_SECONDS},
            daemon=True,
            name=f"sweep {each.task}",
        )
        for each in list_sweeps()
    ]
    for sweeper in sweepers:
        sweeper.start()
    # A disk that is full under the output must not keep the worker from working (F35).
    with suppress(OSError):
        click.echo(f"Working with {threads} threads; unfinished work is looked for every {SWEEP_SECONDS:g} seconds.")
    consumer = app.extensions["huey"].create_consumer(
        workers=threads,
        periodic=False,
        initial_delay=0.05,
        max_delay=0.5,
        scheduler_interval=5,
        graceful_signal="TERM",
        shutdown_timeout=STOP_SECONDS,
    )
    consumer.run()
    stopping.set()
    deadline = time.monotonic() + STOP_SECONDS
    for sweeper in sweepers:
        sweeper.join(max(deadline - time.monotonic(), 0))


@jobs.command("run-once")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def run_once(as_json: bool) -> None:  # noqa: FBT001 - click's form
    """Do everything that is due now and stop.

    \b
    Example:
      flask jobs run-once
      flask jobs run-once --json
    """
    done, is_finished = 0, False
    for _ in range(MOST_ROUNDS):
        count = run_sweeps()
        done += count
        if count == 0:
            is_finished = True
            break
    if as_json:
        click.echo(json.dumps({"done": done, "is_finished": is_finished}))
        return
    click.echo(f"{done} pieces of work were due." + ("" if is_finished else " There is more: run it again."))
