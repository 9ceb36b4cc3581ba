"""What the API refuses, and how it says so (attacks A75, A76)."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.checkout.models import Order
from app.db import db

PRICE = "prc_xxxxxxxxxxxxxxxxxxxx"
SESSIONS = "/api/v1/checkout-sessions"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("limit=99999999999999999999", "limit"), ("limit=", "limit"),
        ("limit=1.5", "limit"), ("limit=NaN", "limit"), ("nope=1", "nope"), ("level=expert", "level"), ("level=", "level"),
        ("category=A%20B", "category"), ("cursor=%21%21", "cursor"), ("cursor=AAAA", "cursor"), ("cursor=" + "A" * 300, "cursor"),
        ("q=" + "x" * 101, "q"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(client: FlaskClient, query: str, field: str) -> None:
    answer = client.get(f"/api/v1/courses?{query}")

    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert answer.json["field"] == field
    assert answer.json["detail"].startswith(f"{field}: ")
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "cursor", ["MQ", "MjAyNi0wMS0wMVQwMDowMDowMHwx", "MjAyNi0wMS0wMVQwMDowMDowMA", "8J-SqQ", "LTE"]
)
def test_a_cursor_of_another_list_is_refused(client: FlaskClient, cursor: str) -> None:
    assert client.get(f"/api/v1/posts?cursor={cursor}").json["code"] == "invalid_cursor"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "unreadable_json"),
        (b"[]", 400, "unreadable_json"),
        (b'"text"', 400, "unreadable_json"),
        (b"null", 400, "unreadable_json"),
        (b'{"price_id": NaN}', 400, "unreadable_json"),
        (b'{"price_id": -Infinity}', 400, "unreadable_json"),
        (b'{"price_id": "a", "price_id": "b"}', 400, "unreadable_json"),
        (b'{"quantity": ' + b"9" * 5000 + b"}", 400, "unreadable_json"),
        (b'{"a": ' + b"[" * 9000 + b"]" * 9000 + b"}", 400, "unreadable_json"),
        (b"[" * 19_000, 400, "unreadable_json"),
        (b'{"price_id": "\\ud800"}', 400, "unreadable_json"),
        (b'{"price_id": "a\\u0000b"}', 400, "unreadable_json"),
        (b'{"\\udfff": 1}', 400, "unreadable_json"),
        (b"\xff\xfe{", 400, "unreadable_json"),
        (b'{"price_id": "x",}', 400, "unreadable_json"),
        (b'{"a": "' + b"x" * 30_000 + b'"}', 413, "request_entity_too_large"),
        (b"{}", 422, "invalid_parameters"),
        (b'{"price_id": 5}', 422, "invalid_parameters"),
        (b'{"price_id": null}', 422, "invalid_parameters"),
        (b'{"price_id": ["a"]}', 422, "invalid_parameters"),
        (b'{"price_id": "nope"}', 422, "invalid_parameters"),
        (b'{"price_id": "prc_xxxxxxxxxxxxxxxxxxxx", "amount": 1}', 422, "invalid_parameters"),
        (b'{"price_id": "prc_xxxxxxxxxxxxxxxxxxxx", "quantity": 0}', 422, "invalid_parameters"),
        (b'{"price_id": "prc_xxxxxxxxxxxxxxxxxxxx", "quantity": -1}', 422, "invalid_parameters"),
        (b'{"price_id": "prc_xxxxxxxxxxxxxxxxxxxx", "quantity": "1"}', 422, "invalid_parameters"),
        (b'{"price_id": "prc_xxxxxxxxxxxxxxxxxxxx", "quantity": 1.5}', 422, "invalid_parameters"),
        (b'{"price_id": "prc_xxxxxxxxxxxxxxxxxxxx", "quantity": 1e300}', 422, "invalid_parameters"),
        (b'{"price_id": "prc_xxxxxxxxxxxxxxxxxxxx", "quantity": true}', 422, "invalid_parameters"),
        (b'{"price_id": "prc_xxxxxxxxxxxxxxxxxxxx", "email": "nobody"}', 400, "invalid_input"),
        (b'{"price_id": "prc_xxxxxxxxxxxxxxxxxxxx"}', 404, "not_on_sale"),
    ],
)
def test_a_body_that_cannot_be_taken_is_refused_in_words(
    client: FlaskClient, body: bytes, status: int, code: str
) -> None:
    answer = client.post(SESSIONS, data=body, content_type="application/json")

    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.content_type == "application/problem+json"
    assert len(answer.json["detail"]) > 10
    assert db.session.query(Order).count() == 0


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_read_as_json(client: FlaskClient, content_type: str) -> None:
    answer = client.post(SESSIONS, data=json.dumps({"price_id": PRICE}), content_type=content_type)

    assert answer.status_code in {400, 415}
    assert db.session.query(Order).count() == 0


@pytest.mark.parametrize("key", ["", "x" * 300, "a b", "ä"])
def test_an_idempotency_key_must_be_plain(client: FlaskClient, key: str) -> None:
    answer = client.post(SESSIONS, json={"price_id": PRICE}, headers={"Idempotency-Key": key})

    assert (answer.status_code, answer.json["field"]) == (422, "Idempotency-Key")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/v1/courses", 405),
        ("GET", SESSIONS, 405),
        ("GET", "/api/v1/nope", 404),
        ("GET", "/api/v1/courses/", 404),
    ],
)
def test_other_methods_and_addresses_are_problems_too(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method)

    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


def test_too_many_sessions_are_stopped(client: FlaskClient) -> None:
    answers = [client.post(SESSIONS, json={"price_id": PRICE}).status_code for _ in range(121)]

    assert set(answers[:120]) == {404}
    assert answers[120] == 429


def test_no_operation_for_staff_is_described(client: FlaskClient) -> None:
    document: dict[str, Any] = client.get("/api/openapi.json").json

    assert document["openapi"] == "3.1.0"
    assert sorted(document["paths"]) == [
        "/api/v1/checkout-sessions", "/api/v1/courses", "/api/v1/courses/{slug}", "/api/v1/key", "/api/v1/posts",
        "/api/v1/posts/{slug}",
    ]  # fmt: skip


def test_the_docs_page_shows_a_call_for_every_operation(app: Flask, client: FlaskClient) -> None:
    page = client.get("/api/docs")

    assert page.status_code == 200
    for path in ("/api/v1/courses", "/api/v1/courses/SLUG", "/api/v1/posts", "/api/v1/posts/SLUG", SESSIONS):
        assert f"curl http://localhost{path}" in page.text
    assert "price_id" in page.text
