"""One-time sign-in links by mail: 15 minutes, one use, decided by one conditional UPDATE."""

from datetime import timedelta

from sqlalchemy import func, select, update

from app import clock
from app.accounts.emails import normalize_email
from app.accounts.mails import write_and_forget
from app.accounts.models import SignInLink, User
from app.accounts.services import prove_address
from app.db import db, make_public_id, retry_conflicts, transaction
from app.mail.services import queue_message
from app.signing import LinkExpired, LinkInvalid, read_link

LINK_LIFETIME = timedelta(minutes=15)
LINK_MINUTES = 15
LINKS_PER_HOUR = 5
PURPOSE = "sign-in"
LINK_PATH = "/account/link/{token}"
# Past its 15 minutes the row decides; the signature may live longer, so that "expired" can be told from "forged".
LONGEST_LIFE_SECONDS = 30 * 24 * 3600


@retry_conflicts
def request_sign_in_link(*, email: str, next_path: str = "") -> None:
    """Mail a sign-in link where there is an account; no sign of whether there is one. Raises InvalidInput (address)."""
    address = normalize_email(email)
    moment = clock.now()
    with transaction() as session:
        user = session.scalar(select(User).where(User.email == address).with_for_update())
        if user is None or not user.active or _count_links(user.id) >= LINKS_PER_HOUR:
            write_and_forget(to_address=address)
            return
        link = SignInLink(
            user_id=user.id, public_id=make_public_id("sil"), next_path=next_path[:500], created_at=moment,
            expires_at=moment + LINK_LIFETIME,
        )  # fmt: skip
        session.add(link)
        url = {"path": LINK_PATH, "purpose": PURPOSE, "value": link.public_id}
        queue_message(
            key=f"sign-in-link:{link.public_id}", template="sign_in_link", to_address=user.email,
            data={"link_url": url, "minutes": LINK_MINUTES},
        )  # fmt: skip


def find_sign_in_link(*, token: str) -> User:
    """Whom a link would sign in. Raises LinkExpired (also when it was used), LinkInvalid."""
    public_id = read_link(PURPOSE, token, max_age_seconds=LONGEST_LIFE_SECONDS)
    user = db.session.scalar(
        select(User)
        .join(SignInLink, SignInLink.user_id == User.id)
        .where(SignInLink.public_id == str(public_id), SignInLink.used_at.is_(None))
        .where(SignInLink.expires_at > clock.now(), User.active.is_(True))
    )
    if user is None:
        raise LinkExpired
    return user


@retry_conflicts
def use_sign_in_link(*, token: str) -> tuple[User, str]:
    """Consume a link and give its user and next path: once, whoever else tries at the same moment.

    It proves the address: an account never confirmed loses the password and sessions set up before (attack A42).
    Raises LinkExpired (used, replaced or over), LinkInvalid.
    """
    public_id = read_link(PURPOSE, token, max_age_seconds=LONGEST_LIFE_SECONDS)
    moment = clock.now()
    with transaction() as session:
        used = session.execute(
            update(SignInLink)
            .where(SignInLink.public_id == str(public_id), SignInLink.used_at.is_(None))
            .where(SignInLink.expires_at > moment)
            .values(used_at=moment)
            .returning(SignInLink.user_id, SignInLink.next_path)
        ).one_or_none()
        if used is None:
            raise LinkExpired
        user = session.scalars(
            select(User).where(User.id == used.user_id).with_for_update().execution_options(populate_existing=True)
        ).one()
        if not user.active:
            raise LinkInvalid
        prove_address(session, user)
        # The others that were mailed meanwhile are of no use any more.
        session.execute(
            update(SignInLink).where(SignInLink.user_id == user.id, SignInLink.used_at.is_(None)).values(used_at=moment)
        )
        return user, used.next_path


def _count_links(user_id: int) -> int:
    query = select(func.count(SignInLink.id)).where(
        SignInLink.user_id == user_id, SignInLink.created_at > clock.now() - timedelta(hours=1)
    )
    return db.session.scalar(query) or 0
