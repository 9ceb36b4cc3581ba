"""Style, script, fonts and icons: read and minified once, compressed once, kept by browsers for a year.

Their address holds a hash of all of them, so that the style sheet can name its fonts relatively and a new release is a
new address.
"""

import gzip
import hashlib
import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import rcssmin  # type: ignore[import-untyped]
import rjsmin  # type: ignore[import-untyped]
from flask import Response, request

from app.errors import NotFound
from app.site.blueprint import blueprint

FOLDER = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"
# For addresses of another release: right now, but not for long.
SHORTLY = "public, max-age=60"
TYPES = {".woff2": "font/woff2", ".js": "text/javascript", ".svg": "image/svg+xml", ".css": "text/css"}
COMPRESSED = {".css", ".js", ".svg", ".txt"}
MINIFIERS: dict[str, Callable[[str], str]] = {".css": rcssmin.cssmin, ".js": rjsmin.jsmin}


@dataclass(frozen=True, kw_only=True, slots=True)
class StaticFile:
    """One file and what a browser must know of it."""

    content: bytes
    content_type: str
    etag: str
    is_compressible: bool


def _read_all() -> dict[str, StaticFile]:
    files = {}
    for path in sorted(FOLDER.rglob("*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        content = _read(path)
        guessed = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        text = guessed.startswith("text/") or guessed == "image/svg+xml"
        files[path.relative_to(FOLDER).as_posix()] = StaticFile(
            content=content,
            content_type=f"{guessed}; charset=utf-8" if text else guessed,
            etag=hashlib.blake2b(content, digest_size=12).hexdigest(),
            is_compressible=path.suffix in COMPRESSED,
        )
    return files


def _read(path: Path) -> bytes:
    minify = MINIFIERS.get(path.suffix)
    return minify(path.read_text()).encode() if minify else path.read_bytes()


FILES = _read_all()
RELEASE = hashlib.blake2b(
    "".join(f"{name}:{file.etag};" for name, file in FILES.items()).encode(), digest_size=6
).hexdigest()


def static_url(name: str) -> str:
    """The address of a file in the static folder, for example static_url("css/tuition.css")."""
    return f"/static/{RELEASE}/{name}"


@lru_cache(maxsize=256)
def _compress(name: str, encoding: str) -> bytes:
    content = FILES[name].content
    return brotli.compress(content, quality=11) if encoding == "br" else gzip.compress(content, 9, mtime=0)


@blueprint.get("/static/<release>/<path:name>")
def static_file(release: str, name: str) -> Response:
    file = FILES.get(name)
    if file is None:
        raise NotFound
    encoding = request.accept_encodings.best_match(["br", "gzip"]) if file.is_compressible else None
    response = Response(_compress(name, encoding) if encoding else file.content, content_type=file.content_type)
    if encoding:
        response.headers["Content-Encoding"] = encoding
    if file.is_compressible:
        response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = FOREVER if release == RELEASE else SHORTLY
    response.set_etag(f"{file.etag}-{encoding}" if encoding else file.etag)
    response.make_conditional(request)
    return response
