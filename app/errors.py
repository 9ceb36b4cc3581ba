"""The AppError family and the one handler: problem+json where machines call, a page elsewhere, always a request id."""

import json

import structlog
from flask import Flask, Response, current_app, g, render_template, request
from flask.globals import request_ctx
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, OperationalError
from werkzeug.exceptions import HTTPException, InternalServerError

log = structlog.get_logger()

MACHINE_PATHS = ("/api/", "/webhooks/", "/healthz", "/readyz", "/metrics")
# Sentences for what Werkzeug raises by itself; the words follow look.md section 6.
SENTENCES = {
    400: ("This request can’t be read", "Check the address or the form and try again."),
    401: ("Sign in first", "This needs your account."),
    403: ("This page isn’t yours to open", "Ask the person who runs this site for access."),
    404: ("There’s nothing at this address", "It may have moved. Search for it, or start from the courses."),
    405: ("That can’t be done here", "Go back and use the buttons on the page."),
    409: ("Somebody was faster", "Reload the page to see what changed."),
    413: ("That’s too much at once", "Send less and try again."),
    415: ("This format can’t be read", "Send JSON with the content type application/json."),
    422: ("Something needs fixing", "Check what you entered."),
    429: ("That was a lot of tries", "Wait a moment, then try again."),
    500: ("Something broke on our side", "We’ve been told. Try again in a moment."),
    503: ("We’re busy for a moment", "Nothing was lost. Try again in a few seconds."),
}


class AppError(Exception):
    """A refusal a person can act on: code for programs, status for HTTP, one sentence for people."""

    code = "app_error"
    status = 400
    title = "That didn’t work"
    sentence = "Try again."
    nothing_charged = False
    retry_after_seconds: int | None = None

    def __init__(self, sentence: str | None = None, *, field: str | None = None) -> None:
        super().__init__(sentence or self.sentence)
        self.sentence = sentence or self.sentence
        self.field = field


class NotFound(AppError):
    """There is no such thing for this asker: it may exist for another."""

    code = "not_found"
    status = 404
    title = "There’s nothing at this address"
    sentence = "It may have moved. Search for it, or start from the courses."


class InvalidInput(AppError):
    """What was sent cannot be used; field names the culprit."""

    code = "invalid_input"
    status = 400
    title = "Something needs fixing"
    sentence = "Check what you entered."


class Forbidden(AppError):
    """The asker is known and may not."""

    code = "forbidden"
    status = 403
    title = "This page isn’t yours to open"
    sentence = "Ask the person who runs this site for access."


class TooManyRequests(AppError):
    """A limit on how often was reached."""

    code = "too_many_requests"
    status = 429
    title = "That was a lot of tries"
    sentence = "Wait a minute, then try again."
    retry_after_seconds = 60


def init_app(app: Flask) -> None:
    """Register the one handler for everything that can go wrong in a request."""
    app.register_error_handler(AppError, _answer_app_error)
    app.register_error_handler(CSRFError, _answer_csrf_error)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(DBAPIError, _answer_database_error)
    app.register_error_handler(Exception, _answer_crash)


def wants_problem() -> bool:
    """Whether the asker is a program: then errors are RFC 9457 problem details."""
    return request.path.startswith(MACHINE_PATHS)


def _answer_app_error(error: AppError) -> Response:
    response = _answer(
        error.status, error.code, error.title, error.sentence, field=error.field, nothing_charged=error.nothing_charged
    )
    if error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def _answer_csrf_error(_error: CSRFError) -> Response:
    return _answer(400, "stale_form", "This form has been open too long", "Reload the page and send it again.")


def _answer_http_exception(error: HTTPException) -> Response:
    if error.response is not None and error.code is not None and error.code < 400:  # noqa: PLR2004 - a redirect, not an error
        return Response(error.response.get_data(), error.code, error.response.headers)  # type: ignore[attr-defined]
    status = error.code or 500
    if isinstance(error, InternalServerError) or status >= 500:  # noqa: PLR2004 - HTTP's own line
        log.error("request_failed", status=status)
    title, sentence = SENTENCES.get(status, SENTENCES[400] if status < 500 else SENTENCES[500])  # noqa: PLR2004
    response = _answer(status, error.name.lower().replace(" ", "_"), title, sentence)
    for name, value in error.get_headers():
        if name.lower() in {"allow", "retry-after", "www-authenticate"}:
            response.headers[name] = value
    return response


def _answer_database_error(error: DBAPIError) -> Response:
    if not isinstance(error, OperationalError):
        log.exception("database_error")
        return _answer(500, "internal_error", *SENTENCES[500])
    log.warning("database_unavailable", error=type(error.orig).__name__)
    response = _answer(503, "database_unavailable", *SENTENCES[503])
    response.headers["Retry-After"] = "5"
    return response


def _answer_crash(error: Exception) -> Response:
    if current_app.config.get("PROPAGATE_CRASHES"):
        raise error
    log.exception("request_crashed", error=type(error).__name__)
    return _answer(500, "internal_error", *SENTENCES[500])


def _answer(
    status: int, code: str, title: str, sentence: str, *, field: str | None = None, nothing_charged: bool = False
) -> Response:
    request_id = getattr(g, "request_id", "")
    if wants_problem():
        problem = {"type": f"/api/docs#{code}", "title": title, "status": status, "detail": sentence,
                   "code": code, "request_id": request_id}  # fmt: skip
        if field is not None:
            problem["field"] = field
        return Response(json.dumps(problem), status, mimetype="application/problem+json")
    if request_ctx.url_adapter is None:
        # The Host is none of ours: a page full of links to it cannot be made, and need not.
        return Response(f"{title}. {sentence}\n", status, mimetype="text/plain")
    body = render_template(
        "error.html",
        status=status,
        title=title,
        message=sentence,
        request_id=request_id,
        nothing_charged=nothing_charged,
    )
    response = Response(body, status, mimetype="text/html")
    response.headers["Cache-Control"] = "no-store"
    return response
