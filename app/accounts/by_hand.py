"""What the person who runs the shop does to accounts on the command line: making, listing and looking at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import current_app
from sqlalchemy import select

from app import clock
from app.accounts.emails import normalize_email
from app.accounts.models import Role, SignInLink, User, user_roles
from app.accounts.services import find_user_by_email, insert_user
from app.accounts.sign_in_links import LINK_PATH, PURPOSE
from app.audit import AuditEntry
from app.config import Settings
from app.db import db, make_public_id, retry_conflicts, transaction
from app.errors import NotFound
from app.signing import sign_link

# Longer than a mailed link: it is handed on by a person.
LINK_LIFETIME = timedelta(hours=24)
PAGE_SIZE = 500
NEWEST_ENTRIES = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountRecord:
    """An account and the newest entries about it in the audit log, newest first."""

    user: User
    entries: tuple[AuditEntry, ...]


@retry_conflicts
def create_user_with_link(*, email: str, name: str, role_names: Sequence[str]) -> tuple[User, str]:
    """Make an account without a password, and a link that signs in once within 24 hours; both or neither.

    The address counts as confirmed: whoever runs the shop vouches for it. The link opens the account: show it to that
    person only. Raises EmailTaken, InvalidInput (address), NotFound (role).
    """
    address = normalize_email(email)
    moment = clock.now()
    with transaction() as session:
        user = insert_user(
            session, email=address, name=name, password_hash=None, role_names=role_names, is_confirmed=True
        )
        link = SignInLink(
            user_id=user.id, public_id=make_public_id("sil"), created_at=moment, expires_at=moment + LINK_LIFETIME
        )
        session.add(link)
    settings: Settings = current_app.config["SETTINGS"]
    return user, settings.public_url + LINK_PATH.format(token=sign_link(PURPOSE, link.public_id))


def get_user_by_email(email: str) -> User:
    """The account of an address in any spelling, as it is now, roles too. Raises NotFound."""
    user = find_user_by_email(email)
    if user is None:
        raise NotFound("There is no account with this email address.", field="email")
    # Roles are written past the session, which may hold the account as it was before.
    db.session().refresh(user)
    return user


def get_account_record(email: str) -> AccountRecord:
    """An account with what was last done to it. Raises NotFound."""
    user = get_user_by_email(email)
    entries = db.session().scalars(
        select(AuditEntry)
        .where(AuditEntry.subject_type == "user", AuditEntry.subject_id == user.public_id)
        .order_by(AuditEntry.id.desc())
        .limit(NEWEST_ENTRIES)
    )
    return AccountRecord(user=user, entries=tuple(entries))


def list_users(*, role_name: str | None = None, after: int = 0, limit: int = PAGE_SIZE) -> list[User]:
    """A page of accounts in the order they were made; after is the id of the last one seen. Raises NotFound (role)."""
    statement = select(User).where(User.id > after).order_by(User.id).limit(limit)
    if role_name is not None:
        role_id = db.session().scalar(select(Role.id).where(Role.name == role_name))
        if role_id is None:
            raise NotFound(f"There is no role named {role_name}.", field="role")
        statement = statement.join(user_roles, user_roles.c.user_id == User.id).where(user_roles.c.role_id == role_id)
    return list(db.session().scalars(statement))
