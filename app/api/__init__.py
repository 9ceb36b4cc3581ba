"""The JSON audience."""

from flask import Flask


def init_app(app: Flask) -> None:
    """Register the audience's views."""
