"""Who looks at a page, and what that means for caches.

A visitor without a session cookie gets the same bytes as every other one: the session is not touched, the answer may
be stored anywhere and must be asked about again each time, so a changed price shows at once. Whoever brings a session
cookie gets a page of their own that nobody stores.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask, Response, current_app, has_request_context, make_response, render_template, request
from flask import get_flashed_messages as flask_flashed_messages

from app.accounts.permissions import list_permissions
from app.accounts.sessions import current_user_or_none, has_session_cookie
from app.caching import keep_public
from app.checkout.orders import list_guest_open_since
from app.config import Settings, current_settings
from app.enrollment.services import list_open_since
from app.site.brand import brand_css_url, logo_url
from app.site.browser import list_browser_orders
from app.site.drawings import cover_url
from app.site.media import picture_srcset
from app.site.remembered import PageMemory, RememberedPage
from app.site.static_files import static_url

__all__ = [
    "cacheable",
    "canonical_url",
    "cover_url",
    "get_viewer",
    "has_session_cookie",
    "list_owned_course_ids",
    "list_owned_since",
    "render_page",
]

PRIVATE = "private, no-store"
HTML = "text/html; charset=utf-8"
# Kept with the request, not in g: in tests and commands an app context outlives a request.
VIEWER_KEY = "tuition.viewer"
OWNED_KEY = "tuition.owned_since"


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewer:
    """The person signed in, as pages need them."""

    user_id: int
    name: str
    email: str
    is_staff: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """The shop's own names and looks. logo_url, brand_css_url: "" for the design's own."""

    name: str
    tagline: str
    url: str
    has_withdrawal: bool
    logo_url: str
    brand_css_url: str


def init_app(app: Flask) -> None:
    """Give every template the viewer, the site and addresses of static files."""
    app.extensions["page_memory"] = PageMemory()
    app.context_processor(_context)
    app.jinja_env.globals["static_url"] = static_url
    app.jinja_env.filters.update(cover=cover_url, srcset=picture_srcset)
    # Flask's own would touch the session of every visitor.
    app.jinja_env.globals["get_flashed_messages"] = _flashed_messages


def get_viewer() -> Viewer | None:
    """The person signed in, read once for each request; None for visitors."""
    if VIEWER_KEY not in request.environ:
        user = current_user_or_none()
        request.environ[VIEWER_KEY] = user and Viewer(
            user_id=user.id, name=user.name, email=user.email, is_staff=bool(list_permissions(user.roles))
        )
    viewer: Viewer | None = request.environ[VIEWER_KEY]
    return viewer


def list_owned_course_ids() -> set[int]:
    """The courses this browser may open: by its account, or by its orders as a guest. Read once for each request."""
    return set(list_owned_since())


def list_owned_since() -> dict[int, datetime]:
    """The same courses with the moment (UTC) they opened first."""
    if OWNED_KEY not in request.environ:
        owned: dict[int, datetime] = {}
        viewer = get_viewer()
        if has_session_cookie():
            owned |= list_guest_open_since(order_public_ids=list_browser_orders())
        if viewer is not None:
            for course_id, since in list_open_since(user_id=viewer.user_id).items():
                owned[course_id] = min(since, owned.get(course_id, since))
        request.environ[OWNED_KEY] = owned
    found: dict[int, datetime] = request.environ[OWNED_KEY]
    return found


def render_page(template: str, *, facts: Hashable, values: Callable[[], dict[str, Any]]) -> Response:
    """Answer with a page that visitors share and people signed in see as theirs.

    facts is all the page is made of beside the settings in force, read for this request; values turns them into what
    the template takes. Equal facts at the same path give visitors the page made before.
    """

    def render() -> str:
        return render_template(template, canonical_url=canonical_url(request.path), **values())

    if has_session_cookie():
        return cacheable(make_response(render()))
    memory: PageMemory = current_app.extensions["page_memory"]
    key = (template, request.path, current_settings(), facts)
    page = memory.find(key) or memory.keep(key, render())
    return _answer_remembered(page)


def _answer_remembered(page: RememberedPage) -> Response:
    if request.accept_encodings.quality("br") > 0:
        response = Response(page.brotli_body, content_type=HTML)
        response.headers["Content-Encoding"] = "br"
    else:
        response = Response(page.body, content_type=HTML)
    return keep_public(response, etag=page.etag)


def cacheable(response: Response) -> Response:
    """Let caches keep a visitor's answer and ask again with its ETag; keep everybody else's to themselves."""
    if has_session_cookie():
        response.headers["Cache-Control"] = PRIVATE
        return response
    return keep_public(response)


def canonical_url(path: str) -> str:
    """The address of a path on the shop's own origin."""
    settings: Settings = current_app.config["SETTINGS"]
    return settings.public_url + path


def _describe_site(settings: Settings) -> Site:
    return Site(
        name=settings.site_name,
        tagline=settings.site_tagline,
        url=settings.public_url,
        has_withdrawal=settings.has_withdrawal,
        logo_url=logo_url(settings),
        brand_css_url=brand_css_url(settings),
    )


def _context() -> dict[str, Any]:
    return {
        "viewer": get_viewer() if has_request_context() else None,
        "site": _describe_site(current_settings()),
    }


def _flashed_messages(*args: Any, **kwargs: Any) -> Any:
    return flask_flashed_messages(*args, **kwargs) if has_session_cookie() else []
