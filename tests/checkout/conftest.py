"""A shop with the sandbox beside it: buyers, Stripe's page, and the webhooks as Stripe would send them."""

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.accounts.models import User
from app.catalog.models import Course
from app.checkout.choices import Buyer, Wish
from app.checkout.models import CheckoutAttempt, Order
from app.checkout.services import StartedCheckout, start_checkout
from app.config import SANDBOX_SECRET_KEY, Settings
from app.db import db
from app.queue import run_sweeps
from app.sandbox.server import ServerThread
from tests.factories import get_price


@dataclass
class Shop:
    """What a test does to the shop from outside."""

    app: Flask
    settings: Settings
    client: FlaskClient
    sandbox: ServerThread

    def begin(
        self,
        course: Course,
        *,
        user: User | None = None,
        browser: str = "b1",
        email: str | None = None,
        price: str | None = None,
        **wish: Any,
    ) -> StartedCheckout:
        """Press Enroll; wish takes what Wish does: quantity, code, gift and so on."""
        return start_checkout(
            price_public_id=price or get_price(course).public_id,
            buyer=Buyer(user_id=user.id if user else None, browser_key="" if user else browser, email=email),
            wish=Wish(**wish),
        )

    def pay(self, started: StartedCheckout, **body: Any) -> dict[str, Any]:
        status, answer = self.control(f"/pay/{started.stripe_checkout_session_id}", body)
        assert status in {200, 402}, answer
        return answer

    def buy(self, course: Course, *, user: User | None = None, **pay: Any) -> StartedCheckout:
        """Begin, pay and deliver every event."""
        started = self.begin(course, user=user)
        self.pay(started, **pay)
        self.deliver_all()
        assert self.order(started).state == "paid"
        return started

    def expire(self, started: StartedCheckout) -> None:
        status, _ = self._request(
            f"/v1/checkout/sessions/{started.stripe_checkout_session_id}/expire",
            b"",
            {"Authorization": f"Bearer {SANDBOX_SECRET_KEY}"},
        )
        assert status == 200

    def control(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        return self._request(f"/_sandbox{path}", json.dumps(body or {}).encode(), {"Content-Type": "application/json"})

    def remove_levers(self) -> None:
        request = Request(f"{self.sandbox.url}/_sandbox/levers", method="DELETE")
        with urlopen(request, timeout=10):
            pass

    def events(self) -> list[dict[str, Any]]:
        """Every event the sandbox has made, oldest first."""
        _, answer = self._request("/v1/events?limit=100", None, {"Authorization": f"Bearer {SANDBOX_SECRET_KEY}"})
        return list(reversed(answer["data"]))

    def stripe(self, path: str) -> Any:
        return self._request(path, None, {"Authorization": f"Bearer {SANDBOX_SECRET_KEY}"})[1]

    def send(self, event: dict[str, Any] | bytes, *, secret: str | None = None, timestamp: int | None = None) -> int:
        """Deliver one event to the endpoint, signed; returns the status."""
        return self.post(event, secret=secret, timestamp=timestamp).status_code

    def post(
        self, event: dict[str, Any] | bytes, *, secret: str | None = None, timestamp: int | None = None
    ) -> TestResponse:
        """Deliver one event to the endpoint, signed; returns the whole answer."""
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        moment = int(time.time()) if timestamp is None else timestamp
        key = (secret or self.settings.stripe_webhook_secrets[0]).encode()
        signature = hmac.new(key, f"{moment}.".encode() + payload, hashlib.sha256).hexdigest()
        return self.client.post(
            "/webhooks/stripe",
            data=payload,
            headers={"Stripe-Signature": f"t={moment},v1={signature}", "Content-Type": "application/json"},
        )

    def deliver_all(self) -> None:
        """Deliver every event and let the worker do what is due."""
        for event in self.events():
            assert self.send(event) == 200
        self.work()

    def work(self) -> None:
        """What the worker does, until nothing is due."""
        for _ in range(20):
            if run_sweeps() == 0:
                return

    def order(self, started: StartedCheckout) -> Order:
        db.session.rollback()
        order = db.session.scalars(
            select(Order).where(Order.public_id == started.order_public_id).execution_options(populate_existing=True)
        ).one()
        db.session.expunge(order)
        return order

    def attempts(self, started: StartedCheckout) -> list[CheckoutAttempt]:
        query = select(CheckoutAttempt).where(CheckoutAttempt.order_id == self.order(started).id)
        return list(db.session.scalars(query.order_by(CheckoutAttempt.number)))

    def _request(self, path: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, Any]:
        request = Request(self.sandbox.url + path, data, headers)
        try:
            with urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read())


@pytest.fixture
def shop(app: Flask, client: FlaskClient, settings: Settings, sandbox_server: ServerThread) -> Shop:
    shop = Shop(app=app, settings=settings, client=client, sandbox=sandbox_server)
    shop.control("/reset")
    return shop
