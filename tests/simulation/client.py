"""HTTP as plain as it gets: one connection a request, no redirect followed, and an answer even when there is none."""

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back. status None: the connection broke before there was an answer. Times are monotonic seconds."""

    status: int | None
    body: bytes = b""
    location: str = ""
    cookies: tuple[str, ...] = ()
    began: float = 0.0
    ended: float = 0.0

    def json(self) -> Any:
        return json.loads(self.body or b"null")


def send(url: str, *, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
    """One request. Raises nothing that a killed server can cause."""
    address = urlsplit(url)
    began = time.monotonic()
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_SECONDS)
    try:
        path = (address.path or "/") + (f"?{address.query}" if address.query else "")
        connection.request(method, path, body, {"Connection": "close", **(headers or {})})
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException):
        return Answer(status=None, began=began, ended=time.monotonic())
    finally:
        connection.close()
    return Answer(
        status=answer.status,
        body=content,
        location=answer.getheader("Location", ""),
        cookies=tuple(answer.headers.get_all("Set-Cookie") or ()),
        began=began,
        ended=time.monotonic(),
    )


def send_form(url: str, fields: dict[str, str], headers: dict[str, str]) -> Answer:
    return send(
        url,
        method="POST",
        body=urlencode(fields).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded", **headers},
    )


def send_json(url: str, document: Any) -> Answer:
    return send(url, method="POST", body=json.dumps(document).encode(), headers={"Content-Type": "application/json"})
