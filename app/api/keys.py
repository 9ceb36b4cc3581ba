"""API keys on the wire: a call without one is a visitor's, a call with a wrong one is refused. And /api/v1/key."""

from typing import Any

from flask import Flask, g, request

from app.accounts.api_keys import KeyHolder, find_key_holder, note_key_use
from app.api.blueprint import PREFIX, ShopBlueprint
from app.api.schemas import KeySchema
from app.audit import Actor, set_actor
from app.errors import AppError
from app.extensions import limiter

LONGEST_HEADER = 200

blueprint = ShopBlueprint("key", __name__, url_prefix=f"{PREFIX}/key", description="The key you call with.")


class KeyRefused(AppError):
    """The call carries a key that opens nothing, or none where one is needed."""

    code = "key_refused"
    status = 401
    title = "This key opens nothing"
    sentence = "Send a key that is in use as “Authorization: Bearer tuition_…”. Keys are made in the back-office."


def init_app(app: Flask) -> None:
    """Look at the key of every call to the API."""
    app.before_request(_read_key)


@blueprint.get("")
@limiter.limit("600 per minute")
@blueprint.response(200, KeySchema)
@blueprint.alt_response(401, "UNAUTHORIZED")
@blueprint.secured()
def get_key() -> dict[str, Any]:
    """Read the key you call with

    Tells what it may do now: its scopes, as far as its person still has them.
    """
    holder = require_key()
    return {"id": holder.key_public_id, "name": holder.name, "permissions": sorted(holder.permissions)}


def require_key() -> KeyHolder:
    """The key of this call. Raises KeyRefused without one."""
    holder: KeyHolder | None = g.get("api_key")
    if holder is None:
        raise KeyRefused
    return holder


def _read_key() -> None:
    g.api_key = None
    header = request.headers.get("Authorization", "")
    if not header or not request.path.startswith(f"{PREFIX}/"):
        return
    scheme, _, secret = header[:LONGEST_HEADER].partition(" ")
    holder = find_key_holder(secret.strip()) if scheme.lower() == "bearer" else None
    if holder is None:
        raise KeyRefused
    g.api_key = holder
    set_actor(Actor(kind="api_key", id=holder.key_public_id))
    note_key_use(public_id=holder.key_public_id)
