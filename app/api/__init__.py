"""The JSON audience: /api/v1, its OpenAPI document and its page. Reads are public; errors are problem details."""

from flask import Flask

from app.api import checkout, courses, docs, keys, posts
from app.api.blueprint import ShopApi


def init_app(app: Flask) -> None:
    """Register the operations, then the document that describes them."""
    app.config.update(
        API_TITLE="Tuition",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        # Our own view serves the document, with an ETag; smorest's would not be cacheable.
        OPENAPI_URL_PREFIX=None,
    )
    settings = app.config["SETTINGS"]
    keys.init_app(app)
    api = ShopApi(app, spec_kwargs={"servers": [{"url": settings.public_url}], "info": {"description": docs.ABOUT}})
    for module in (courses, posts, checkout, keys):
        api.register_blueprint(module.blueprint)
    api.spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
    app.extensions["shop_api"] = api
    app.register_blueprint(docs.blueprint)
