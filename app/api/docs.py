"""/api/openapi.json and /api/docs: the operations, each with a call to copy. Served from here, works offline."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flask import Blueprint, Response, current_app, make_response, render_template
from flask_smorest import Api  # type: ignore[import-untyped]

from app.caching import keep_public
from app.config import Settings

ABOUT = "The catalog and the blog as JSON, and Checkout Sessions for programs. Errors are problem details (RFC 9457)."

blueprint = Blueprint("api", __name__, url_prefix="/api", template_folder="templates")


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """A parameter or a body's field, as a row of a table."""

    name: str
    place: str
    kind: str
    is_required: bool
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One operation with a call to copy."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Parameter]
    curl: str


@blueprint.get("/openapi.json")
def openapi() -> Response:
    return keep_public(Response(_document(), content_type="application/json"))


@blueprint.get("/docs")
def docs() -> Response:
    settings: Settings = current_app.config["SETTINGS"]
    page = render_template(
        "api_reference.html",
        operations=list_operations(json.loads(_document()), settings.public_url),
        openapi_url="/api/openapi.json",
        api_base_url=f"{settings.public_url}/api/v1",
    )
    # No Cache-Control here: the head names whoever is signed in.
    return make_response(page)


def _document() -> str:
    api: Api = current_app.extensions["shop_api"]
    return _dump(api)


@lru_cache(maxsize=8)
def _dump(api: Api) -> str:
    return json.dumps(api.spec.to_dict(), indent=2, sort_keys=True)


def list_operations(document: dict[str, Any], origin: str) -> list[Operation]:
    """Every operation of an OpenAPI document, in its order."""
    found = []
    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for method, operation in item.items():
            if method == "parameters":
                continue
            parameters = [_read_parameter(entry) for entry in [*shared, *operation.get("parameters", [])]]
            fields = _read_body(document, operation)
            found.append(
                Operation(
                    id=f"{method}{path}".replace("/", "-").replace("{", "").replace("}", ""),
                    method=method.upper(),
                    path=path,
                    summary=operation.get("summary", ""),
                    description=operation.get("description", ""),
                    parameters=parameters + fields,
                    curl=_curl(method, origin + path, fields),
                )
            )
    return found


def _read_parameter(entry: dict[str, Any]) -> Parameter:
    return Parameter(
        name=entry["name"],
        place=entry["in"],
        kind=_kind(entry.get("schema", {})),
        is_required=entry.get("required", False),
        description=entry.get("description", "") or entry.get("schema", {}).get("description", ""),
    )


def _read_body(document: dict[str, Any], operation: dict[str, Any]) -> list[Parameter]:
    body = operation.get("requestBody")
    if body is None:
        return []
    schema = body["content"]["application/json"]["schema"]
    name = schema.get("$ref", "").rpartition("/")[2]
    schema = document["components"]["schemas"].get(name, schema)
    return [
        Parameter(
            name=field,
            place="body",
            kind=_kind(value),
            is_required=field in schema.get("required", []),
            description=value.get("description", ""),
        )
        for field, value in schema["properties"].items()
    ]


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "string")
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if "enum" in schema:
        words = ", ".join(str(value) for value in schema["enum"] if value is not None)
    return words


def _curl(method: str, url: str, fields: list[Parameter]) -> str:
    address = url.replace("{slug}", "SLUG")
    if method == "get":
        return f"curl {address}"
    body = json.dumps({field.name: "prc_…" for field in fields if field.is_required}, ensure_ascii=False)
    return (
        f"curl {address} \\\n  -H 'Content-Type: application/json' \\\n  -H 'Idempotency-Key: my-order-1' \\\n"
        f"  -d '{body}'"
    )
