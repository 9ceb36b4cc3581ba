"""What a server counts while it answers: requests by endpoint, how long they took, what webhooks were answered.

Counters live in the process that answered, so with several of them each scrape tells of another. With
PROMETHEUS_MULTIPROC_DIR set before the start (an empty folder) they are kept in files there, and every process tells
the sum of all (prometheus-client's own way). What is read from the database when asked for is in site/health.py.
"""

import os
import time

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
WEBHOOK_PATH = "/webhooks/stripe"

# A row for each row, of which nothing here makes use.
disable_created_metrics()  # type: ignore[no-untyped-call]
_registry = CollectorRegistry()
_requests = Counter(
    "tuition_http_requests", "Requests answered", ["method", "endpoint", "status"], registry=_registry
)  # fmt: skip
_seconds = Histogram(
    "tuition_http_request_seconds", "How long an answer took until its first byte", ["endpoint"], registry=_registry
)
_webhooks = Counter("tuition_webhook_answers", "Answers to Stripe's webhooks", ["status"], registry=_registry)


def init_app(app: Flask) -> None:
    """Count every request, those that end in an error too."""
    app.before_request(_begin)
    app.after_request(_count)


def render_counters() -> bytes:
    """The counters in Prometheus' text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(_registry)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _begin() -> None:
    g.began_at = time.perf_counter()


def _count(response: Response) -> Response:
    # Names of ours only: an address or method that somebody made up must not become a row.
    endpoint = request.endpoint or "none"
    method = request.method if request.method in METHODS else "other"
    _requests.labels(method, endpoint, f"{response.status_code // 100}xx").inc()
    if "began_at" in g:
        _seconds.labels(endpoint).observe(time.perf_counter() - g.began_at)
    if request.path.rstrip("/") == WEBHOOK_PATH:
        _webhooks.labels(str(response.status_code)).inc()
    return response
