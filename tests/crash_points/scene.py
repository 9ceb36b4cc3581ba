"""What people, Stripe and the worker do, in one child: requests through the real WSGI app, tasks from the real queue."""

import hashlib
import hmac
import json
import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.http import parse_cookie
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app import clock
from app.config import SANDBOX_SECRET_KEY
from app.queue import run_sweeps
from tests.crash_points.children import Diary
from tests.crash_points.points import Trap
from tests.crash_points.world import WEBHOOK_SECRET, World

MOST_ROUNDS = 30
SESSION_ID = re.compile(r"cs_test_\w+")
NAVIGATION = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Origin": "http://localhost"}

Facts = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What reached the other side."""

    status: int
    location: str
    cookie: str
    text: str


class Scene:
    """One child's hands. `notes` is what an earlier child wrote into its diary before it died."""

    def __init__(
        self,
        world: World,
        diary: Diary,
        *,
        trap: Trap | None = None,
        notes: tuple[Facts, ...] = (),
        app: Flask | None = None,
    ) -> None:
        self.world = world
        self.app = app or world.app
        self.trap = trap or Trap()
        self.notes = list(notes)
        self._diary = diary
        self._offset = timedelta()
        clock.set_source(self._now)

    def _now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def advance(self, **span: float) -> None:
        """Let time go by for the shop."""
        self._offset += timedelta(**span)

    def note(self, **note: Any) -> None:
        """Tell the world something that stays true if this process dies now."""
        self.notes.append(note)
        self._diary.write(**note)

    def noted(self, kind: str) -> list[Facts]:
        """Earlier notes of a kind, oldest first."""
        return [note for note in self.notes if note["note"] == kind]

    def request(
        self,
        method: str,
        path: str,
        *,
        cookie: str = "",
        data: Any = None,
        headers: dict[str, str] | None = None,
        about: str = "",
    ) -> Answer:
        """One request. The answer counts as received, and is noted, once the app has let go of it."""
        builder = EnvironBuilder(
            base_url="http://localhost", path=path, method=method, data=data,
            headers={**(headers or NAVIGATION), **({"Cookie": f"session={cookie}"} if cookie else {})},
        )  # fmt: skip
        body, status, answered = run_wsgi_app(self.app, builder.get_environ())
        answer = Answer(
            status=int(status.split()[0]),
            location=answered.get("Location", ""),
            cookie=_read_cookie(answered) or cookie,
            text=b"".join(body).decode(errors="replace"),
        )
        self.trap.reach("before answer")
        self.note(
            note="answer",
            path=path,
            about=about,
            status=answer.status,
            location=answer.location,
            cookie=answer.cookie,
        )
        self.trap.reach("after answer")
        return answer

    def deliver(self, event: Facts) -> int:
        """Stripe sends an event, signed at this moment; gives the status it hears."""
        payload = json.dumps(event).encode()
        moment = int(clock.now().timestamp())
        signature = hmac.new(WEBHOOK_SECRET.encode(), f"{moment}.".encode() + payload, hashlib.sha256).hexdigest()
        headers = {"Stripe-Signature": f"t={moment},v1={signature}", "Content-Type": "application/json"}
        return self.request("POST", "/webhooks/stripe", data=payload, headers=headers, about=event["id"]).status

    def list_answered_events(self) -> set[str]:
        """The events that Stripe will not send again, for it heard a 2xx."""
        return {note["about"] for note in self.noted("answer") if note.get("about") and note["status"] == 200}

    def take_one(self) -> None:
        """The worker takes one task out of the queue and runs it."""
        huey = self.app.extensions["huey"]
        huey.execute(huey.dequeue())

    def drain_queue(self) -> int:
        """The worker takes tasks until none is left; gives their number."""
        huey = self.app.extensions["huey"]
        taken = 0
        while huey.storage.queue_size():
            self.take_one()
            taken += 1
        return taken

    def sweep(self) -> int:
        """The worker's other half: looks for rows with unfinished work."""
        with self.app.app_context():
            return run_sweeps()

    def work(self) -> None:
        """All that the worker can do at this moment."""
        for _ in range(MOST_ROUNDS):
            if not self.drain_queue() + self.sweep():
                return
        raise AssertionError("the work does not end")

    def stripe(self, path: str, form: str | None = None) -> Any:
        """Stripe's own API, as its account's owner sees it."""
        headers = {"Authorization": f"Bearer {SANDBOX_SECRET_KEY}"}
        return self._ask(path, None if form is None else form.encode(), headers)

    def control(self, path: str, **body: Any) -> Any:
        """The sandbox's levers: buyers paying, the dashboard's buttons."""
        return self._ask(f"/_sandbox{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})

    def events(self, *types: str) -> list[Facts]:
        """Stripe's events of these types (none given: all), oldest first."""
        events = reversed(self.stripe("/v1/events?limit=100")["data"])
        return [event for event in events if not types or event["type"] in types]

    def deliver_all(self) -> None:
        """Stripe delivers all it has, and the worker does what follows."""
        for event in self.events():
            assert self.deliver(event) == 200
        self.work()

    def wait_for_mail_server(self) -> None:
        """Until the mail server has read to its end what the dead sent."""
        with socket.create_connection(("127.0.0.1", self.world.ports["mail"]), timeout=10) as connection:
            lines = connection.makefile("rwb")
            lines.readline()
            lines.write(b"WAIT\r\n")
            lines.flush()
            assert lines.readline().startswith(b"250")

    def _ask(self, path: str, data: bytes | None, headers: dict[str, str]) -> Any:
        request = Request(self.world.settings.stripe_api_base + path, data, headers)
        try:
            with urlopen(request, timeout=20) as answer:
                return json.loads(answer.read() or b"null")
        except HTTPError as error:
            with error:
                raise AssertionError(f"{path}: {error.code} {error.read()!r}") from error


def find_session_id(text: str) -> str:
    """The Checkout Session that an address of Stripe's page is for."""
    found = SESSION_ID.search(text)
    assert found is not None, text
    return found.group()


def _read_cookie(headers: Headers) -> str:
    for line in headers.getlist("Set-Cookie"):
        value = parse_cookie(line).get("session")
        if value:
            return value
    return ""
