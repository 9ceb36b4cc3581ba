"""The HTML audience: public pages, checkout and account. Parses, calls one service function, renders."""

from flask import Flask

from app.site import (
    access,
    account,
    blog,
    brand,
    bundles,
    catalog,
    checkout,
    claims,
    course_preview,
    dev_mail,
    drawings,
    health,
    invoices,
    lessons,
    media,
    moves,
    newsletter,
    orders,
    pages,
    post_preview,
    seats,
    sign_in,
    static_files,
    viewer,
    withdrawal,
)
from app.site.blueprint import blueprint

# Imported for the routes they hang on the blueprint.
VIEWS = (
    access,
    account,
    blog,
    brand,
    bundles,
    catalog,
    checkout,
    claims,
    course_preview,
    dev_mail,
    drawings,
    health,
    invoices,
    lessons,
    media,
    moves,
    newsletter,
    orders,
    pages,
    post_preview,
    seats,
    sign_in,
    static_files,
    withdrawal,
)


def init_app(app: Flask) -> None:
    """Register the audience's views."""
    viewer.init_app(app)
    app.register_blueprint(blueprint)
