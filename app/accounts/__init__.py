"""People: users, roles, revocable sessions, sign-in links, API keys and the audit log."""

from flask import Flask

from app.accounts import models
from app.config import Settings

__all__ = ["init_app", "models"]


def init_app(app: Flask, settings: Settings) -> None:
    """Bind Flask-Security to the app's users."""
