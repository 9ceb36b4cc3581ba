"""flask jobs: the worker."""

import json
import threading
import time

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from app.queue import Sweep, list_sweeps, run_sweep, run_sweeps

SWEEP_SECONDS = 3.0
MOST_ROUNDS = 50

jobs = AppGroup("jobs", help="Work that is done behind the pages: Stripe's events, mails, refunds, checks.")


@jobs.command("work")
@click.option("--threads", default=2, show_default=True, help="How many tasks may run at once.")
def work(threads: int) -> None:
    """Work until stopped.

    \b
    Example:
      flask jobs work --threads 4
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - the app for a thread
    # One thread for each kind of work: a mail server that never answers must not hold up Stripe's events (F92), nor
    # Stripe the mails (F45).
    for each in list_sweeps():
        threading.Thread(target=_sweep_forever, args=(app, each), daemon=True, name=f"sweep {each.task}").start()
    click.echo(f"Working with {threads} threads; unfinished work is looked for every {SWEEP_SECONDS:g} seconds.")
    consumer = app.extensions["huey"].create_consumer(
        workers=threads, periodic=False, initial_delay=0.05, max_delay=0.5, scheduler_interval=5
    )
    consumer.run()


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


def _sweep_forever(app: Flask, each: Sweep) -> None:
    while True:
        with app.app_context():
            run_sweep(each)
        time.sleep(SWEEP_SECONDS)
