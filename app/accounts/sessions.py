"""The request's side of signing in: the cookie, the current user, freshness. Needs a request; services never call it.

A visitor without a session cookie costs nothing here: the session is not touched, so public pages stay cacheable.
"""

import flask_login
from flask import Flask, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from app import clock, errors
from app.accounts import revocation
from app.accounts.models import User
from app.errors import AppError

TOKEN = "session_token"  # noqa: S105 - the name of the session's key
SIGNED_IN_AT = "fs_paa"  # Flask-Security's name for when the person last proved who they are
FRESH_SECONDS = 30 * 60
# An app context may outlive a request (tests, commands): what these say belongs to one request only.
PER_REQUEST = ("_login_user", "csrf_token", "csrf_valid", "identity", SIGNED_IN_AT, "fs_authn_via")


class SignInNeeded(AppError):
    """The page needs an account; people are sent to the sign-in page and back."""

    code = "sign_in_needed"
    status = 401
    title = "Sign in first"
    sentence = "This needs your account."


class FreshSignInNeeded(SignInNeeded):
    """The person signed in too long ago for what they are about to change."""

    code = "fresh_sign_in_needed"
    sentence = "Confirm it’s you first."


def init_app(app: Flask) -> None:
    """Hook the rules of this module into the app; called after Flask-Security made its login manager."""
    app.login_manager.user_loader(_load_user)  # type: ignore[attr-defined]
    # No tokens in headers, addresses or bodies: API keys are the API's own matter.
    app.login_manager.request_loader(lambda _request: None)  # type: ignore[attr-defined]
    app.before_request(_forget_last_request)
    app.register_error_handler(SignInNeeded, _send_to_sign_in)


def has_session_cookie() -> bool:
    """Whether the browser sent a session cookie, without touching the session."""
    return current_app.config["SESSION_COOKIE_NAME"] in request.cookies


def current_user_or_none() -> User | None:
    """The signed-in user as the database has them now, or None."""
    if not has_session_cookie() and "_login_user" not in g:
        return None
    user = flask_login.current_user._get_current_object()  # noqa: SLF001 - the proxy's own way to the object
    return user if isinstance(user, User) else None


def require_user() -> User:
    """The signed-in user. Raises SignInNeeded, which leads through the sign-in page and back."""
    user = current_user_or_none()
    if user is None:
        raise SignInNeeded
    return user


def require_fresh_user() -> User:
    """The signed-in user, who proved it within FRESH_SECONDS. Raises FreshSignInNeeded."""
    user = require_user()
    if not is_fresh():
        raise FreshSignInNeeded
    return user


def is_fresh() -> bool:
    """Whether the person proved who they are within FRESH_SECONDS."""
    age = clock.now().timestamp() - float(session.get(SIGNED_IN_AT, 0))
    return -1 <= age < FRESH_SECONDS


def mark_fresh() -> None:
    """The person has just proved who they are again."""
    session[SIGNED_IN_AT] = clock.now().timestamp()


def sign_in(user: User) -> None:
    """Open the user's account in this browser, in a session that keeps nothing of the one before (fixation, A41)."""
    _end_present_session()
    token = revocation.start_session(user_id=user.id, user_agent=request.user_agent.string)
    session.clear()
    for name in PER_REQUEST:
        g.pop(name, None)
    session.permanent = True
    session[TOKEN] = token
    flask_login.login_user(user, force=True)
    mark_fresh()


def sign_out() -> None:
    """End this browser's session, on the server too: a copy of the cookie opens nothing any more."""
    _end_present_session()
    session.clear()
    g.pop("_login_user", None)


def present_token() -> str:
    """The secret of this browser's session, or ""."""
    return str(session.get(TOKEN, "")) if has_session_cookie() else ""


def _end_present_session() -> None:
    token = present_token()
    if token:
        revocation.revoke_session(token=token)


def _load_user(uniquifier: str) -> User | None:
    token = session.get(TOKEN)
    if not isinstance(token, str):
        return None
    return revocation.find_session_user(token=token, uniquifier=str(uniquifier))


def _forget_last_request() -> None:
    for name in PER_REQUEST:
        g.pop(name, None)


def _send_to_sign_in(error: SignInNeeded) -> ResponseReturnValue:
    if errors.wants_problem():
        return errors._answer_app_error(error)  # noqa: SLF001 - the one handler of AppError
    endpoint = "security.verify" if isinstance(error, FreshSignInNeeded) else "security.login"
    # Only a page can be returned to; a form has to be sent again.
    next_path = request.full_path.rstrip("?") if request.method in {"GET", "HEAD"} else None
    return redirect(url_for(endpoint, next=next_path), 303)
