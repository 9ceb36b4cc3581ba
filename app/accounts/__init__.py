"""People: users, roles, revocable sessions, sign-in links, API keys and the audit log.

Flask-Security holds the model mixins, password hashing, permissions and the login manager. Its own pages are not
registered: they confirm addresses on GET, write outside transaction() and read JSON nobody sends (README, decisions).
"""

from typing import Any

from flask import Flask, request
from flask_security import MailUtil, SQLAlchemyUserDatastore, url_for_security
from flask_security.mail_util import EmailValidateException

from app.accounts import models, seeing, sessions
from app.accounts.emails import normalize_email
from app.accounts.passwords import ARGON2_OPTIONS, LONGEST_PASSWORD, SHORTEST_PASSWORD
from app.accounts.revocation import SESSION_LIFETIME
from app.config import Settings
from app.db import db
from app.errors import InvalidInput
from app.extensions import security

__all__ = ["init_app", "models"]

SECURITY: dict[str, Any] = {
    "URL_PREFIX": "/account",
    "CONFIRMABLE": True,
    "REGISTERABLE": True,
    "RECOVERABLE": True,
    "CHANGEABLE": True,
    "RETURN_GENERIC_RESPONSES": True,
    # argon2id alone: a "plaintext" row in the database must not open anything, and argon2 needs no second hash.
    "PASSWORD_HASH": "argon2",
    "PASSWORD_SCHEMES": ["argon2"],
    "DEPRECATED_PASSWORD_SCHEMES": [],
    "PASSWORD_SINGLE_HASH": {"argon2"},
    "PASSWORD_HASH_PASSLIB_OPTIONS": ARGON2_OPTIONS,
    "PASSWORD_LENGTH_MIN": SHORTEST_PASSWORD,
    "PASSWORD_LENGTH_MAX": LONGEST_PASSWORD,
    "PASSWORD_NORMALIZE_FORM": "NFKC",
    "EMAIL_VALIDATOR_ARGS": {"check_deliverability": False, "allow_smtputf8": False},
    "POST_LOGIN_VIEW": "/account/courses",
    "POST_LOGOUT_VIEW": "/",
    "API_ENABLED_METHODS": ["session"],
    # Our own command line names its nouns.
    "CLI_USERS_NAME": None,
    "CLI_ROLES_NAME": None,
}


class OurMailUtil(MailUtil):
    """Flask-Security's addresses are our addresses; what is to be mailed goes through the outbox, by our services."""

    def normalize(self, email: str) -> str:
        try:
            return normalize_email(email)
        except InvalidInput as error:
            raise EmailValidateException(error.sentence) from error

    def validate(self, email: str) -> str:
        return self.normalize(email)

    def send_mail(self, template: str, *_arguments: object, **_context: object) -> None:
        raise RuntimeError(f"{template}: mails are queued by app.accounts services")


def init_app(app: Flask, settings: Settings) -> None:
    """Bind Flask-Security to the app's users, and keep it from touching the session of visitors without one."""
    app.config.update({f"SECURITY_{name}": value for name, value in SECURITY.items()})
    app.config.update(
        PERMANENT_SESSION_LIFETIME=SESSION_LIFETIME,
        # The row's end is fixed too; a cookie sent again with every answer would be one more thing to steal.
        SESSION_REFRESH_EACH_REQUEST=False,
        # Our forms check Origin and Sec-Fetch-Site, which no referrer policy hides (app/site/origin.py).
        WTF_CSRF_SSL_STRICT=False,
        REMEMBER_COOKIE_SECURE=settings.is_production,
    )
    datastore = SQLAlchemyUserDatastore(db, models.User, models.Role)
    security._mail_util_cls = OurMailUtil  # noqa: SLF001 - the constructor has run before there was an app
    security.init_app(app, datastore, register_blueprint=False)
    _leave_visitors_alone(app)
    sessions.init_app(app)
    seeing.init_app(app)
    app.context_processor(lambda: {"security": security, "url_for_security": url_for_security})


def _leave_visitors_alone(app: Flask) -> None:
    """Flask-Login and Flask-Principal look into the session on every request; only those with a cookie have one."""
    manager = app.login_manager  # type: ignore[attr-defined]
    principal = security.principal
    app.after_request_funcs[None].remove(manager._update_remember_cookie)  # noqa: SLF001 - no switch for it
    app.before_request_funcs[None].remove(principal._on_before_request)  # noqa: SLF001 - no switch for it
    processors = app.template_context_processors[None]
    processors[:] = [each for each in processors if each.__name__ != "_user_context_processor"]

    def load_identity() -> None:
        if app.config["SESSION_COOKIE_NAME"] in request.cookies and not request.path.startswith("/static/"):
            principal._on_before_request()  # noqa: SLF001

    app.before_request(load_identity)
