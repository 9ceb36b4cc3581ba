"""Links that prove what they are for: signed, bound to one purpose, with an end. No table, no stored secret."""

from typing import Any

from flask import current_app
from itsdangerous import BadSignature, SignatureExpired, TimestampSigner, URLSafeTimedSerializer

from app import clock
from app.errors import AppError


class LinkExpired(AppError):
    """The link was ours and its time is over."""

    code = "link_expired"
    status = 410
    title = "This link is no longer valid"
    sentence = "Links end after a while to keep your account safe. Ask for a new one."


class LinkInvalid(AppError):
    """The link was not made by us for this purpose."""

    code = "link_invalid"
    status = 404
    title = "This link doesn’t work"
    sentence = "Copy the whole address from the mail, or ask for a new one."


class ClockSigner(TimestampSigner):
    """Signs with the time of app.clock, the only source of time."""

    def get_timestamp(self) -> int:
        return int(clock.now().timestamp())


def sign_link(purpose: str, value: Any) -> str:
    """A URL-safe token of value that only read_link() with the same purpose accepts."""
    return _serializer(purpose).dumps(value)


def read_link(purpose: str, token: str, *, max_age_seconds: int) -> Any:
    """The value of a token. Raises LinkExpired past max_age_seconds, LinkInvalid on anything else."""
    try:
        return _serializer(purpose).loads(token, max_age=max_age_seconds)
    except SignatureExpired as error:
        raise LinkExpired from error
    except BadSignature as error:
        raise LinkInvalid from error


def _serializer(purpose: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt=f"tuition:{purpose}", signer=ClockSigner)
