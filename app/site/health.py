"""What machines ask: does the process live, does it reach its database, and, for those with the token, how it does."""

import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from hmac import compare_digest

from flask import Response, current_app, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from sqlalchemy import text

from app.config import Settings
from app.db import db
from app.errors import AppError, NotFound
from app.metrics import render_counters
from app.payments.overdue import sound_alarm
from app.reports.health import Health, read_health
from app.site.blueprint import blueprint

GAUGES = {
    "events_unhandled": "Stripe events that wait for handling",
    "events_overdue": "Stripe events that wait longer than five minutes; alarm above 0",
    "events_oldest_age_seconds": "Age of the oldest unhandled Stripe event",
    "events_failed": "Stripe events given up after many tries",
    "mails_due": "Mails that should have gone out by now",
    "mails_failed": "Mails given up after many tries",
    "findings_open": "Things about money that need a person",
    "orders_open": "Orders that are not paid and not closed",
    "queue_lag_seconds": "How long the oldest piece of work has been due",
    "reconciled_age_seconds": "Age of the last finished scan of Stripe; -1 for never",
}


class TokenNeeded(AppError):
    """The metrics are for those who have METRICS_TOKEN."""

    code = "token_needed"
    status = 401
    title = "This needs a token"
    sentence = "Send the header Authorization: Bearer with the METRICS_TOKEN of this shop."


class HealthCollector(Collector):
    """The gauges, read from the database when they are asked for: right in every process, whoever asks which."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for field in fields(self._health):
            yield GaugeMetricFamily(f"tuition_{field.name}", GAUGES[field.name], getattr(self._health, field.name))


@blueprint.get("/healthz")
def health() -> Response:
    """The process answers; says nothing about anything else."""
    return Response("ok\n", content_type="text/plain; charset=utf-8")


@blueprint.get("/readyz")
def ready() -> Response:
    """The database answers too; when it does not, the one error handler says so with 503.

    Whoever has the token gets the numbers. Those that ask every few seconds are what sounds the alarm while the worker
    is down.
    """
    db.session().execute(text("SELECT 1"))
    sound_alarm()
    if not _has_token():
        return Response("ok\n", content_type="text/plain; charset=utf-8")
    numbers = read_health()
    status = "ok" if numbers.is_well else "attention"
    return Response(json.dumps({"status": status, **asdict(numbers)}), mimetype="application/json")


@blueprint.get("/metrics")
def metrics() -> Response:
    settings: Settings = current_app.config["SETTINGS"]
    if settings.metrics_token is None:
        raise NotFound
    if not _has_token():
        raise TokenNeeded
    sound_alarm()
    registry = CollectorRegistry()
    registry.register(HealthCollector(read_health()))
    return Response(generate_latest(registry) + render_counters(), content_type=CONTENT_TYPE_LATEST)


def _has_token() -> bool:
    settings: Settings = current_app.config["SETTINGS"]
    given = request.authorization
    if settings.metrics_token is None or given is None or given.type != "bearer" or not given.token:
        return False
    return compare_digest(given.token.encode(), settings.metrics_token.encode())
