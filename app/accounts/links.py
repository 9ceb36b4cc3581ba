"""What the signed links of this package carry: whose they are, what they are bound to, and when they end."""

import hashlib
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app import clock
from app.accounts.models import User
from app.db import db
from app.signing import LinkExpired, LinkInvalid, read_link

# The end is part of the value, by our own clock; this outer bound only keeps the signature from living for ever.
LONGEST_LIFE_SECONDS = 40 * 24 * 3600


def make_link(*, path: str, purpose: str, user: User, lifetime: timedelta, next_path: str = "") -> dict[str, Any]:
    """The data of a mailed link; it is signed when the mail is sent, so that no token lies in the database."""
    ends_at = int((clock.now() + lifetime).timestamp())
    return {"path": path, "purpose": purpose, "value": [user.public_id, binding(user), ends_at, next_path]}


def open_link(*, purpose: str, token: str) -> tuple[User, str]:
    """The user and next path of a link. Raises LinkExpired past its end or once what it was bound to has changed."""
    value = read_link(purpose, token, max_age_seconds=LONGEST_LIFE_SECONDS)
    try:
        public_id, bound_to, ends_at, next_path = value
    except (TypeError, ValueError) as error:
        raise LinkInvalid from error
    if clock.now().timestamp() >= ends_at:
        raise LinkExpired
    user = db.session.scalar(
        select(User).where(User.public_id == public_id, User.active.is_(True)).execution_options(populate_existing=True)
    )
    if user is None or binding(user) != bound_to:
        raise LinkExpired
    return user, next_path


def binding(user: User) -> str:
    """What a link is bound to: changes with every password that is set and every proof of the address."""
    return _digest(user.fs_uniquifier)


def fingerprint(user: User) -> str:
    """Stands for the very password that is stored now, and tells nothing about it."""
    return _digest(f"{user.fs_uniquifier}:{user.password}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
