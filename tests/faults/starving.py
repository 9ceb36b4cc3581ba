"""`python -m tests.faults.starving FOLDER`: a shop in a process whose memory ends while events arrive; prints what they got.

A line of JSON: the status while there was none left, the one afterwards, and the events that are stored.
"""

import hashlib
import hmac
import json
import logging
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import select
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app import create_app
from app.config import load_settings
from app.db import db
from app.payments.models import StripeEvent
from tests.benchmarks.webhooks import make_event

SECRET = "whsec_" + "m" * 32
# More than what the allocator may have kept aside for small things.
PADDING = "x" * 450_000


def main(folder: Path) -> None:
    app = create_app(
        replace(
            load_settings(folder),
            app_env="test",
            database_url=f"sqlite:///{folder / 'starving.sqlite'}",
            public_url="http://localhost",
            stripe_webhook_secrets=(SECRET,),
        )
    )
    with app.app_context():
        upgrade()
    warm, starved, fed = (make_request(number) for number in (1, 2, 3))
    send(app, warm)
    food = eat_all_memory()
    during = send(app, starved)
    food.clear()
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    after = send(app, fed)
    with app.app_context():
        stored = sorted(db.session.scalars(select(StripeEvent.id)))
    sys.stdout.write(json.dumps({"during": during, "after": after, "stored": stored}) + "\n")


def make_request(number: int) -> dict[str, Any]:
    payload = json.dumps({**make_event(number, "cs_test_memory"), "padding": PADDING}).encode()
    moment = int(time.time())
    signature = hmac.new(SECRET.encode(), f"{moment}.".encode() + payload, hashlib.sha256).hexdigest()
    headers = {"Stripe-Signature": f"t={moment},v1={signature}", "Content-Type": "application/json"}
    builder = EnvironBuilder(
        base_url="http://localhost", path="/webhooks/stripe", method="POST", data=payload, headers=headers
    )
    return builder.get_environ()


def send(app: Flask, environ: dict[str, Any]) -> int:
    return int(run_wsgi_app(app, environ)[1].split()[0])


def eat_all_memory() -> list[bytearray]:
    """Forbid growth beyond a little, and take that little away in ever smaller pieces."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000, resource.RLIM_INFINITY))
    food: list[bytearray] = []
    size = 10_000_000
    while size > 60_000:
        try:
            food.append(bytearray(size))
        except MemoryError:
            size //= 2
    return food


if __name__ == "__main__":
    logging.disable()
    main(Path(sys.argv[1]))
