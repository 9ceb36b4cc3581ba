"""One-time sign-in links by mail: 15 minutes, one use, decided by one conditional UPDATE."""

from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app import clock
from app.accounts.emails import normalize_email
from app.accounts.mails import write_and_forget
from app.accounts.models import SignInLink, User
from app.accounts.services import prove_address
from app.audit import record_audit
from app.db import db, make_public_id, retry_conflicts, transaction
from app.errors import AppError, NotFound
from app.mail.services import queue_message
from app.signing import LinkExpired, LinkInvalid, read_link

LINK_LIFETIME = timedelta(minutes=15)
LINK_MINUTES = 15
LINKS_PER_HOUR = 5
PURPOSE = "sign-in"
LINK_PATH = "/account/link/{token}"
# Past its 15 minutes the row decides; the signature may live longer, so that "expired" can be told from "forged".
LONGEST_LIFE_SECONDS = 30 * 24 * 3600


class AccountClosed(AppError):
    """Nobody signs in to the account."""

    code = "account_closed"
    status = 409
    title = "The account is closed"
    sentence = "The account is closed, so no link would open it. Open the account first."


class LinksUsedUp(AppError):
    """As many links as an hour has went out."""

    code = "links_used_up"
    status = 429
    title = "They have enough links"
    sentence = f"{LINKS_PER_HOUR} links went out within this hour. Ask them to look in the spam folder, or try later."


@retry_conflicts
def request_sign_in_link(*, email: str, next_path: str = "") -> None:
    """Mail a sign-in link where there is an account; no sign of whether there is one. Raises InvalidInput (address)."""
    address = normalize_email(email)
    with transaction() as session:
        user = session.scalar(select(User).where(User.email == address).with_for_update())
        if user is None or not user.active or _count_links(user.id) >= LINKS_PER_HOUR:
            write_and_forget(to_address=address)
            return
        _queue_link(session, user, next_path=next_path)


@retry_conflicts
def send_sign_in_link_for_staff(*, user_public_id: str) -> str:
    """Mail a sign-in link because staff ask for it, and note it; gives the address.

    Raises NotFound, AccountClosed, LinksUsedUp: the person's links and these count together.
    """
    with transaction() as session:
        user = session.scalar(select(User).where(User.public_id == user_public_id).with_for_update())
        if user is None:
            raise NotFound
        if not user.active:
            raise AccountClosed
        if _count_links(user.id) >= LINKS_PER_HOUR:
            raise LinksUsedUp
        _queue_link(session, user, next_path="")
        record_audit(
            action="user.sign_in_link_sent", subject_type="user", subject_id=user.public_id,
            after={"email": user.email},
        )  # fmt: skip
        return user.email


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


def _queue_link(session: Session, user: User, *, next_path: str) -> None:
    moment = clock.now()
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


def _count_links(user_id: int) -> int:
    query = select(func.count(SignInLink.id)).where(
        SignInLink.user_id == user_id, SignInLink.created_at > clock.now() - timedelta(hours=1)
    )
    return db.session.scalar(query) or 0
