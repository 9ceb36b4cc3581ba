"""Calls with an API key."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.accounts.api_keys import create_api_key, revoke_api_key
from app.accounts.models import ApiKey
from app.accounts.services import grant_role
from app.audit import SYSTEM, current_actor
from app.db import db
from tests.accounts.people import make_person
from tests.conftest import MovableClock


@pytest.fixture
def secret(app: Flask) -> str:
    person = make_person("script@example.org")
    grant_role(user_id=person.id, role_name="support")
    return create_api_key(user_id=person.id, name="Nightly", scopes=["orders:read", "content:write"])[1]


def call(client: FlaskClient, header: str | None, path: str = "/api/v1/key") -> tuple[int, dict[str, object]]:
    answer = client.get(path, headers={"Authorization": header} if header is not None else {})
    return answer.status_code, answer.get_json()


def read_key() -> ApiKey:
    db.session.remove()
    return db.session.scalars(select(ApiKey)).one()


def test_a_key_tells_what_it_may_do_now(client: FlaskClient, secret: str) -> None:
    status, body = call(client, f"Bearer {secret}")

    assert status == 200
    assert body == {"id": read_key().public_id, "name": "Nightly", "permissions": ["orders:read"]}
    assert current_actor() == SYSTEM


def test_the_last_use_is_kept_to_the_minute(client: FlaskClient, secret: str, moving_clock: MovableClock) -> None:
    moving_clock.freeze(clock.now())
    call(client, f"Bearer {secret}")
    first = read_key().last_used_at

    moving_clock.advance(seconds=59)
    call(client, f"bearer  {secret}")
    assert read_key().last_used_at == first
    moving_clock.advance(seconds=1)
    call(client, f"Bearer {secret}", "/api/v1/courses")

    assert first is not None
    assert read_key().last_used_at == first + timedelta(minutes=1)


@pytest.mark.parametrize("header", ["Bearer tuition_wrong", "Basic YTpi", "Bearer", "Bearer é", "x" * 5000])
@pytest.mark.parametrize("path", ["/api/v1/key", "/api/v1/courses"])
def test_a_wrong_key_is_refused_even_where_none_is_needed(
    client: FlaskClient, secret: str, header: str, path: str
) -> None:
    status, body = call(client, header, path)

    assert (status, body["code"]) == (401, "key_refused")


def test_without_a_key_visitors_read_and_the_key_page_asks_for_one(client: FlaskClient, secret: str) -> None:
    assert call(client, None, "/api/v1/courses")[0] == 200
    assert call(client, None)[0] == 401


def test_a_revoked_key_is_refused(client: FlaskClient, secret: str) -> None:
    revoke_api_key(public_id=read_key().public_id)

    assert call(client, f"Bearer {secret}")[0] == 401
