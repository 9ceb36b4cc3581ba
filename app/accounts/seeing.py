"""The one guard of "see the site as a learner": who a request belongs to meanwhile, and that it changes nothing.

While a view lasts it stands before every request of that browser, to whatever blueprint: an unsafe method is refused,
and what runs finds transaction() closed. So nothing that a page does by the way (a lesson opened, an order settled, a
seat taken) can be written, also by code that knows nothing of this; pages that would, ask is_seeing_as_other() and
leave it. Ending the view and signing out are let through.

The browser keeps the view's id in its session; the row decides. Outside OWN_BLUEPRINTS the request is the learner's as
far as any page can tell, for this request only: no cookie, no session and no sign-in of theirs comes into being.
"""

from typing import Any

from flask import Flask, Response, g, request, session

from app.accounts.models import User
from app.accounts.revocation import find_session_id
from app.accounts.sessions import SignInNeeded, current_user_or_none, has_session_cookie, present_token
from app.accounts.site_views import SiteViewing, find_site_view, start_site_view
from app.db import refuse_writes
from app.errors import AppError

KEY = "site_view"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Filled by the audiences: blueprints that are opened as oneself, endpoints that end the view.
OWN_BLUEPRINTS: set[str] = set()
WAYS_OUT: set[str] = {"security.logout"}


class LookingOnly(AppError):
    """The person is seeing the site as somebody else: nothing can be changed meanwhile."""

    code = "looking_only"
    status = 403

    def __init__(self, name: str) -> None:
        super().__init__("Nothing can be changed while you do. End it with the button at the top, then try again.")
        self.title = f"You’re seeing the site as {name}"


def init_app(app: Flask) -> None:
    """Hook the guard in, after the rules of sessions.py."""
    app.before_request(guard)
    app.after_request(_forbid_storing)
    app.teardown_request(lambda _error: refuse_writes(None))
    app.context_processor(_context)


def is_seeing_as_other() -> bool:
    """Whether this request is answered as to somebody else: then a page writes nothing by the way."""
    return bool(g.get("site_view_is_on", False))


def current_site_view() -> SiteViewing | None:
    """The view that lasts in this browser, also while the request itself is one's own."""
    view: SiteViewing | None = g.get("site_view")
    return view


def begin_site_view(*, staff: User, learner_public_id: str, reason: str) -> None:
    """Begin in this browser. Raises NotFound, CannotSeeAs, SignInNeeded where its sign-in ended a moment ago."""
    session_id = find_session_id(token=present_token())
    if session_id is None:
        raise SignInNeeded
    session[KEY] = start_site_view(
        staff_id=staff.id, user_session_id=session_id, learner_public_id=learner_public_id, reason=reason
    )


def present_site_view_id() -> str:
    """The id this browser keeps, of a view that may be over; taken out of the session."""
    return str(session.pop(KEY, ""))


def guard() -> None:
    """Runs before every request, whichever blueprint it goes to. Raises LookingOnly."""
    refuse_writes(None)
    g.pop("site_view", None)
    g.pop("site_view_is_on", None)
    is_safe = request.method in SAFE_METHODS
    if not has_session_cookie() or (is_safe and request.path.startswith("/static/")) or not session.get(KEY):
        return
    staff = current_user_or_none()
    view = _find(staff) if staff is not None else None
    if view is None:
        if request.endpoint not in WAYS_OUT:
            session.pop(KEY, None)
        return
    g.site_view = view
    if request.endpoint in WAYS_OUT:
        return
    refusal = LookingOnly(view.learner.name or view.learner.email)
    refuse_writes(refusal)
    if request.blueprint not in OWN_BLUEPRINTS:
        # What Flask-Login would find in the cookie, for this request: nothing is signed in.
        g._login_user = view.learner  # noqa: SLF001
        g.site_view_is_on = True
    if not is_safe:
        raise refusal


def _find(staff: User) -> SiteViewing | None:
    return find_site_view(
        public_id=str(session[KEY]), staff=staff, user_session_id=find_session_id(token=present_token())
    )


def _forbid_storing(response: Response) -> Response:
    if current_site_view() is not None:
        response.headers["Cache-Control"] = "no-store"
    return response


def _context() -> dict[str, Any]:
    return {"site_view": current_site_view()}
