"""What Stripe calls. Verifies, stores, answers; all meaning is elsewhere."""

from flask import Flask

from app.webhooks.views import blueprint


def init_app(app: Flask) -> None:
    """Register the endpoint."""
    app.register_blueprint(blueprint)
