"""Passwords in use: signing in, changing, resetting."""

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import clock
from app.accounts.emails import normalize_email
from app.accounts.links import make_link, open_link
from app.accounts.mails import queue_capped, write_and_forget
from app.accounts.models import SignInLink, User
from app.accounts.passwords import check_password, hash_password, is_password_of
from app.accounts.revocation import end_sessions
from app.accounts.services import find_user_by_email, make_uniquifier, prove_address
from app.db import make_public_id, retry_conflicts, transaction
from app.errors import AppError, InvalidInput
from app.mail.services import queue_message
from app.signing import LinkExpired

RESET_LIFETIME = timedelta(hours=1)
RESET_MAILS_PER_DAY = 5
PURPOSE = "reset-password"


class SignInFailed(AppError):
    """One answer for an unknown address, a wrong password, an unconfirmed and a closed account."""

    code = "sign_in_failed"
    status = 422
    title = "Sign-in didn’t work"
    sentence = (
        "That address and password don’t match an account. If you’ve just registered, open the link we mailed first."
    )


class PasswordWrong(InvalidInput):
    """The password typed to prove who is there does not fit."""

    code = "password_wrong"
    sentence = "That isn’t your password."


def check_credentials(*, email: str, password: str) -> User:
    """The user whom address and password open. Raises SignInFailed for every reason alike, after the same work."""
    user = find_user_by_email(email)
    is_right = is_password_of(password, user.password if user else None)
    if user is None or not is_right or not user.active or user.confirmed_at is None:
        raise SignInFailed(field="password")
    return user


def check_own_password(*, user: User, password: str) -> None:
    """Raises PasswordWrong; for the moment before something important."""
    if not is_password_of(password, user.password):
        raise PasswordWrong(field="password")


def change_password(*, user: User, old_password: str | None, new_password: str) -> User:
    """Replace the password and end every session, the caller's too: sign the person in again afterwards.

    A user without a password passes None, and the caller has made sure of a fresh sign-in.
    Raises PasswordWrong, PasswordRefused; LinkExpired when the password changed meanwhile.
    """
    if user.password is not None and not is_password_of(old_password or "", user.password):
        raise PasswordWrong(field="password")
    check_password(new_password, email=user.email)
    return _replace_password(user_id=user.id, uniquifier=user.fs_uniquifier, password_hash=hash_password(new_password))


@retry_conflicts
def request_password_reset(*, email: str) -> None:
    """Mail a link to choose a new password where there is an account; no sign of whether there is one."""
    address = normalize_email(email)
    with transaction() as session:
        user = session.scalar(select(User).where(User.email == address).with_for_update())
        if user is None or not user.active:
            write_and_forget(to_address=address)
            return
        link = make_link(path="/account/reset/{token}", purpose=PURPOSE, user=user, lifetime=RESET_LIFETIME)
        queue_capped(
            key_prefix=f"reset-password:{user.public_id}", template="reset_password", to_address=user.email,
            data={"reset_url": link}, per_day=RESET_MAILS_PER_DAY,
        )  # fmt: skip


def find_reset(*, token: str) -> User:
    """Whose password a link would reset. Raises LinkExpired (also when it was used), LinkInvalid."""
    user, _ = open_link(purpose=PURPOSE, token=token)
    return user


def reset_password(*, token: str, new_password: str) -> User:
    """Set a new password by a mailed link, once, and end every session.

    Raises PasswordRefused (the link stays good), LinkExpired, LinkInvalid; of several uses at once one wins.
    """
    user, _ = open_link(purpose=PURPOSE, token=token)
    check_password(new_password, email=user.email)
    return _replace_password(
        user_id=user.id, uniquifier=user.fs_uniquifier, password_hash=hash_password(new_password), proves_address=True
    )


@retry_conflicts
def _replace_password(*, user_id: int, uniquifier: str, password_hash: str, proves_address: bool = False) -> User:
    with transaction() as session:
        # The uniquifier changes with every password: of two at once the second finds another one and changes nothing.
        won = session.scalar(
            update(User)
            .where(User.id == user_id, User.fs_uniquifier == uniquifier, User.active.is_(True))
            .values(fs_uniquifier=make_uniquifier())
            .returning(User.id)
        )
        if won is None:
            raise LinkExpired
        user = session.scalars(select(User).where(User.id == user_id).execution_options(populate_existing=True)).one()
        if proves_address:
            prove_address(session, user)
        user.password = password_hash
        _end_sign_ins(session, user_id=user_id)
        queue_message(
            key=f"password-changed:{make_public_id('pwd')}", template="password_changed", to_address=user.email, data={}
        )
        return user


def _end_sign_ins(session: Session, *, user_id: int) -> None:
    end_sessions(session, user_id=user_id)
    session.execute(
        update(SignInLink)
        .where(SignInLink.user_id == user_id, SignInLink.used_at.is_(None))
        .values(used_at=clock.now())
    )
