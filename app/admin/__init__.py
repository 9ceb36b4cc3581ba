"""The back-office audience: /admin. One guard for the whole package (blueprint.py), one module or package an area."""

from flask import Flask

from app.admin import (
    api_keys,
    attention,
    audit,
    bundles,
    codes,
    courses,
    home,
    jobs,
    newsletter,
    orders,
    people,
    posts,
    prices,
    reports,
    search,
    settings,
    shell,
    staff,
    stripe,
    withdrawals,
)
from app.admin.blueprint import blueprint

# Imported for the routes they hang on the blueprint.
AREAS = (
    api_keys,
    attention,
    audit,
    bundles,
    codes,
    courses,
    home,
    jobs,
    newsletter,
    orders,
    people,
    posts,
    prices,
    reports,
    search,
    settings,
    staff,
    stripe,
    withdrawals,
)


def init_app(app: Flask) -> None:
    """Register the audience's views."""
    shell.init_app(app)
    app.register_blueprint(blueprint)
