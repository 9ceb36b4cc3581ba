"""The back-office's one blueprint and its one guard. No view asks by itself who may come in.

A view is registered with page() or action(), which take the permission it needs; what is registered otherwise has
none, and nobody may open it. Permissions are the database's as they are now: a role taken away counts at once.
"""

from collections.abc import Callable
from typing import TypeVar

from flask import Blueprint, Response, flash, g, request
from flask.typing import ResponseReturnValue

from app.accounts.models import User
from app.accounts.permissions import list_permissions
from app.accounts.sessions import require_fresh_user, require_user
from app.audit import Actor, set_actor
from app.errors import Forbidden
from app.extensions import csrf
from app.http import read_larger_body

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])

blueprint = Blueprint("admin", __name__, url_prefix="/admin", template_folder="templates")
# By endpoint: the permission, and whether the person must have proved again who they are.
NEEDS: dict[str, str] = {}
FRESH: set[str] = set()
# For what every member of staff may open.
ANY = "any"
# Flash categories: a banner above the heading; a toast is for a reversible success.
TOAST = "toast"


def page(rule: str, *, needs: str) -> Callable[[View], View]:
    """Register a view that shows something (GET). needs: a permission, or ANY for all staff."""
    return _register(rule, ["GET"], needs)


def action(rule: str, *, needs: str, is_sensitive: bool = False) -> Callable[[View], View]:
    """Register a view that changes something (POST). is_sensitive: only shortly after the person signed in."""

    def decorate(view: View) -> View:
        if is_sensitive:
            FRESH.add(f"admin.{view.__name__}")
        return _register(rule, ["POST"], needs)(view)

    return decorate


def current_staff() -> User:
    """The member of staff this request belongs to."""
    user: User = g.staff
    return user


def may(permission: str) -> bool:
    """Whether this request's person has the permission."""
    return permission == ANY or permission in g.staff_permissions


def say(message: str, category: str = "success") -> None:
    """A sentence for the next page: "success", "warning", "error", or TOAST."""
    flash(message, category)


@blueprint.before_request
def guard() -> None:
    """Everything under /admin needs a signed-in person whose roles allow it; every change needs our token."""
    endpoint = request.endpoint or ""
    user = require_user()
    g.staff, g.staff_permissions = user, list_permissions(user.roles)
    if not g.staff_permissions or not may(NEEDS.get(endpoint, "nobody")):
        raise Forbidden
    set_actor(Actor(kind="user", id=user.public_id))
    read_larger_body()
    if request.method not in {"GET", "HEAD", "OPTIONS"}:
        csrf.protect()
        if endpoint in FRESH:
            require_fresh_user()


@blueprint.after_request
def answer_dialog(response: Response) -> Response:
    """A dialog's script is told where to go, not sent there: it would read the next page and its sentence in vain."""
    if response.status_code == 303 and "X-Dialog" in request.headers:  # noqa: PLR2004 - see other
        response.status_code, response.headers["X-Location"] = 204, response.headers.pop("Location")
    return response


def _register(rule: str, methods: list[str], needs: str) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        NEEDS[f"admin.{view.__name__}"] = needs
        blueprint.add_url_rule(rule, view.__name__, view, methods=methods, strict_slashes=False)
        return view

    return decorate
