"""API keys in the browser: shown once, only the hash kept, revoked for good."""

import re

from flask import Flask
from sqlalchemy import select

from app.accounts.api_keys import create_api_key, find_key_holder, revoke_api_key
from app.accounts.models import ApiKey
from app.accounts.services import deactivate_user, remove_role
from app.db import db
from tests.admin.staff import Staff

SECRET = re.compile(r"tuition_[\w-]{43}")


def test_a_key_is_shown_once_and_stored_as_a_hash(app: Flask) -> None:
    owner = Staff(app, "owner")

    answer = owner.send("/admin/api-keys/new", {"name": "Export script", "scopes": ["orders:read", "reports:read"]})

    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    [secret] = set(SECRET.findall(answer.text))
    key = db.session.scalars(select(ApiKey)).one()
    assert secret not in f"{key.key_hash}{key.name}{key.public_id}"
    assert SECRET.search(owner.get("/admin/api-keys").text) is None
    holder = find_key_holder(secret)
    assert holder is not None
    assert (holder.user.email, holder.permissions) == ("owner@example.org", {"orders:read", "reports:read"})


def test_a_key_needs_a_name_and_a_scope_that_exists(app: Flask) -> None:
    owner = Staff(app, "owner")

    answer = owner.send("/admin/api-keys/new", {"name": " ", "scopes": ["everything"]})

    assert answer.status_code == 422
    assert "Fix 2 things to make the key" in answer.text
    assert db.session.scalars(select(ApiKey)).all() == []


def test_a_revoked_key_opens_nothing(app: Flask) -> None:
    owner = Staff(app, "owner")
    key, secret = create_api_key(user_id=owner.user.id, name="Old", scopes=["orders:read"])

    assert "Revoke “Old”?" in owner.get(f"/admin/api-keys/{key.public_id}/revoke").text
    owner.send(f"/admin/api-keys/{key.public_id}/revoke")

    assert find_key_holder(secret) is None
    assert revoke_api_key(public_id=key.public_id).revoked_at is not None


def test_a_key_never_may_more_than_its_person_may_now(app: Flask) -> None:
    owner = Staff(app, "owner")
    _, secret = create_api_key(user_id=owner.user.id, name="Script", scopes=["orders:read"])

    remove_role(user_id=owner.user.id, role_name="owner")
    holder = find_key_holder(secret)
    assert holder is not None
    assert holder.permissions == frozenset()
    deactivate_user(user_id=owner.user.id)

    assert find_key_holder(secret) is None
