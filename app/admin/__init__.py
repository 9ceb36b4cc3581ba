"""The back-office audience: /admin. One guard for the whole package (blueprint.py), one module or package an area."""

from flask import Flask

from app.admin import (
    api_keys,
    attention,
    audit,
    codes,
    courses,
    home,
    jobs,
    orders,
    reports,
    search,
    shell,
    staff,
    stripe,
)
from app.admin.blueprint import blueprint

# Imported for the routes they hang on the blueprint.
AREAS = (api_keys, attention, audit, codes, courses, home, jobs, orders, reports, search, staff, stripe)


def init_app(app: Flask) -> None:
    """Register the audience's views."""
    shell.init_app(app)
    app.register_blueprint(blueprint)
