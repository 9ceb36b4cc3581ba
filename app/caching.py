"""Answers that any cache may keep: the same bytes for everybody, asked about again each time by their ETag."""

import hashlib

from flask import Response, request

PUBLIC = "public, max-age=0, must-revalidate"


def keep_public(response: Response, *, etag: str | None = None) -> Response:
    """Let caches keep the answer, and answer 304 to whoever has it already: what changed shows at once."""
    response.headers["Cache-Control"] = PUBLIC
    # Weak: compression may change the bytes, the meaning stays.
    response.set_etag(etag or hashlib.blake2b(response.get_data(), digest_size=12).hexdigest(), weak=True)
    response.make_conditional(request)
    return response
