"""What every public read of the API shares: its rate limit, and caches that ask again."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from flask import Response, make_response

from app.caching import keep_public
from app.extensions import limiter

P = ParamSpec("P")
READS = "600 per minute"
MOVED = "public, max-age=300"


def public_read(view: Callable[P, Any]) -> Callable[P, Response]:
    """The same for every caller, cookie or not: it may be kept by caches and is answered 304 when unchanged."""

    @wraps(view)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Response:
        response = make_response(view(*args, **kwargs))
        if response.status_code == 200:  # noqa: PLR2004 - HTTP's own number
            return keep_public(response)
        response.headers["Cache-Control"] = MOVED
        return response

    limited: Callable[P, Response] = limiter.limit(READS)(wrapper)
    return limited
