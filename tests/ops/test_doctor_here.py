"""flask stripe doctor about this side: the public address, the worker, mail, the database."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update

from app import clock, create_app
from app.db import db, transaction
from app.mail.models import Message
from app.payments.models import StripeEvent
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.ops.conftest import Answer, checks, doctor, examined, levels, said, worker

# The way from outside to us


def test_probe_is_stored_and_ignored(shop: Shop) -> None:
    with examined(shop) as (app, _url), worker(app):
        ran = doctor(app, "--json", wait=20)

    assert levels(ran, "webhook") == ["ok"]
    assert levels(ran, "worker") == ["ok"]
    assert db.session.scalars(select(StripeEvent.state)).all() == ["ignored"]


def test_both_secrets_of_a_rotation_are_tried(shop: Shop) -> None:
    old, new = "whsec_" + "o" * 32, "whsec_" + "n" * 32
    with examined(shop, stripe_webhook_secrets=(new, old)) as (app, _url):
        assert levels(doctor(app, "--json"), "webhook") == ["ok", "ok"]
    with examined(shop, stripe_webhook_secrets=(new, old), web={"stripe_webhook_secrets": (old,)}) as (app, _url):
        assert levels(doctor(app, "--json"), "webhook") == ["fail", "ok"]


def test_web_server_with_another_secret_fails(shop: Shop) -> None:
    with examined(shop, web={"stripe_webhook_secrets": ("whsec_" + "z" * 32,)}) as (app, _url):
        ran = doctor(app, "--json")

    assert ran.code == 1
    assert said(ran, "webhook") == [
        (
            "fail",
            "The web server refuses a signed event: its secret is another one, or its clock is off.",
            "Give the web server the same STRIPE_WEBHOOK_SECRET as this command and restart it.",
        )
    ]
    assert levels(ran, "worker") == ["warn"]


def answer_with(status: str, *headers: tuple[str, str]) -> Answer:
    def front(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(status, [("Content-Length", "0"), *headers])
        return [b""]

    return front


def test_redirecting_address_is_a_case_of_its_own(shop: Shop) -> None:
    redirect = answer_with("301 Moved Permanently", ("Location", "https://www.example.org/webhooks/stripe"))
    with examined(shop, front=redirect) as (app, url):
        ran = doctor(app, "--json")

    target = "https://www.example.org/webhooks/stripe"
    assert said(ran, "webhook") == [
        (
            "fail",
            f"{url}/webhooks/stripe redirects (301 to {target}); Stripe does not follow.",
            "Set PUBLIC_URL to the address that answers itself, with the right scheme and host.",
        ),
        (
            "fail",
            "A wrongly signed event was answered 301 instead of 400.",
            "Let the path reach this program only.",
        ),
    ]


def test_address_where_anything_is_taken_fails(shop: Shop) -> None:
    with examined(shop, front=answer_with("200 OK")) as (app, _url):
        ran = doctor(app, "--json")

    assert said(ran, "webhook") == [
        (
            "fail",
            "The web server took a signed event, but not into this database.",
            "Give this command and the web server the same DATABASE_URL, or correct PUBLIC_URL.",
        )
    ]
    assert ran.code == 1


def test_server_error_at_our_address_fails(shop: Shop) -> None:
    with examined(shop, front=answer_with("502 Bad Gateway")) as (app, url):
        ran = doctor(app, "--json")

    assert said(ran, "webhook")[0] == (
        "fail",
        f"{url}/webhooks/stripe answered 502 to a signed event.",
        "Look into the web server’s and the proxy’s log for this request.",
    )


@pytest.mark.parametrize("public_url", ["http://localhost:1", "https://localhost:1", "http://name.invalid"])
def test_unreachable_address_is_a_case_of_its_own(shop: Shop, public_url: str) -> None:
    app = create_app(replace(shop.settings, public_url=public_url))
    with app.app_context():
        ran = doctor(app, "--json")
        db.session.remove()
        db.engine.dispose()

    [(level, what, fix)] = said(ran, "webhook")
    assert level == "fail"
    assert what.startswith(f"Nobody answers at {public_url}/webhooks/stripe (")
    assert fix == "Start the web server, and look at PUBLIC_URL, DNS, the proxy and its certificate."


# Worker, mail, database


def test_worker_that_does_not_run_fails(shop: Shop) -> None:
    with examined(shop) as (app, _url):
        ran = doctor(app, "--json", wait=0.3)

    assert checks(ran)["worker"] == [("fail", "Nobody handled the event that was sent within 0.3 seconds.")]
    assert ran.code == 1


def test_work_that_waits_for_long_fails(shop: Shop, moving_clock: MovableClock) -> None:
    body = {"object": "event", "type": "checkout.session.completed", "livemode": False, "data": {}}
    shop.send({**body, "id": "evt_1"})
    shop.send({**body, "id": "evt_2"})
    with transaction() as session:
        session.execute(update(StripeEvent).where(StripeEvent.id == "evt_2").values(state="failed"))
        session.execute(update(StripeEvent).values(received_at=clock.now() - timedelta(minutes=10)))
        session.execute(update(StripeEvent).values(next_attempt_at=clock.now() - timedelta(minutes=10)))
    with examined(shop) as (app, _url):
        found = checks(doctor(app, "--json"))["worker"]

    assert [level for level, _ in found] == ["fail"] * 4
    assert found[0][1].startswith("1 events wait for 60")
    assert found[1][1] == "1 events were given up after many tries."
    assert found[2][1].startswith("Work is due for 60")


class MailServer(socketserver.BaseRequestHandler):
    """Says as much of SMTP as a probe hears."""

    refused = ""
    heard: list[str] = []  # noqa: RUF012 - one server at a time

    def handle(self) -> None:
        self.request.sendall(b"220 mail.example.org\r\n")
        for line in self.request.makefile("rb"):
            verb = line.decode().split()[0].upper()
            type(self).heard.append(verb)
            answer = b"421 go away\r\n" if verb == type(self).refused else b"250 fine\r\n"
            self.request.sendall(b"221 bye\r\n" if verb == "QUIT" else answer)
            if verb == "QUIT":
                return


@contextmanager
def mail_server(refused: str = "") -> Iterator[str]:
    MailServer.refused, MailServer.heard = refused, []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailServer) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"smtp://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(10)


def test_mail_server_is_greeted_and_no_mail_is_sent(shop: Shop) -> None:
    with mail_server() as mail_url, examined(shop, mail_url=mail_url) as (app, _url):
        ran = doctor(app, "--json")

    assert checks(ran)["mail"] == [("ok", "The mail server takes our connection.")]
    assert MailServer.heard == ["EHLO", "NOOP", "QUIT"]


def test_mail_server_that_refuses_or_is_not_there_fails(shop: Shop) -> None:
    with mail_server(refused="NOOP") as mail_url, examined(shop, mail_url=mail_url) as (app, _url):
        assert checks(doctor(app, "--json"))["mail"] == [("fail", "No mail could leave (The server answered 421.).")]
    with examined(shop, mail_url="smtp://127.0.0.1:1") as (app, _url):
        assert checks(doctor(app, "--json"))["mail"] == [("fail", "No mail could leave (ConnectionRefusedError).")]


def test_mails_given_up_are_a_warning(shop: Shop) -> None:
    with transaction() as session:
        session.add(
            Message(
                key="x",
                template="receipt",
                to_address="maya@example.org",
                data={},
                message_id="<x@localhost>",
                created_at=clock.now(),
                send_after=clock.now(),
                failed_at=clock.now(),
            )
        )
    with examined(shop) as (app, _url):
        assert checks(doctor(app, "--json"))["mail"] == [("warn", "Mails can leave; 1 were given up before.")]


def test_database_behind_the_program_fails(shop: Shop) -> None:
    head = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    with examined(shop) as (app, _url):
        set_version("0001")
        try:
            ran = doctor(app, "--json")
        finally:
            set_version(head)

    assert checks(ran)["database"] == [("fail", f"The database is at 0001, the program at {head}.")]
    assert ran.code == 1


def set_version(version: str | None) -> None:
    with transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def test_folder_for_mails_that_cannot_be_written_fails(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file where the folder should be")
    (tmp_path / "mail").chmod(0o400)
    with examined(shop, instance_path=tmp_path) as (app, _url):
        assert levels(doctor(app, "--json"), "mail") == ["fail"]
