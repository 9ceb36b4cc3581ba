"""What stands around every page of the back-office: the side menu by permission, the mode, the New button."""

from dataclasses import dataclass
from typing import Any

from flask import Flask, g, request, url_for

from app.accounts import permissions as p
from app.admin.blueprint import ANY, NEEDS, blueprint, may
from app.admin.periods import write_day
from app.config import Settings, current_settings
from app.money import currency_symbol
from app.reports.attention import count_orders_to_look_at

AVATAR_LETTERS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A line of the side menu. prefix: paths below it light the line up."""

    endpoint: str
    label: str
    icon: str
    prefix: str
    group: str = ""


ENTRIES = (
    Entry(endpoint="admin.home", label="Home", icon="home", prefix="/admin"),
    Entry(endpoint="admin.orders", label="Orders", icon="bag", prefix="/admin/orders"),
    Entry(endpoint="admin.courses", label="Courses", icon="book", prefix="/admin/courses"),
    Entry(endpoint="admin.bundles", label="Bundles", icon="gift", prefix="/admin/bundles"),
    Entry(endpoint="admin.codes", label="Promotion codes", icon="tag", prefix="/admin/codes"),
    Entry(endpoint="admin.posts", label="Posts", icon="pencil", prefix="/admin/posts"),
    Entry(endpoint="admin.people", label="Learners", icon="users", prefix="/admin/people"),
    Entry(endpoint="admin.newsletter", label="Newsletter", icon="mail", prefix="/admin/newsletter"),
    Entry(endpoint="admin.reports", label="Reports", icon="chart", prefix="/admin/reports"),
    Entry(endpoint="admin.events", label="Stripe", icon="bolt", prefix="/admin/stripe", group="Developers"),
    Entry(endpoint="admin.jobs", label="Jobs", icon="clock", prefix="/admin/jobs", group="Developers"),
    Entry(endpoint="admin.api_keys", label="API keys", icon="key", prefix="/admin/api-keys", group="Developers"),
    Entry(endpoint="admin.staff", label="Staff", icon="user", prefix="/admin/staff", group="Shop"),
    Entry(endpoint="admin.audit", label="Activity log", icon="file", prefix="/admin/audit", group="Shop"),
    Entry(endpoint="admin.settings", label="Settings", icon="gear", prefix="/admin/settings", group="Shop"),
)
# What the New button offers: endpoint and label.
NEW = (
    ("admin.new_course", "Course"),
    ("admin.new_post", "Post"),
    ("admin.new_code", "Promotion code"),
    ("admin.new_bundle", "Bundle"),
    ("admin.new_free_seat", "Free seat"),
)


def init_app(app: Flask) -> None:
    """Give the back-office's templates their shell, and all templates the sign of a currency."""
    app.jinja_env.filters["day"] = write_day
    app.jinja_env.filters["currency_symbol"] = lambda code: currency_symbol(code, _settings().site_locale)


@blueprint.app_context_processor
def _shell() -> dict[str, Any]:
    if request.blueprint != blueprint.name or "staff" not in g:
        return {}
    return {
        "shell": {
            "groups": _list_groups(),
            "new": [(url_for(endpoint), label) for endpoint, label in NEW if _is_open(endpoint)],
            "is_test_mode": not _settings().is_livemode,
            "can_search": _is_open("admin.search"),
            "staff": g.staff,
            "role": max((role.name for role in g.staff.roles), key=_rank, default=""),
            "initials": "".join(part[0] for part in (g.staff.name or g.staff.email).split()[:AVATAR_LETTERS]).upper(),
        },
        "may": may,
        "shop_zone": _settings().site_timezone,
        "find_url": find_url,
        "permissions": p,
    }


def find_url(endpoint: str, **values: Any) -> str | None:
    """The address of a page of the back-office; None where it is not built or this person may not open it."""
    return url_for(f"admin.{endpoint}", **values) if _is_open(f"admin.{endpoint}") else None


def _list_groups() -> list[tuple[str, list[dict[str, Any]]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry in ENTRIES:
        if _is_open(entry.endpoint):
            groups.setdefault(entry.group, []).append({
                "url": url_for(entry.endpoint),
                "label": entry.label,
                "icon": entry.icon,
                "current": _place(entry),
                "count": count_orders_to_look_at() if entry.endpoint == "admin.orders" else 0,
            })  # fmt: skip
    return list(groups.items())


def _place(entry: Entry) -> str:
    """The value of aria-current: "page" on it, "true" below it, "" elsewhere."""
    path = request.path.rstrip("/")
    if path == entry.prefix:
        return "page"
    is_below = path.startswith(entry.prefix + "/") and entry.endpoint != "admin.home"
    return "true" if is_below else ""


def _is_open(endpoint: str) -> bool:
    needs = NEEDS.get(endpoint)
    return needs is not None and (needs == ANY or may(needs))


def _rank(role_name: str) -> int:
    return list(p.ROLES).index(role_name) if role_name in p.ROLES else -1


def _settings() -> Settings:
    return current_settings()
