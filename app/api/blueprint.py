"""flask-smorest with our manners: one error form for the whole shop, strict JSON, unknown fields refused."""

import http
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

import flask
import marshmallow as ma
from flask_smorest import Api, Blueprint  # type: ignore[import-untyped]
from flask_smorest.spec import prepare_response  # type: ignore[import-untyped]
from webargs.flaskparser import FlaskParser

from app.api.schemas import ProblemSchema
from app.api.strict_json import parse_object
from app.errors import InvalidInput

View = TypeVar("View", bound=Callable[..., Any])
PROBLEM_TYPE = "application/problem+json"
PREFIX = "/api/v1"
# Words for what marshmallow says in its own way; the rest of its sentences are plain enough.
SENTENCES = {
    "Unknown field.": "There is no such field. Check its spelling.",
    "Missing data for required field.": "It is missing.",
    "Field may not be null.": "It may not be null.",
}


class InvalidParameters(InvalidInput):
    """A parameter or field has the wrong name, type or value."""

    code = "invalid_parameters"
    status = 422


class StrictParser(FlaskParser):
    """Reads arguments for smorest; what is wrong becomes an AppError that names the field."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {"json": ma.RAISE, "query": ma.RAISE}  # noqa: RUF012 - webargs' own attribute

    def load_json(self, req: flask.Request, schema: ma.Schema) -> Any:  # noqa: ARG002 - webargs' signature
        return parse_object(req)

    def handle_error(
        self,
        error: ma.ValidationError,
        req: flask.Request,  # noqa: ARG002 - webargs' signature
        schema: ma.Schema,  # noqa: ARG002
        *,
        error_status_code: int | None,  # noqa: ARG002
        error_headers: Mapping[str, str] | None,  # noqa: ARG002
    ) -> NoReturn:
        field, sentence = _first_problem(error.messages)
        raise InvalidParameters(f"{field}: {sentence}" if field else sentence, field=field) from error


def _first_problem(messages: Any) -> tuple[str | None, str]:
    """The field and sentence of the first of webargs' nested messages ({location: {field: [sentence]}})."""
    names: list[str] = []
    while isinstance(messages, dict) and messages:
        name, messages = next(iter(messages.items()))
        names.append(str(name))
    sentence = str(messages[0]) if isinstance(messages, list) and messages else "It can’t be used."
    field = ".".join(names[1:])[:80] or None
    return (None if field == "_schema" else field), SENTENCES.get(sentence, sentence)


class ShopBlueprint(Blueprint):  # type: ignore[misc]
    """A part of the API; its decorators keep their views' types."""

    ARGUMENTS_PARSER = StrictParser()

    def get(self, rule: str) -> Callable[[View], View]:
        decorate: Callable[[View], View] = super().get(rule)
        return decorate

    def post(self, rule: str) -> Callable[[View], View]:
        decorate: Callable[[View], View] = super().post(rule)
        return decorate

    def secured(self) -> Callable[[View], View]:
        """Say in the document that the operation needs an API key."""
        decorate: Callable[[View], View] = self.doc(security=[{"key": []}])
        return decorate

    def arguments(self, schema: type[ma.Schema], *, location: str = "json") -> Callable[[View], View]:
        decorate: Callable[[View], View] = super().arguments(schema, location=location)
        return decorate

    def response(self, status: int, schema: type[ma.Schema]) -> Callable[[View], View]:
        decorate: Callable[[View], View] = super().response(status, schema)
        return decorate

    def alt_response(self, status: int, response: str) -> Callable[[View], View]:
        decorate: Callable[[View], View] = super().alt_response(status, response)
        return decorate


class ShopApi(Api):  # type: ignore[misc]
    """The OpenAPI side: errors described as they are sent."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        """app/errors.py answers everything; smorest's own handler would take the pages' errors too."""

    def _register_responses(self) -> None:
        for status in http.HTTPStatus:
            is_error = status >= http.HTTPStatus.BAD_REQUEST
            response: dict[str, Any] = {"description": status.phrase}
            if is_error:
                response["schema"] = self.ERROR_SCHEMA
            prepare_response(response, self.spec, PROBLEM_TYPE)
            self.spec.components.response(status.name, response, lazy=True)
        response = {"description": "A problem (RFC 9457)", "schema": self.ERROR_SCHEMA}
        prepare_response(response, self.spec, PROBLEM_TYPE)
        self.spec.components.response("DEFAULT_ERROR", response, lazy=True)
