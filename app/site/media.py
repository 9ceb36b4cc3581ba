"""/media/<hash>/<variant>: uploaded pictures, kept by browsers for ever: other bytes have another address."""

from flask import Response, request

from app.media.services import list_variants, read_variant
from app.site.blueprint import blueprint
from app.site.static_files import FOREVER

PREFIX = "/media/"


@blueprint.get("/media/<sha256>/<name>")
def picture(sha256: str, name: str) -> Response:
    content, content_type = read_variant(sha256=sha256, name=name)
    response = Response(content, content_type=content_type)
    response.headers["Cache-Control"] = FOREVER
    response.headers["Content-Disposition"] = "inline"
    # Opened by itself it is a document without any right.
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.set_etag(f"{sha256[:16]}-{name}")
    response.make_conditional(request)
    return response


def picture_srcset(url: str) -> str:
    """The srcset of an uploaded picture's address: its WebP variants; "" for a drawn one."""
    if not url.startswith(PREFIX):
        return ""
    return ", ".join(f"{PREFIX}{path} {width}w" for path, width in list_variants(url.removeprefix(PREFIX)))
