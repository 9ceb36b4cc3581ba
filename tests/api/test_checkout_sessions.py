"""POST /api/v1/checkout-sessions against the sandbox."""

from flask.testing import FlaskClient
from sqlalchemy import select

from app.checkout.models import Order
from app.db import db
from tests.factories import get_price, make_course

SESSIONS = "/api/v1/checkout-sessions"


def test_a_session_is_opened_for_the_price_in_our_tables(client: FlaskClient) -> None:
    price = get_price(make_course(unit_amount=9700))

    answer = client.post(SESSIONS, json={"price_id": price.public_id, "email": "maya@example.org"})

    assert answer.status_code == 201, answer.text
    session = answer.json
    assert session["id"].startswith("cs_test_")
    assert session["url"].startswith("http")
    assert (session["amount_total"], session["currency"], session["status"]) == (9700, "usd", "pending")
    assert session["expires_at"].endswith("Z")
    order = db.session.scalars(select(Order)).one()
    assert (order.public_id, order.email, order.user_id) == (session["order_id"], "maya@example.org", None)


def test_the_same_key_gives_the_same_session_and_another_key_another(client: FlaskClient) -> None:
    price = get_price(make_course())
    body = {"price_id": price.public_id}

    first = client.post(SESSIONS, json=body, headers={"Idempotency-Key": "order-1"}).json
    again = client.post(SESSIONS, json=body, headers={"Idempotency-Key": "order-1"}).json
    other = client.post(SESSIONS, json=body, headers={"Idempotency-Key": "order-2"}).json

    assert first == again
    assert other["id"] != first["id"]
    assert db.session.query(Order).count() == 2


def test_a_session_cookie_plays_no_part(client: FlaskClient) -> None:
    price = get_price(make_course())

    answer = client.post(SESSIONS, json={"price_id": price.public_id})

    assert answer.status_code == 201
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
