"""The HTML audience: public pages, checkout and account. Parses, calls one service function, renders."""

from flask import Flask

from app.site.blueprint import blueprint

# Imported for the routes they hang on the blueprint.
VIEWS = ()


def init_app(app: Flask) -> None:
    """Register the audience's views."""
    app.register_blueprint(blueprint)
