"""A sandbox of its own for each test, a shop that only listens, and Stripe's contract over everything that was said."""

import importlib.util
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import stripe

from app.sandbox.config import SandboxConfig
from app.sandbox.server import ServerThread

CONTRACT_FILE = Path(__file__).resolve().parents[3] / "shared" / "stripe" / "conformance.py"
KEY = "sk_test_sandboxsandbox"
SECRET = "whsec_" + "s" * 32


@dataclass
class Listener:
    """The shop's end of the webhooks: keeps what came, answers as it is told."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)  # for the next ones; then 200
    received: list[tuple[str, bytes]] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.received]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def wait_for(self, event_type: str, times: int = 1, seconds: float = 5) -> None:
        with self.news:
            assert self.news.wait_for(lambda: self.types.count(event_type) >= times, seconds), self.types


class _Handler(BaseHTTPRequestHandler):
    listener: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.listener.news:
            status = self.listener.statuses.pop(0) if self.listener.statuses else 200
            self.listener.received.append((self.headers["Stripe-Signature"], body))
            self.listener.news.notify_all()
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", self.listener.url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"listener": listener}))
    listener.url = f"http://127.0.0.1:{server.server_port}/webhooks/stripe"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield listener
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Driver:
    """A running sandbox and the three ways to talk to it: Stripe's SDK, plain HTTP, JSON controls."""

    server: ServerThread
    stripe: stripe.StripeClient

    def control(self, path: str, body: dict[str, Any] | None = None, method: str = "POST") -> tuple[int, Any]:
        data = None if method == "GET" else json.dumps(body or {}).encode()
        return self.request(f"/_sandbox{path}", data, {"Content-Type": "application/json"}, method)

    def api(self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> tuple[int, Any]:
        sent = {"Authorization": f"Bearer {KEY}", **(headers or {})}
        return self.request(path, body.encode() if method != "GET" else None, sent, method)

    def request(self, path: str, data: bytes | None, headers: dict[str, str], method: str) -> tuple[int, Any]:
        request = Request(self.server.url + path, data, headers, method=method)
        try:
            with urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def pay(self, session_id: str, **body: Any) -> Any:
        status, answer = self.control(f"/pay/{session_id}", body)
        assert status == 200, answer
        return answer

    def price(self, amount: int = 9700, currency: str = "usd", **more: Any) -> str:
        product = self.stripe.v1.products.create({"name": "AI Lead Engine Accelerator"})
        params: Any = {"product": product.id, "unit_amount": amount, "currency": currency, **more}
        return self.stripe.v1.prices.create(params).id

    def session(self, price: str | None = None, **more: Any) -> stripe.checkout.Session:
        params: Any = {
            "mode": "payment",
            "line_items": [{"price": price or self.price(), "quantity": 1}],
            "success_url": "http://shop.example/success?session_id={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://shop.example/cancelled",
            **more,
        }
        return self.stripe.v1.checkout.sessions.create(params)

    def paid(self, **pay: Any) -> stripe.PaymentIntent:
        answer = self.pay(self.session().id, **pay)
        return self.stripe.v1.payment_intents.retrieve(answer["payment_intent"], {"expand": ["latest_charge"]})


MakeDriver = Callable[..., Driver]


@pytest.fixture(scope="session")
def conformance() -> ModuleType | None:
    """Stripe's contract, or None where the folder beside the repository is missing: test_conformance says so."""
    if not CONTRACT_FILE.exists():
        return None
    spec = importlib.util.spec_from_file_location("stripe_conformance", CONTRACT_FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def contract(conformance: ModuleType | None) -> Any:
    return conformance.Contract() if conformance else None


@pytest.fixture
def make_driver(tmp_path: Path, listener: Listener, contract: Any) -> Iterator[MakeDriver]:
    """Starts sandboxes on the test's own file. Afterwards all their traffic must fit Stripe's contract."""
    started: list[ServerThread] = []
    traffic = tmp_path / "traffic.jsonl"

    def make(**settings: Any) -> Driver:
        defaults: dict[str, Any] = {
            "port": 0,
            "database": tmp_path / "sandbox.sqlite",
            "traffic": traffic,
            "webhook_url": listener.url,
            "webhook_secret": SECRET,
            "background": False,
        }
        server = ServerThread(SandboxConfig(**(defaults | settings)))
        started.append(server)
        return Driver(server, stripe.StripeClient(KEY, base_addresses={"api": server.url}, max_network_retries=0))

    yield make
    for server in started:
        server.stop()
    if contract is not None and traffic.exists():
        lines = [json.loads(line) for line in traffic.read_text(encoding="utf-8").splitlines()]
        violations = [found for line in lines for found in contract.check_exchange(line)[0]]
        assert violations == []


@pytest.fixture
def driver(make_driver: MakeDriver) -> Driver:
    """A sandbox where nothing happens by itself."""
    return make_driver()
