"""The back-office audience. One guard for the whole package: no view asks by itself who may come in."""

from flask import Flask

from app.admin.views import blueprint


def init_app(app: Flask) -> None:
    """Register the audience's views."""
    app.register_blueprint(blueprint)
