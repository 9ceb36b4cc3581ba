"""What the shop's people changed in the browser: rows over the environment's settings, read for each request or task.

Knows no HTTP. May import the database's ground rules, the audit log and what lies below them.
"""

from flask import Flask

from app.config import SETTINGS_SOURCE, forget_settings
from app.settings.in_force import read_settings


def init_app(app: Flask) -> None:
    """Let the rows count from now on, and let every request look anew: in tests a context outlives a request."""
    app.extensions[SETTINGS_SOURCE] = read_settings
    app.before_request(forget_settings)
    app.teardown_request(lambda _error: forget_settings())
