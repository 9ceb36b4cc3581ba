"""The border with Stripe: the only place that imports its SDK, verifies its signatures and stores its events.

May import mail's and queue's level downwards; knows nothing of orders or courses.
"""

from flask import Flask

from app.config import Settings
from app.payments import gateway, refusals


def init_app(app: Flask, settings: Settings) -> None:
    """Make the app's clients for Stripe, and what counts its refused webhooks."""
    gateway.init_app(app, settings)
    refusals.init_app(app)
