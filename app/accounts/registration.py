"""Registering by oneself: the address is proved by a mailed link before the account opens."""

import secrets
from datetime import timedelta

from sqlalchemy import select

from app.accounts.emails import normalize_email
from app.accounts.links import binding, fingerprint, make_link, open_link
from app.accounts.mails import queue_capped, write_and_forget
from app.accounts.models import User
from app.accounts.passwords import check_password, hash_password
from app.accounts.services import add_user, clean_name, prove_address
from app.db import db, retry_conflicts, transaction
from app.signing import LinkExpired

CONFIRM_LIFETIME = timedelta(days=2)
CONFIRM_MAILS_PER_DAY = 5
KNOWN_MAILS_PER_DAY = 3
PURPOSE = "confirm-address"
CONFIRMED_ALREADY = "This address is confirmed already. Sign in."


def register_user(*, email: str, name: str, password: str, next_path: str = "") -> str:
    """Register an address, or mail its owner that it has an account; the answer is the same, also in time.

    Returns a proof for the registering browser to keep: confirm_address() keeps the password only with it, because
    whoever typed the password need not be who reads the mail (attack A42).
    Raises InvalidInput, PasswordRefused, TooBusy.
    """
    address = normalize_email(email)
    check_password(password, email=address)
    password_hash = hash_password(password)
    return _store_registration(address=address, name=name, password_hash=password_hash, next_path=next_path)


@retry_conflicts
def _store_registration(*, address: str, name: str, password_hash: str, next_path: str) -> str:
    with transaction() as session:
        user_id = add_user(session, email=address, name=name, password_hash=password_hash, is_confirmed=False)
        user = session.scalars(select(User).where(User.email == address).with_for_update()).one()
        if user.confirmed_at is not None or not user.active:
            queue_capped(
                key_prefix=f"address-known:{user.public_id}", template="address_known", to_address=address, data={},
                per_day=KNOWN_MAILS_PER_DAY,
            )  # fmt: skip
            return secrets.token_hex(16)
        if user_id is None:
            user.password = password_hash
            user.name = clean_name(name)
        _queue_confirmation(user, next_path=next_path)
        return fingerprint(user)


@retry_conflicts
def request_confirmation(*, email: str) -> None:
    """Mail the confirmation again where an account waits for it; no sign of whether there is one."""
    address = normalize_email(email)
    with transaction() as session:
        user = session.scalar(select(User).where(User.email == address).with_for_update())
        if user is None or user.confirmed_at is not None or not user.active:
            write_and_forget(to_address=address)
            return
        _queue_confirmation(user, next_path="")


def find_confirmation(*, token: str) -> User:
    """Whose address a confirmation link would confirm. Raises LinkExpired (also when it was used), LinkInvalid."""
    user, _ = open_link(purpose=PURPOSE, token=token)
    if user.confirmed_at is not None:
        raise LinkExpired(CONFIRMED_ALREADY)
    return user


@retry_conflicts
def confirm_address(*, token: str, browser_proof: str) -> tuple[User, str]:
    """Confirm the address of a link, once; returns the user, who may be signed in now, and the path to go on to.

    The password given at registration stays only when browser_proof is the one register_user() gave for it.
    Raises LinkExpired, LinkInvalid; of several uses at once one wins.
    """
    user, next_path = open_link(purpose=PURPOSE, token=token)
    user_id, bound_to = user.id, binding(user)
    with transaction() as session:
        user = session.scalars(
            select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
        ).one()
        if user.confirmed_at is not None or binding(user) != bound_to:
            raise LinkExpired(CONFIRMED_ALREADY)
        is_same_browser = secrets.compare_digest(browser_proof.encode(), fingerprint(user).encode())
        password_hash = user.password
        prove_address(session, user)
        user.password = password_hash if is_same_browser else None
        return user, next_path


def _queue_confirmation(user: User, *, next_path: str) -> None:
    db.session().flush()
    link = make_link(
        path="/account/confirm/{token}", purpose=PURPOSE, user=user, lifetime=CONFIRM_LIFETIME, next_path=next_path
    )
    queue_capped(
        key_prefix=f"confirm-address:{user.public_id}", template="confirm_address", to_address=user.email,
        data={"confirm_url": link}, per_day=CONFIRM_MAILS_PER_DAY,
    )  # fmt: skip
