"""JSON read without mercy: what two parsers could understand differently is refused (attack A75)."""

import json
from typing import Any

import flask

from app.errors import InvalidInput
from app.front_matter import UNUSABLE

DEEPEST = 20
LONGEST_NUMBER = 18
LARGEST_BODY = 20_000


class UnreadableJson(InvalidInput):
    """The body is no JSON object that can be taken."""

    code = "unreadable_json"
    sentence = "Send one JSON object."


class NotJson(InvalidInput):
    """The body says that it is something else; forms of other sites can't say JSON."""

    code = "not_json"
    status = 415
    sentence = "Send JSON with the content type application/json."


def parse_object(request: flask.Request) -> dict[str, Any]:
    """The request's body as a dict. Raises NotJson, UnreadableJson."""
    if request.mimetype != "application/json":
        raise NotJson
    request.max_content_length = LARGEST_BODY
    body = request.get_data()
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_refuse_doubles,
            parse_constant=_refuse_constant,
            parse_int=_parse_integer,
        )
    except UnicodeDecodeError as error:
        raise UnreadableJson("The body is not UTF-8 text.") from error
    except json.JSONDecodeError as error:
        raise UnreadableJson(f"The body is no JSON: {error.msg} at line {error.lineno}.") from error
    except RecursionError as error:
        raise UnreadableJson("The body is nested too deeply.") from error
    if not isinstance(value, dict):
        raise UnreadableJson("Send one JSON object, not a list or a single value.")
    _check(value, 1)
    return value


def _refuse_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnreadableJson("A key stands in the body twice.")
    return found


def _refuse_constant(name: str) -> None:
    raise UnreadableJson(f"{name} is no JSON number.")


def _parse_integer(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise UnreadableJson("A number in the body is too large.")
    return int(text)


def _check(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise UnreadableJson("The body is nested too deeply.")
    if isinstance(value, str) and UNUSABLE.search(value):
        raise UnreadableJson("A text in the body holds characters that nobody can type.")
    if isinstance(value, dict):
        for key, item in value.items():
            _check(key, depth)
            _check(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)
