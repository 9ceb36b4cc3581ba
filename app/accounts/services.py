"""People: finding, making, joining and proving accounts. Passwords, links and sessions have files of their own."""

import secrets
from collections.abc import Sequence

import structlog
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from app import clock
from app.accounts.emails import normalize_email
from app.accounts.models import ApiKey, Role, SignInLink, User, user_roles
from app.accounts.passwords import check_password, hash_password
from app.accounts.revocation import end_sessions
from app.audit import record_audit
from app.db import db, insert_once, make_public_id, retry_conflicts, transaction
from app.errors import InvalidInput, NotFound

LONGEST_NAME = 120
FIRST_ROLE = "learner"

log = structlog.get_logger()


class EmailTaken(InvalidInput):
    """An account with this address is there already."""

    code = "email_taken"
    status = 409
    sentence = "An account with this email address exists already."


def find_user_by_email(email: str) -> User | None:
    """The account of an address in any spelling; None for text that is no address."""
    try:
        address = normalize_email(email)
    except InvalidInput:
        return None
    return db.session.scalar(select(User).where(User.email == address))


@retry_conflicts
def create_user(*, email: str, name: str, password: str | None, role_names: Sequence[str], is_confirmed: bool) -> User:
    """Make an account by hand (command line, admin) and note it in the audit log.

    Raises EmailTaken, PasswordRefused, InvalidInput (address), NotFound (role).
    """
    address = normalize_email(email)
    password_hash = None
    if password is not None:
        check_password(password, email=address)
        password_hash = hash_password(password)
    with transaction() as session:
        return insert_user(
            session, email=address, name=name, password_hash=password_hash, role_names=role_names,
            is_confirmed=is_confirmed,
        )  # fmt: skip


def insert_user(
    session: Session, *, email: str, name: str, password_hash: str | None, role_names: Sequence[str], is_confirmed: bool
) -> User:
    """create_user() for callers inside transaction(), with a normalized address. Raises EmailTaken, NotFound (role)."""
    user_id = add_user(session, email=email, name=name, password_hash=password_hash, is_confirmed=is_confirmed)
    if user_id is None:
        raise EmailTaken(field="email")
    for role_name in role_names:
        _give_role(session, user_id=user_id, role_name=role_name)
    user = session.get_one(User, user_id)
    record_audit(
        action="user.created", subject_type="user", subject_id=user.public_id,
        after={"roles": sorted({FIRST_ROLE, *role_names})},
    )  # fmt: skip
    return user


@retry_conflicts
def get_or_create_confirmed_user(*, email: str, name: str) -> User:
    """The account of an address whose mailed link was just opened; made on first use, the same one ever after.

    An account that was never confirmed loses its password and sessions: they may be a stranger's (attack A42).
    """
    with transaction() as session:
        return ensure_confirmed_user(session, email=email, name=name)


def ensure_confirmed_user(session: Session, *, email: str, name: str) -> User:
    """get_or_create_confirmed_user() for callers with a transaction open. Raises InvalidInput for a bad address."""
    address = normalize_email(email)
    add_user(session, email=address, name=name, password_hash=None, is_confirmed=True)
    user = session.scalars(select(User).where(User.email == address).with_for_update()).one()
    if not user.name:
        user.name = clean_name(name)
    prove_address(session, user)
    return user


def proved_email(user: User) -> str | None:
    """The user's address once they have proved it is theirs; None before: what it paid for is not theirs to see yet."""
    return user.email if user.confirmed_at is not None else None


def prove_address(session: Session, user: User) -> None:
    """Confirm the address because a mailed link was opened, and drop everything set up before that proof (A42)."""
    if user.confirmed_at is not None:
        return
    user.confirmed_at = clock.now()
    forget_credentials(session, user)
    log.info("address_proved", user=user.public_id)


def forget_credentials(session: Session, user: User) -> None:
    """Drop the password and everything that is signed in with it, in the caller's transaction."""
    user.password = None
    user.fs_uniquifier = make_uniquifier()
    end_access(session, user_id=user.id)


def end_access(session: Session, *, user_id: int) -> None:
    """End sessions, unused sign-in links and API keys, in the caller's transaction."""
    moment = clock.now()
    end_sessions(session, user_id=user_id)
    session.execute(
        update(SignInLink).where(SignInLink.user_id == user_id, SignInLink.used_at.is_(None)).values(used_at=moment)
    )
    session.execute(
        update(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None)).values(revoked_at=moment)
    )


