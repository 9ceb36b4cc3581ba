"""Stripe's errors: status, type, code, parameter and message exactly as an SDK expects them."""

from typing import ClassVar

from app.sandbox.documents import Document


class StripeError(Exception):
    """An answer of 4xx or 5xx. `stored`: an idempotency key keeps this answer, because execution had begun."""

    status: int = 400
    type: str = "invalid_request_error"
    stored: ClassVar[bool] = False

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None, **more: object) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.more = more

    def document(self) -> Document:
        """The body: {"error": {…}} with nothing in it that has no value."""
        error: Document = {"message": self.message, "type": self.type}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param:
            error["param"] = self.param
        error.update({name: value for name, value in self.more.items() if value is not None})
        return {"error": error}


class InvalidRequest(StripeError):
    """The parameters do not fit. Found before execution, so no idempotency key remembers it."""


class Refused(StripeError):
    """The parameters are fine, but the object's state forbids it. An idempotency key keeps this answer."""

    stored = True


class NotFound(StripeError):
    """No such object, or no such address."""

    status = 404


class Unauthorized(StripeError):
    """No key, a wrong one, or a live one."""

    status = 401


class IdempotencyMismatch(StripeError):
    """The key was used with other parameters or at another address."""

    type = "idempotency_error"


class IdempotencyInUse(IdempotencyMismatch):
    """The first request with this key is still being worked on."""

    status = 409


class TooManyRequests(StripeError):
    """The rate limit, pulled by a lever."""

    status = 429


class ServerFault(StripeError):
    """A failure of Stripe's own, pulled by a lever."""

    status = 500
    type = "api_error"


class CardDeclined(StripeError):
    """The bank or Stripe refused the payment method."""

    status = 402
    type = "card_error"


def unknown_parameter(name: str) -> InvalidRequest:
    return InvalidRequest(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)


def missing_parameter(name: str) -> InvalidRequest:
    return InvalidRequest(f"Missing required param: {name}.", code="parameter_missing", param=name)


def unsupported_parameter(name: str) -> InvalidRequest:
    """Stripe knows it, this sandbox does not: said openly instead of being ignored."""
    return InvalidRequest(f"The offline sandbox does not support this parameter: {name}", param=name)


def no_such(kind: str, identifier: str, *, param: str) -> NotFound:
    """For an id in the address: 404."""
    return NotFound(f"No such {kind}: '{identifier}'", code="resource_missing", param=param)


def no_such_reference(kind: str, identifier: str, *, param: str) -> InvalidRequest:
    """For an id among the parameters: 400."""
    return InvalidRequest(f"No such {kind}: '{identifier}'", code="resource_missing", param=param)
