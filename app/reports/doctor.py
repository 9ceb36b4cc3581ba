"""Everything that must be right for money to arrive: Stripe, the webhook, the worker, mail, the database's shape."""

import time
from collections.abc import Iterator

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app

from app.checkout.events import HANDLED_EVENTS
from app.db import db
from app.mail.delivery import DeliveryFailed
from app.mail.probe import probe_delivery
from app.payments.doctor import Check, check_stripe, check_webhook_secret
from app.payments.models import StripeEvent
from app.reports.health import read_health

# Work that is due for longer means that no worker does it.
MOST_LAG_SECONDS = 120
POLL_SECONDS = 0.1
START_WORKER = "Start the worker: flask jobs work. If it runs, look into its log."


def examine(*, wait_seconds: float) -> Iterator[Check]:
    """All checks, one after the other; never raises for what it looks at.

    wait_seconds is how long the worker may take to handle the event that the webhook's check sends.
    """
    yield _check_migrations()
    yield from check_stripe(HANDLED_EVENTS)
    checks, event_id = check_webhook_secret()
    yield from checks
    yield from _check_worker(event_id, wait_seconds)
    yield _check_mail()


def _check_migrations() -> Check:
    config = current_app.extensions["migrate"].migrate.get_config()
    wanted = set(ScriptDirectory.from_config(config).get_heads())
    with db.engine.connect() as connection:
        found = set(MigrationContext.configure(connection).get_current_heads())
    if found == wanted:
        return Check(name="database", level="ok", what="Every migration has run.")
    what = f"The database is at {', '.join(sorted(found)) or 'nothing'}, the program at {', '.join(sorted(wanted))}."
    return Check(name="database", level="fail", what=what, fix="Run flask db upgrade.")


def _check_worker(event_id: str | None, wait_seconds: float) -> Iterator[Check]:
    """Whether the probe that was stored is handled in time, and whether anything else waits for long."""
    health = read_health()
    if health.events_overdue:
        what = f"{health.events_overdue} events wait for {health.events_oldest_age_seconds} seconds and more."
        fix = START_WORKER + " flask stripe events --state received says which they are."
        yield Check(name="worker", level="fail", what=what, fix=fix)
    if health.events_failed:
        what = f"{health.events_failed} events were given up after many tries."
        yield Check(name="worker", level="fail", what=what, fix="Run flask stripe replay --failed.")
    if health.queue_lag_seconds > MOST_LAG_SECONDS:
        what = f"Work is due for {health.queue_lag_seconds} seconds, {health.mails_due} mails among it."
        yield Check(name="worker", level="fail", what=what, fix=START_WORKER)
    if event_id is None:
        yield Check(name="worker", level="warn", what="Not tried, for no event could be sent.", fix="Mend the webhook.")
    elif _is_handled(event_id, wait_seconds):
        yield Check(name="worker", level="ok", what="The worker has handled the event that was sent.")
    else:
        what = f"Nobody handled the event that was sent within {wait_seconds:g} seconds."
        yield Check(name="worker", level="fail", what=what, fix=START_WORKER)


def _is_handled(event_id: str, wait_seconds: float) -> bool:
    deadline = time.monotonic() + wait_seconds
    while True:
        db.session.rollback()
        if db.session.get_one(StripeEvent, event_id, populate_existing=True).state != "received":
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)


def _check_mail() -> Check:
    try:
        what = probe_delivery()
    except DeliveryFailed as error:
        fix = "Look at MAIL_URL: server, port, user and password; without one, at the instance folder’s rights."
        return Check(name="mail", level="fail", what=f"No mail could leave ({error}).", fix=fix)
    failed = read_health().mails_failed
    if failed:
        what = f"Mails can leave; {failed} were given up before."
        return Check(name="mail", level="warn", what=what, fix="Look at the outbox for their reasons.")
    return Check(name="mail", level="ok", what=what[0].upper() + what[1:] + ".")
