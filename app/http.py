"""The manners every answer shares: request ids, the one allowed Host, security headers, logs, limits on size."""

import logging
import re
import secrets
import sys
from collections.abc import Iterable
from contextlib import suppress

import structlog
from flask import Flask, Response, g, request
from flask.globals import request_ctx
from werkzeug.exceptions import BadRequest
from werkzeug.middleware.proxy_fix import ProxyFix

from app.config import Settings

LARGEST_BODY = 1_000_000
LARGEST_FORM_FIELD = 300_000
MOST_FORM_FIELDS = 500
# By endpoint: bytes that its body may have instead. Such a form is read only when its audience has let the sender in.
LARGER_BODIES: dict[str, int] = {}
HEALTH_PATHS = frozenset({"/healthz", "/readyz"})
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self' {forms}"
)
# C0, C1 controls other than tab and line ends, and lone surrogates: never part of a value a person typed.
UNUSABLE_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

log = structlog.get_logger()


def init_app(app: Flask, settings: Settings) -> None:
    """Set the limits and hook the manners in."""
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=LARGEST_FORM_FIELD,
        MAX_FORM_PARTS=MOST_FORM_FIELDS,
        TRUSTED_HOSTS=[settings.public_host.rpartition(":")[0] or settings.public_host, settings.public_host],
        SESSION_COOKIE_NAME="__Host-session" if settings.is_production else "session",
        SESSION_COOKIE_SECURE=settings.is_production,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PREFERRED_URL_SCHEME=settings.public_url.partition(":")[0],
    )
    if settings.proxy_count:
        count = settings.proxy_count
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    # Form posts may be redirected to Stripe's page, so its origin stands beside our own.
    policy = CONTENT_SECURITY_POLICY.format(forms=_checkout_origins(settings))
    app.before_request(_begin_request)
    app.before_request(_refuse_unusable_text)

    def add_headers(response: Response) -> Response:
        return _add_headers(response, policy=policy, is_production=settings.is_production)

    app.after_request(add_headers)
    _configure_logs(settings)


def _checkout_origins(settings: Settings) -> str:
    if settings.stripe_api_base == "https://api.stripe.com":
        return "https://checkout.stripe.com"
    # A stand-in for Stripe on this machine serves its hosted page from any port there.
    return "http://127.0.0.1:* http://localhost:* https://checkout.stripe.com"


def _begin_request() -> None:
    g.request_id = "req_" + secrets.token_hex(8)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request=g.request_id, method=request.method, path=request.path[:200])


def read_larger_body() -> None:
    """Let this request's body be as large as its endpoint allows, and read it. Raises BadRequest."""
    size = LARGER_BODIES.get(request.endpoint or "")
    if size is not None:
        request.max_content_length = size
        _refuse_texts(request.form.values())


def _refuse_unusable_text() -> None:
    texts = [request.path, *request.args.values()]
    is_form = request.mimetype in {"application/x-www-form-urlencoded", "multipart/form-data"}
    if is_form and request.endpoint not in LARGER_BODIES:
        texts += request.form.values()
    _refuse_texts(texts)


def _refuse_texts(texts: Iterable[str]) -> None:
    if any(UNUSABLE_TEXT.search(text) for text in texts):
        raise BadRequest


def _add_headers(response: Response, *, policy: str, is_production: bool) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", policy)
    headers["X-Content-Type-Options"] = "nosniff"
    headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
    headers["X-Frame-Options"] = "DENY"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=()"
    headers["X-Request-Id"] = getattr(g, "request_id", "")
    if is_production:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    # Nothing is stored unless its view says so, and nothing that sets a session is, whatever its view says. A look
    # through flask.session would itself count as access and make every page vary by cookie (Flask 3.1.3).
    own_session = request_ctx._session  # noqa: SLF001 - the one way to look without touching
    if own_session is not None and own_session.modified:
        headers["Cache-Control"] = "no-store"
    headers.setdefault("Cache-Control", "no-store")
    if request.path not in HEALTH_PATHS and not request.path.startswith("/static/"):
        log.info("request", status=response.status_code)
    return response


class _StandardError:
    """Where the log goes. A disk that is full under it costs the line, never the work it tells of (F35)."""

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


def _configure_logs(settings: Settings) -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if settings.is_production else structlog.dev.ConsoleRenderer(colors=False)
    )
    level = logging.WARNING if settings.app_env == "test" else logging.INFO
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(_StandardError()),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
