"""/admin: what needs attention, and the latest orders."""

from flask import Blueprint, render_template

from app.accounts.sessions import require_user
from app.errors import Forbidden
from app.reports.attention import list_attention, list_latest_orders

blueprint = Blueprint("admin", __name__, url_prefix="/admin", template_folder="templates")
READ = "admin:read"


@blueprint.before_request
def guard() -> None:
    """Everything under /admin needs a signed-in person whose roles allow it, as the database has them now."""
    user = require_user()
    if not any(READ in role.permissions for role in user.roles):
        raise Forbidden


@blueprint.get("/", strict_slashes=False)
def home() -> str:
    return render_template("admin/home.html", attention=list_attention(), orders=list_latest_orders())
