"""flask stripe doctor: each line can fail, each names its fix, and nothing on the network makes it crash."""

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text, update
from werkzeug.serving import make_server

from app import clock, create_app
from app.checkout.events import HANDLED_EVENTS
from app.db import db, transaction
from app.mail.models import Message
from app.payments.account import PINNED_VERSION
from app.payments.models import StripeEvent
from app.queue import run_sweeps
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.ops.conftest import Ran, post_to_stripe, run

Answer = Callable[[Any, Callable[..., Any]], list[bytes]]


@contextmanager
def serve(application: Any, listening: socket.socket) -> Iterator[None]:
    """An HTTP server for as long as the block lasts."""
    host, port = listening.getsockname()[:2]
    server = make_server(host, port, application, threaded=True, fd=listening.fileno())
    # Closing waits for the requests, so that no connection is left when the app's pool is thrown away.
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@contextmanager
def examined(
    shop: Shop, *, front: Answer | None = None, web: dict[str, Any] | None = None, **changes: Any
) -> Iterator[tuple[Flask, str]]:
    """An app for the command with changed settings, whose PUBLIC_URL is really served: gives it and the address.

    front answers instead of the shop; web are settings that only the web server has.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://localhost:{listening.getsockname()[1]}"
    settings = replace(shop.settings, public_url=url, **changes)
    command_app, web_app = create_app(settings), create_app(replace(settings, **(web or {})))
    try:
        with listening, serve(front or web_app, listening), command_app.app_context():
            yield command_app, url
    finally:
        for each in (command_app, web_app):
            with each.app_context():
                db.session.remove()
                db.engine.dispose()


def doctor(app: Flask, *arguments: str, wait: float = 0) -> Ran:
    return run(app, "doctor", f"--wait={wait}", *arguments)


def checks(ran: Ran) -> dict[str, list[tuple[str, str]]]:
    """Level and text by the check's name."""
    found: dict[str, list[tuple[str, str]]] = {}
    for check in ran.json["checks"]:
        found.setdefault(check["name"], []).append((check["level"], check["what"]))
    return found


def levels(ran: Ran, name: str) -> list[str]:
    return [level for level, _ in checks(ran).get(name, [])]


def add_endpoint(shop: Shop, url: str, events: list[str], **params: str) -> str:
    named = {f"enabled_events[{index}]": name for index, name in enumerate(events)}
    return str(post_to_stripe(shop, "/v1/webhook_endpoints", url=f"{url}/webhooks/stripe", **named, **params)["id"])


def list_endpoints(shop: Shop) -> list[dict[str, Any]]:
    return list(shop.stripe("/v1/webhook_endpoints?limit=100")["data"])


