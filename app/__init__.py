"""Tuition: a self-hosted course catalog and checkout.

create_app() makes the shop; the direction of imports is in the README's tour of the house.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.config import Settings


def create_app(settings: "Settings | None" = None) -> "Flask":
    """A ready application. Without settings they are read from the environment; raises ConfigError when unsafe."""
    # Imported here, not above: the sandbox is a program of its own in this package and must start without the shop.
    from app.application import build_app  # noqa: PLC0415

    return build_app(settings)
