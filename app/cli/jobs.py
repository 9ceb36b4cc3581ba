"""flask jobs: the worker."""

import threading
import time

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from app.queue import run_sweeps

SWEEP_SECONDS = 3.0
MOST_ROUNDS = 50

jobs = AppGroup("jobs", help="Work that is done behind the pages: Stripe's events, mails, refunds, checks.")


@jobs.command("work")
@click.option("--threads", default=2, show_default=True, help="How many tasks may run at once.")
def work(threads: int) -> None:
    """Work until stopped. Example: flask jobs work --threads 4"""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - the app for a thread
    threading.Thread(target=_sweep_forever, args=(app,), daemon=True, name="sweeper").start()
    click.echo(f"Working with {threads} threads; unfinished work is looked for every {SWEEP_SECONDS:g} seconds.")
    consumer = app.extensions["huey"].create_consumer(
        workers=threads, periodic=False, initial_delay=0.05, max_delay=0.5, scheduler_interval=5
    )
    consumer.run()


@jobs.command("run-once")
def run_once() -> None:
    """Do everything that is due now and stop. Example: flask jobs run-once"""
    done = 0
    for _ in range(MOST_ROUNDS):
        count = run_sweeps()
        done += count
        if count == 0:
            break
    click.echo(f"{done} pieces of work were due.")


def _sweep_forever(app: Flask) -> None:
    while True:
        with app.app_context():
            run_sweeps()
        time.sleep(SWEEP_SECONDS)
