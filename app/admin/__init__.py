"""The back-office audience. One guard for the whole package."""

from flask import Flask


def init_app(app: Flask) -> None:
    """Register the audience's views."""
