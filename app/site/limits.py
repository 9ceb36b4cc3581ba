"""How often the account forms may be sent: by the asker's network address, and by the e-mail address they are about.

And how long their answers take: not so long that anybody waits, but the same for known and unknown addresses.
"""

import hashlib
import time
import unicodedata
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import request

from app.extensions import limiter

View = TypeVar("View", bound=Callable[..., Any])

# A flood of posts fills no table: what is longer than an address is cut before it is hashed.
LONGEST_KEY = 300
EVEN_SECONDS = 0.2  # above the slowest of these answers, hashing included


def _email_key() -> str:
    typed = unicodedata.normalize("NFKC", request.form.get("email", "")[:LONGEST_KEY]).strip().casefold()
    return "email:" + hashlib.sha256(typed.encode("utf-8", "replace")).hexdigest()[:32]


def _has_no_email() -> bool:
    return not request.form.get("email")


def limit_posts(*, by_ip: str, by_email: str | None = None) -> Callable[[View], View]:
    """Count the view's POSTs before they are answered, so that a hundred at once are counted as a hundred (A46)."""

    def decorate(view: View) -> View:
        limited = limiter.limit(by_ip, methods=["POST"])(view)
        if by_email is not None:
            limited = limiter.limit(by_email, key_func=_email_key, exempt_when=_has_no_email, methods=["POST"])(limited)
        return limited  # type: ignore[return-value]

    return decorate


def answer_evenly(view: View) -> View:
    """Let the view's POSTs take whole steps of EVEN_SECONDS.

    A known address costs some milliseconds more than an unknown one (tried: 9.3 against 6.7), which 300 timed posts
    would tell apart (attack A43).
    """

    @wraps(view)
    def evenly(*args: Any, **kwargs: Any) -> Any:
        if request.method != "POST":
            return view(*args, **kwargs)
        started = time.monotonic()
        try:
            return view(*args, **kwargs)
        finally:
            time.sleep(EVEN_SECONDS - (time.monotonic() - started) % EVEN_SECONDS)

    return evenly  # type: ignore[return-value]


SIGN_IN = limit_posts(by_ip="30/minute;300/hour", by_email="10/15 minutes")
MAIL_LINK = limit_posts(by_ip="20/minute;100/hour", by_email="10/hour")
REGISTER = limit_posts(by_ip="20/minute;100/hour", by_email="10/hour")
CHANGE = limit_posts(by_ip="30/minute;300/hour")
WITHDRAW = limit_posts(by_ip="20/minute;60/hour", by_email="10/hour")
NEWSLETTER = limit_posts(by_ip="20/minute;100/hour", by_email="10/hour")
