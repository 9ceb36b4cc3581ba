"""API keys: a secret for scripts that stands for a person. Only its hash is stored, so it can be shown once.

A key may do what its scopes name and its person still may: a role taken away counts for the keys too.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update

from app import clock
from app.accounts.models import ApiKey, User
from app.accounts.permissions import ALL, list_permissions
from app.audit import record_audit
from app.db import db, make_public_id, retry_conflicts, transaction
from app.errors import InvalidInput, NotFound

PREFIX = "tuition_"
LONGEST_KEY_NAME = 80
# "Last used" to the minute: a busy script must not write its key's row with every call.
SEEN_STEP = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyHolder:
    """What a key opens: the key's public id, its person, and the permissions that count now."""

    key_public_id: str
    name: str
    user: User
    permissions: frozenset[str]


@retry_conflicts
def create_api_key(*, user_id: int, name: str, scopes: Sequence[str]) -> tuple[ApiKey, str]:
    """A new key and its secret, which nobody can read again. Raises InvalidInput (name, scopes).

    Not safe to call twice: each call makes a key of its own.
    """
    cleaned = " ".join(name.split())
    if not cleaned or len(cleaned) > LONGEST_KEY_NAME:
        raise InvalidInput("Name the script that will use the key.", field="name")
    if not scopes or not set(scopes) <= set(ALL):
        raise InvalidInput("Choose what the key may do.", field="scopes")
    secret = PREFIX + secrets.token_urlsafe(32)
    with transaction() as session:
        key = ApiKey(
            public_id=make_public_id("key"), user_id=user_id, name=cleaned, key_hash=_hash(secret),
            scopes=sorted(set(scopes)), created_at=clock.now(),
        )  # fmt: skip
        session.add(key)
        record_audit(
            action="api_key.created", subject_type="api_key", subject_id=key.public_id,
            after={"name": cleaned, "scopes": key.scopes},
        )  # fmt: skip
    return key, secret


@retry_conflicts
def revoke_api_key(*, public_id: str) -> ApiKey:
    """Let a key open nothing any more, from the next call on. Repeating it changes nothing. Raises NotFound."""
    with transaction() as session:
        key = session.scalar(select(ApiKey).where(ApiKey.public_id == public_id).with_for_update())
        if key is None:
            raise NotFound
        if key.revoked_at is None:
            key.revoked_at = clock.now()
            record_audit(
                action="api_key.revoked", subject_type="api_key", subject_id=key.public_id, before={"name": key.name}
            )
        return key


def list_api_keys() -> list[tuple[ApiKey, User]]:
    """Every key with its person: those in use first, the newest of each first."""
    rows = db.session().execute(
        select(ApiKey, User)
        .join(User, User.id == ApiKey.user_id)
        .order_by(ApiKey.revoked_at.is_not(None), ApiKey.id.desc())
    )
    return [(key, user) for key, user in rows]


def get_api_key(public_id: str) -> ApiKey:
    """One key. Raises NotFound."""
    key = db.session().scalar(select(ApiKey).where(ApiKey.public_id == public_id))
    if key is None:
        raise NotFound
    return key


def find_key_holder(secret: str) -> KeyHolder | None:
    """Whose key this is, and what it may do now; None for a key that is unknown, revoked, or of a closed account."""
    row = db.session().execute(
        select(ApiKey, User)
        .join(User, User.id == ApiKey.user_id)
        .where(ApiKey.key_hash == _hash(secret), ApiKey.revoked_at.is_(None), User.active.is_(True))
        .execution_options(populate_existing=True)
    ).one_or_none()  # fmt: skip
    if row is None:
        return None
    key, user = row
    return KeyHolder(
        key_public_id=key.public_id, name=key.name, user=user,
        permissions=list_permissions(user.roles) & frozenset(key.scopes),
    )  # fmt: skip


@retry_conflicts
def note_key_use(*, public_id: str) -> None:
    """Remember that the key was used just now, to the minute."""
    moment = clock.now()
    key = get_api_key(public_id)
    if key.last_used_at is not None and moment - key.last_used_at < SEEN_STEP:
        return
    with transaction() as session:
        session.execute(update(ApiKey).where(ApiKey.public_id == public_id).values(last_used_at=moment))


def _hash(secret: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess from.
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
