"""/covers/<slug>.svg: the covers that are drawn, kept by browsers for a year."""

import hashlib
from functools import lru_cache

from flask import Response, request

from app.errors import NotFound
from app.front_matter import SLUG
from app.site.blueprint import blueprint
from app.site.covers import cover_svg
from app.site.static_files import FOREVER, SHORTLY

LONGEST_SLUG = 160
RATIOS = ("16:9", "1:1", "5:2")


@lru_cache(maxsize=1024)
def _draw(slug: str, ratio: str) -> bytes:
    return cover_svg(slug, ratio=ratio).encode()


# Another way of drawing is another address.
DRAWING = hashlib.blake2b(b"".join(_draw(f"version-{n}", "16:9") for n in range(12)), digest_size=4).hexdigest()


def cover_url(slug: str, cover_path: str | None = None, *, ratio: str = "16:9") -> str:
    """The address of an uploaded cover, or else of the drawn one."""
    if cover_path:
        return cover_path if cover_path.startswith("/") else f"/media/{cover_path}"
    shape = "" if ratio == "16:9" else f"&ratio={ratio.replace(':', 'x')}"
    return f"/covers/{slug}.svg?v={DRAWING}{shape}"


@blueprint.get("/covers/<slug>.svg")
def cover(slug: str) -> Response:
    ratio = request.args.get("ratio", "16x9").replace("x", ":")
    if len(slug) > LONGEST_SLUG or not SLUG.fullmatch(slug) or ratio not in RATIOS:
        raise NotFound
    response = Response(_draw(slug, ratio), content_type="image/svg+xml; charset=utf-8")
    response.headers["Cache-Control"] = FOREVER if request.args.get("v") == DRAWING else SHORTLY
    response.set_etag(hashlib.blake2b(response.get_data(), digest_size=8).hexdigest(), weak=True)
    response.make_conditional(request)
    return response
