"""Who is staff: one role each, given and taken by an owner. There is always an owner left."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.emails import normalize_email
from app.accounts.models import Role, SignInLink, User, UserSession, user_roles
from app.accounts.permissions import ROLES
from app.accounts.services import add_user, forget_credentials
from app.accounts.sign_in_links import LINK_PATH, PURPOSE
from app.audit import record_audit
from app.db import db, make_public_id, retry_conflicts, transaction
from app.errors import AppError, InvalidInput, NotFound
from app.mail.services import queue_message

STAFF_ROLES = tuple(name for name, permissions in ROLES.items() if permissions)
OWNER = "owner"
INVITATION_DAYS = 3


class LastOwner(AppError):
    """The change would leave the shop without an owner."""

    code = "last_owner"
    status = 409
    title = "The shop needs an owner"
    sentence = "This is the only owner. Make somebody else an owner first."


@dataclass(frozen=True, kw_only=True, slots=True)
class StaffMember:
    """A person who may open the back-office. last_seen_at: their newest sign-in (UTC), None before the first."""

    public_id: str
    name: str
    email: str
    role: str
    is_active: bool
    last_seen_at: datetime | None


def list_staff() -> list[StaffMember]:
    """Everybody with a role of the back-office, owners first, then by name."""
    last_seen = select(func.max(UserSession.created_at)).where(UserSession.user_id == User.id).scalar_subquery()
    rows = db.session().execute(
        select(User, Role.name, last_seen)
        .join(user_roles, user_roles.c.user_id == User.id)
        .join(Role, Role.id == user_roles.c.role_id)
        .where(Role.name.in_(STAFF_ROLES))
    )
    highest: dict[int, StaffMember] = {}
    for user, role, seen_at in rows:
        if user.id not in highest or _rank(role) > _rank(highest[user.id].role):
            highest[user.id] = StaffMember(
                public_id=user.public_id, name=user.name, email=user.email, role=role, is_active=user.active,
                last_seen_at=seen_at,
            )  # fmt: skip
    return sorted(highest.values(), key=lambda each: (-_rank(each.role), each.name.casefold(), each.email))


def get_staff_member(public_id: str) -> StaffMember:
    """One of list_staff(). Raises NotFound."""
    for member in list_staff():
        if member.public_id == public_id:
            return member
    raise NotFound


@retry_conflicts
def invite_staff(*, email: str, name: str, role_name: str) -> StaffMember:
    """Make somebody staff, with a new account where the address has none, and mail them a link that signs in once.

    Safe to repeat: the role is the same, one more link goes out. Raises InvalidInput (address, role).
    """
    address = normalize_email(email)
    _check_role(role_name)
    moment = clock.now()
    with transaction() as session:
        add_user(session, email=address, name=name, password_hash=None, is_confirmed=False)
        user = session.scalars(select(User).where(User.email == address).with_for_update()).one()
        if user.confirmed_at is None:
            # Whoever set it up has not proved the address: what they know must not open the back-office (A42).
            forget_credentials(session, user)
        _replace_role(session, user, role_name)
        link = SignInLink(
            user_id=user.id, public_id=make_public_id("sil"), next_path="/admin", created_at=moment,
            expires_at=moment + timedelta(days=INVITATION_DAYS),
        )  # fmt: skip
        session.add(link)
        queue_message(
            key=f"staff-invited:{link.public_id}",
            template="staff_invited",
            to_address=address,
            data={
                "link_url": {"path": LINK_PATH, "purpose": PURPOSE, "value": link.public_id},
                "role": role_name,
                "days": INVITATION_DAYS,
            },
        )
        public_id = user.public_id
    return get_staff_member(public_id)


@retry_conflicts
def change_staff_role(*, public_id: str, role_name: str) -> None:
    """Give a member of staff another role; it counts from their next request on. Raises LastOwner, NotFound."""
    _check_role(role_name)
    with transaction() as session:
        _replace_role(session, _lock(session, public_id), role_name)


@retry_conflicts
def remove_staff(*, public_id: str) -> None:
    """Close the back-office to somebody; their account and courses stay. Raises LastOwner, NotFound."""
    with transaction() as session:
        _replace_role(session, _lock(session, public_id), None)


def _replace_role(session: Session, user: User, role_name: str | None) -> None:
    """One role of the back-office instead of what was there. Whoever changes owners waits for whoever does so too."""
    owner_id = session.scalars(select(Role.id).where(Role.name == OWNER).with_for_update()).one()
    role_ids = {row.name: row.id for row in session.execute(select(Role.name, Role.id))}
    held = user_roles.c.user_id == user.id
    before = sorted(
        session.scalars(
            select(Role.name)
            .join(user_roles, user_roles.c.role_id == Role.id)
            .where(held, Role.name.in_(STAFF_ROLES))
        )
    )  # fmt: skip
    after = [role_name] if role_name else []
    if before == after:
        return
    if OWNER in before and role_name != OWNER:
        others = select(func.count()).select_from(user_roles).join(User, User.id == user_roles.c.user_id)
        if not session.scalar(others.where(user_roles.c.role_id == owner_id, User.active.is_(True), ~held)):
            raise LastOwner
    staff_ids = [role_ids[name] for name in STAFF_ROLES]
    session.execute(delete(user_roles).where(held, user_roles.c.role_id.in_(staff_ids)))
    if role_name:
        session.execute(insert(user_roles).values(user_id=user.id, role_id=role_ids[role_name]))
    record_audit(
        action="user.role_changed", subject_type="user", subject_id=user.public_id,
        before={"roles": before}, after={"roles": after},
    )  # fmt: skip


def _lock(session: Session, public_id: str) -> User:
    user = session.scalar(select(User).where(User.public_id == public_id).with_for_update())
    if user is None:
        raise NotFound
    return user


def _check_role(role_name: str) -> None:
    if role_name not in STAFF_ROLES:
        raise InvalidInput("Choose one of the roles.", field="role")


def _rank(role_name: str) -> int:
    return STAFF_ROLES.index(role_name)