@contextmanager
def worker(app: Flask) -> Iterator[None]:
    """A worker beside the command."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            with app.app_context():
                run_sweeps()
            stop.wait(0.05)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def test_a_shop_that_is_set_up_has_no_fail_and_exits_with_0(shop: Shop) -> None:
    with examined(shop) as (app, url), worker(app):
        add_endpoint(shop, url, sorted(HANDLED_EVENTS), api_version=PINNED_VERSION)

        ran = doctor(app, "--json", wait=20)

    assert {each["level"] for each in ran.json["checks"]} == {"ok"}, ran.json["checks"]
    assert (ran.code, ran.json["failed"]) == (0, 0)
    assert {each["name"] for each in ran.json["checks"]} == {
        *("database", "key", "account", "version", "clock", "endpoint", "events", "tax", "webhook", "worker", "mail")
    }
    assert {each["fix"] for each in ran.json["checks"]} == {""}


def test_lines_for_people_name_level_thing_and_fix(shop: Shop) -> None:
    with examined(shop) as (app, url):
        ran = doctor(app)

    line = next(line for line in ran.output.splitlines() if " endpoint " in line)
    assert line.startswith("fail  endpoint  Stripe delivers no webhooks to " + url)
    assert line.endswith("-> Run flask stripe doctor --configure.")
    assert ran.code == 1


# The endpoint at Stripe


def test_configure_makes_the_endpoint_prints_its_secret_once_and_a_second_run_changes_nothing(shop: Shop) -> None:
    with examined(shop) as (app, url):
        first = doctor(app, "--configure")
        made = list_endpoints(shop)
        second = doctor(app, "--configure", "--json")

    assert [(each["url"], each["status"], each["api_version"]) for each in made] == [
        (f"{url}/webhooks/stripe", "enabled", PINNED_VERSION)
    ]
    assert set(made[0]["enabled_events"]) == HANDLED_EVENTS
    assert made[0]["metadata"]["app_id"] == shop.settings.stripe_app_id
    secrets = [line for line in first.output.splitlines() if line.startswith("STRIPE_WEBHOOK_SECRET=whsec_")]
    assert len(secrets) == 1
    assert (second.json["configured"]["action"], second.json["configured"]["secret"]) == ("unchanged", None)
    assert list_endpoints(shop) == made
    assert set(levels(second, "endpoint") + levels(second, "events")) == {"ok"}


def test_configure_adds_missing_events_and_keeps_others(shop: Shop) -> None:
    with examined(shop) as (app, url):
        endpoint_id = add_endpoint(shop, url, ["checkout.session.completed", "customer.created"])
        before = doctor(app, "--json")
        after = doctor(app, "--configure", "--json")

    missing = next(what for level, what in checks(before)["events"] if level == "fail")
    assert "charge.refunded" in missing
    assert "checkout.session.completed" not in missing
    assert after.json["configured"]["action"] == "repaired"
    endpoint = list_endpoints(shop)[0]
    assert (endpoint["id"], set(endpoint["enabled_events"])) == (endpoint_id, HANDLED_EVENTS | {"customer.created"})
    assert ("warn", "Events without effect here: customer.created.") in checks(after)["events"]


def test_disabled_endpoint_fails_and_configure_switches_it_on(shop: Shop) -> None:
    with examined(shop) as (app, url):
        endpoint_id = add_endpoint(shop, url, sorted(HANDLED_EVENTS))
        post_to_stripe(shop, f"/v1/webhook_endpoints/{endpoint_id}", disabled="true")
        before = doctor(app, "--json")
        after = doctor(app, "--configure", "--json")

    assert checks(before)["endpoint"] == [("fail", f"{endpoint_id} is switched off: no webhook comes.")]
    assert levels(after, "endpoint") == ["ok"]


def test_endpoint_that_sends_everything_is_a_warning_and_is_left_so(shop: Shop) -> None:
    with examined(shop) as (app, url):
        add_endpoint(shop, url, ["*"])
        ran = doctor(app, "--configure", "--json")

    assert ran.json["configured"]["action"] == "unchanged"
    assert ("warn", "The endpoint sends every event there is.") in checks(ran)["events"]
    assert list_endpoints(shop)[0]["enabled_events"] == ["*"]


def test_duplicate_endpoints_are_named_and_never_deleted(shop: Shop) -> None:
    with examined(shop) as (app, url):
        ids = {add_endpoint(shop, url, sorted(HANDLED_EVENTS)) for _ in range(2)}
        add_endpoint(shop, "http://elsewhere.example.org", ["*"])
        ran = doctor(app, "--configure", "--json")

    duplicates = set(ran.json["configured"]["duplicate_ids"])
    assert len(duplicates) == 1
    assert duplicates < ids
    assert tuple(levels(ran, "endpoint")) == ("warn", "ok")
    assert duplicates.pop() in checks(ran)["endpoint"][0][1]
    assert len(list_endpoints(shop)) == 3


def test_events_in_another_version_are_a_warning(shop: Shop) -> None:
    with examined(shop) as (app, url):
        add_endpoint(shop, url, sorted(HANDLED_EVENTS))
        ran = doctor(app, "--json")

    warned = [what for level, what in checks(ran)["events"] if level == "warn"]
    assert len(warned) == 1
    assert warned[0].startswith(f"Events come in the account’s default version, not in {PINNED_VERSION};")


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
    assert levels(ran, "webhook") == ["fail"]
    assert "its secret is another one" in checks(ran)["webhook"][0][1]
    assert levels(ran, "worker") == ["warn"]


def answer_with(status: str, *headers: tuple[str, str]) -> Answer:
    def front(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(status, [("Content-Length", "0"), *headers])
        return [b""]

    return front


def test_redirecting_address_is_a_case_of_its_own(shop: Shop) -> None:
    redirect = answer_with("301 Moved Permanently", ("Location", "https://www.example.org/webhooks/stripe"))
    with examined(shop, front=redirect) as (app, _url):
        ran = doctor(app, "--json")

    what = checks(ran)["webhook"][0][1]
    assert "redirects (301 to https://www.example.org/webhooks/stripe); Stripe does not follow." in what
    assert levels(ran, "webhook") == ["fail", "fail"]


def test_address_where_anything_is_taken_fails(shop: Shop) -> None:
    with examined(shop, front=answer_with("200 OK")) as (app, _url):
        ran = doctor(app, "--json")

    assert ("fail", "The web server took a signed event, but not into this database.") in checks(ran)["webhook"]
    assert ran.code == 1


def test_server_error_at_our_address_fails(shop: Shop) -> None:
    with examined(shop, front=answer_with("502 Bad Gateway")) as (app, _url):
        assert "answered 502 to a signed event" in checks(doctor(app, "--json"))["webhook"][0][1]


@pytest.mark.parametrize("public_url", ["http://localhost:1", "https://localhost:1", "http://name.invalid"])
def test_unreachable_address_is_a_case_of_its_own(shop: Shop, public_url: str) -> None:
    app = create_app(replace(shop.settings, public_url=public_url))
    with app.app_context():
        ran = doctor(app, "--json")
        db.session.remove()
        db.engine.dispose()

    assert levels(ran, "webhook") == ["fail"]
    assert checks(ran)["webhook"][0][1].startswith(f"Nobody answers at {public_url}/webhooks/stripe (")


# Stripe


def test_stripe_that_does_not_answer_is_said_and_the_other_checks_go_on(shop: Shop) -> None:
    shop.control("/levers", {"kind": "api_close", "when": "before"})
    with examined(shop) as (app, _url):
        ran = doctor(app, "--json")

    assert checks(ran)["account"] == [("fail", "Stripe does not answer.")]
    assert checks(ran)["endpoint"] == [("fail", "Stripe does not answer.")]
    assert (levels(ran, "webhook"), levels(ran, "mail")) == (["ok"], ["ok"])


def test_configure_without_stripe_fails_in_one_sentence(shop: Shop) -> None:
    shop.control("/levers", {"kind": "api_error", "status": 500})
    with examined(shop) as (app, _url):
        ran = doctor(app, "--configure")

    assert (ran.code, ran.output) == (1, "")


def test_refused_key_is_told_from_a_silent_stripe(shop: Shop) -> None:
    shop.control("/levers", {"kind": "api_error", "status": 401})
    with examined(shop) as (app, _url):
        ran = doctor(app, "--json")

    assert checks(ran)["account"] == [("fail", "Stripe refuses the key.")]


def test_refusal_of_one_question_is_said(shop: Shop) -> None:
    shop.control("/levers", {"kind": "api_error", "status": 400, "path": "/v1/webhook_endpoints"})
    with examined(shop) as (app, _url):
        ran = doctor(app, "--json")

    assert checks(ran)["endpoint"] == [("fail", "Stripe refuses to tell (payment_refused).")]
    assert levels(ran, "account") == ["ok"]


def test_test_key_in_production_is_a_warning(shop: Shop) -> None:
    with examined(shop) as (app, _url):
        # Set afterwards: an app that begins as production opens the queue's own connection.
        app.config["SETTINGS"] = replace(app.config["SETTINGS"], app_env="production")
        ran = doctor(app, "--json")

    assert checks(ran)["key"] == [("warn", "The key is a test key in production: nobody is charged.")]


@pytest.mark.parametrize(
    ("offset", "level"), [(0, "ok"), (20, "ok"), (45, "warn"), (-45, "warn"), (200, "fail"), (-3600, "fail")]
)
def test_clock_that_is_off_is_told_from_stripes(
    shop: Shop, moving_clock: MovableClock, offset: float, level: str
) -> None:
    moving_clock.advance(seconds=offset)
    with examined(shop) as (app, _url):
        ran = doctor(app, "--json")

    assert levels(ran, "clock") == [level]


def test_tax_that_is_not_set_up_fails_only_where_it_is_on(shop: Shop) -> None:
    with examined(shop, is_tax_enabled=True) as (app, _url):
        assert checks(doctor(app, "--json"))["tax"] == [("ok", "Stripe computes taxes.")]
    shop.control("/levers", {"kind": "api_tax_pending"})
    with examined(shop, is_tax_enabled=True) as (app, _url):
        ran = doctor(app, "--json")
    with examined(shop) as (app, _url):
        assert levels(doctor(app, "--json"), "tax") == ["ok"]

    assert checks(ran)["tax"] == [
        ("fail", "TAX_ENABLED is on, but Stripe’s tax settings are pending; missing: head_office: nobody can pay.")
    ]


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