@retry_conflicts
def rename_user(*, user_id: int, name: str) -> None:
    """Change the name shown on receipts. Raises InvalidInput when it is empty or too long."""
    cleaned = clean_name(name)
    if not cleaned:
        raise InvalidInput("Enter your name.", field="name")
    with transaction() as session:
        session.execute(update(User).where(User.id == user_id).values(name=cleaned))


@retry_conflicts
def grant_role(*, user_id: int, role_name: str) -> None:
    """Give a role; it counts from the next request on. Repeating it changes nothing. Raises NotFound."""
    with transaction() as session:
        user = _get_for_update(session, user_id)
        if _give_role(session, user_id=user_id, role_name=role_name):
            _record_roles(user, before=None, after={"role": role_name})


@retry_conflicts
def remove_role(*, user_id: int, role_name: str) -> None:
    """Take a role away; it counts from the next request on. Repeating it changes nothing. Raises NotFound."""
    with transaction() as session:
        user = _get_for_update(session, user_id)
        role_id = _get_role_id(session, role_name)
        removed = session.execute(
            delete(user_roles)
            .where(user_roles.c.user_id == user_id, user_roles.c.role_id == role_id)
            .returning(user_roles.c.role_id)
        ).all()
        if removed:
            _record_roles(user, before={"role": role_name}, after=None)


@retry_conflicts
def deactivate_user(*, user_id: int, reason: str = "") -> None:
    """Close the account's door at once: no sign-in, no session, no API key. What was bought stays on record."""
    with transaction() as session:
        user = _get_for_update(session, user_id)
        if not user.active:
            return
        user.active = False
        end_access(session, user_id=user_id)
        record_audit(
            action="user.deactivated", subject_type="user",
            subject_id=user.public_id, before={"active": True}, after={"active": False}, reason=reason,
        )  # fmt: skip


def add_user(session: Session, *, email: str, name: str, password_hash: str | None, is_confirmed: bool) -> int | None:
    """Insert an account with the learner's role; None when the (normalized) address is taken. The database decides."""
    moment = clock.now()
    values = {
        "public_id": make_public_id("usr"),
        "email": email,
        "name": clean_name(name),
        "password": password_hash,
        "active": True,
        "fs_uniquifier": make_uniquifier(),
        "confirmed_at": moment if is_confirmed else None,
        "created_at": moment,
    }
    user_id = insert_once(User, values, unique=["email"])
    if user_id is None:
        return None
    _give_role(session, user_id=int(user_id), role_name=FIRST_ROLE)
    return int(user_id)


def make_uniquifier() -> str:
    """What a cookie names its user by; replaced whenever all old cookies must die."""
    return secrets.token_hex(32)


def clean_name(name: str) -> str:
    """One line, single spaces, bounded."""
    return " ".join(name.split())[:LONGEST_NAME]


def _give_role(session: Session, *, user_id: int, role_name: str) -> bool:
    role_id = _get_role_id(session, role_name)
    # The user's row is ours in this transaction, so nobody inserts the same pair between look and insert.
    session.execute(select(User.id).where(User.id == user_id).with_for_update())
    has_it = select(user_roles.c.role_id).where(user_roles.c.user_id == user_id, user_roles.c.role_id == role_id)
    if session.execute(has_it).first() is not None:
        return False
    session.execute(insert(user_roles).values(user_id=user_id, role_id=role_id))
    return True


def _get_role_id(session: Session, role_name: str) -> int:
    role_id = session.scalar(select(Role.id).where(Role.name == role_name))
    if role_id is None:
        raise NotFound(f"There is no role named {role_name}.", field="role")
    return role_id


def _get_for_update(session: Session, user_id: int) -> User:
    user = session.scalar(select(User).where(User.id == user_id).with_for_update())
    if user is None:
        raise NotFound
    return user


def _record_roles(user: User, *, before: dict[str, str] | None, after: dict[str, str] | None) -> None:
    record_audit(
        action="user.role_changed", subject_type="user",
        subject_id=user.public_id, before=before, after=after,
    )  # fmt: skip
