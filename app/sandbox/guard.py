"""Who may post to the sandbox's own pages, and the headers they all carry."""

from urllib.parse import urlsplit

from flask import Response, abort, request

_POLICY = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'; form-action 'self'"


def refuse_other_sites() -> None:
    """Answers 403 to a POST that another site's page sends. Programs send neither header and may."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        abort(403, "This form was sent from another site.")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        abort(403, "This form was sent from another site.")


def add_page_headers(response: Response, *, form_targets: str = "") -> Response:
    """A strict policy: own files only, nothing inline. `form_targets`: origins a form may lead on to by redirect."""
    response.headers["Content-Security-Policy"] = f"{_POLICY} {form_targets}".rstrip()
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


def origin_of(url: str) -> str:
    """`https://shop.example:8443` of any address there."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
