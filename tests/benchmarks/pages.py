"""Server CPU for each public page, beside a plain Flask view of 20 KB on the same server.

Run as `python -m tests.benchmarks.pages`. Loads the demo into an empty SQLite file, asks each page in process through
the whole WSGI stack (compression included), and prints the median of the process CPU time of one answer.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

import structlog
from flask import Flask, Response
from flask_compress import Compress
from flask_migrate import upgrade
from werkzeug.test import Client, create_environ

from app import create_app
from app.config import load_settings
from tests.shop import COURSE, POST

ANSWERS = 300
WARM_UP = 30
PAGES = {
    "home": "/",
    "course list": "/courses",
    "course": f"/courses/{COURSE}",
    "post": f"/blog/{POST}",
    "blog": "/blog",
    "api course": f"/api/v1/courses/{COURSE}",
}


def make_plain_app() -> Flask:
    """What a Flask view costs that does nothing: 20 KB of text, compressed like ours."""
    app = Flask("plain")
    app.config.update(COMPRESS_ALGORITHM=["br", "gzip"], COMPRESS_BR_LEVEL=4)
    Compress(app)
    text = ("<p>" + "The quick brown fox jumps over the lazy dog. " * 8 + "</p>\n") * 54

    @app.get("/")
    def plain() -> Response:
        return Response(text)

    return app


def measure(app: Flask, path: str, headers: dict[str, str]) -> tuple[float, float, int, int]:
    """(median, 95th percentile) in milliseconds of CPU, status and size of the answer."""
    client = Client(app, Response)
    environ = create_environ(path, "http://127.0.0.1:5000", headers=headers)
    took: list[float] = []
    for number in range(WARM_UP + ANSWERS):
        began = time.process_time()
        answer = client.open(environ.copy())
        body = answer.get_data()
        if number >= WARM_UP:
            took.append((time.process_time() - began) * 1000)
    return median(took), quantiles(took, n=20)[-1], answer.status_code, len(body)


def main(write: Callable[[str], object] = sys.stdout.write) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(load_settings(Path(folder)))
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        with app.app_context():
            upgrade()
        loaded = app.test_cli_runner().invoke(args=["demo", "load"])
        if loaded.exit_code:
            raise SystemExit(loaded.output)
        rows = [("plain Flask, 20 KB", make_plain_app(), "/", {})]
        rows += [(name, app, path, {}) for name, path in PAGES.items()]
        etag = app.test_client().get(f"/courses/{COURSE}", headers={"Host": "127.0.0.1:5000"}).headers["ETag"]
        rows.append(("course, unchanged", app, f"/courses/{COURSE}", {"If-None-Match": etag}))
        write(f"{'page':<20}{'median ms':>11}{'p95 ms':>9}{'status':>8}{'bytes':>8}\n")
        for name, tested, path, headers in rows:
            middle, high, status, size = measure(tested, path, {"Accept-Encoding": "br", **headers})
            write(f"{name:<20}{middle:>11.2f}{high:>9.2f}{status:>8}{size:>8}\n")


if __name__ == "__main__":
    main()
