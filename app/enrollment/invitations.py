"""What an owner does with a team's seats: invite, send again, take back, give to somebody else.

Whose seats they are is the caller's to know: every function takes the order item it may touch, and a seat of another
one does not exist for it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import select, update

from app import clock
from app.accounts.models import User
from app.db import db, retry_conflicts, transaction
from app.enrollment.models import Enrollment, Grant, LessonProgress, Seat
from app.enrollment.seat_mails import (
    CLAIM_LIFETIME,
    Occasion,
    cancel_invitation_mails,
    may_mail,
    queue_invitation,
    queue_seat_lost,
)
from app.enrollment.seats import SeatClosed
from app.errors import AppError, NotFound

log = structlog.get_logger()

RESEND_PAUSE = timedelta(minutes=10)
# Each of them was a mail to somebody: a seat that changed hands this often is a way to send mail (attack A79).
MOST_INVITATIONS = 20


class NotInvited(AppError):
    """Nobody is invited to this seat, or somebody sits on it: the page was old."""

    code = "not_invited"
    status = 409
    title = "This seat has changed"
    sentence = "Somebody has joined or the invitation is gone already. Look at the list again."


class SentRecently(AppError):
    """The same mail went out a moment ago."""

    code = "sent_recently"
    status = 429
    title = "That mail is on its way"
    sentence = "It went out less than 10 minutes ago. Look into the spam folder, then try again."


class NotSentYet(AppError):
    """A gift's day has not come."""

    code = "not_sent_yet"
    status = 409
    title = "Not on its way yet"
    sentence = "The mail goes out on its day. Change the day to send it sooner."


class MailboxRests(AppError):
    """This address had its share of invitations today, whoever sent them."""

    code = "mailbox_rests"
    status = 429
    title = "That address had several mails today"
    sentence = "We don’t send more than five invitations a day to one address. Try again tomorrow."


class SeatUsed(AppError):
    """A lesson was opened: the seat is this learner's for good."""

    code = "seat_used"
    status = 409
    title = "This seat has been used"
    sentence = "The learner has opened a lesson, so the seat stays theirs. Buy another one for somebody else."


class SeatWorn(AppError):
    """The seat changed hands too often."""

    code = "seat_worn"
    status = 409
    title = "This seat was passed on very often"
    sentence = f"A seat can be passed on {MOST_INVITATIONS} times. Write to us and we’ll help."


class AddressHasSeat(AppError):
    """One person, one seat of an order."""

    code = "address_has_seat"
    status = 409
    title = "This address has a seat already"
    sentence = "It’s invited or sits on a seat of this order already."


@dataclass(frozen=True, kw_only=True, slots=True)
class InviteReport:
    """What became of each address, in the order given."""

    invited: tuple[str, ...]
    already: tuple[str, ...]  # invited before, or sitting on a seat
    unseated: tuple[str, ...]  # no seat was left
    resting: tuple[str, ...]  # had its share of mails today


@retry_conflicts
def invite_addresses(*, order_item_id: int, addresses: Sequence[str], occasion: Occasion) -> InviteReport:
    """Give free seats to the addresses (normalized), as many as there are, and queue their mails.

    An address that has a seat of the item gets no second one, so the same list twice invites nobody twice.
    """
    outcome: dict[str, list[str]] = {"invited": [], "already": [], "unseated": [], "resting": []}
    with transaction():
        lock_item(order_item_id)
        seated = list_addresses(order_item_id)
        for address in addresses:
            if address in seated:
                outcome["already"].append(address)
            elif not may_mail(address):
                outcome["resting"].append(address)
            elif (seat_id := reserve_seat(order_item_id=order_item_id, email=address)) is None:
                outcome["unseated"].append(address)
            else:
                queue_invitation(seat_id=seat_id, occasion=occasion)
                seated.add(address)
                outcome["invited"].append(address)
    log.info("seats_invited", order_item=order_item_id, **{name: len(each) for name, each in outcome.items()})
    return InviteReport(**{name: tuple(each) for name, each in outcome.items()})


@retry_conflicts
def resend_invitation(*, order_item_id: int, seat_public_id: str, occasion: Occasion) -> str:
    """Send the invitation once more, with 30 more days, at most every 10 minutes; returns the address.

    Links sent before stay good for their own 30 days. Raises NotFound, NotInvited, SeatClosed, SentRecently,
    NotSentYet, MailboxRests.
    """
    with transaction():
        return send_invitation_again(order_item_id=order_item_id, seat_public_id=seat_public_id, occasion=occasion)


def send_invitation_again(*, order_item_id: int, seat_public_id: str, occasion: Occasion) -> str:
    """As resend_invitation(), as a step of a larger use case: inside its transaction()."""
    return _send_again(_get_seat(order_item_id, seat_public_id), occasion)


@retry_conflicts
def free_seat(
    *, order_item_id: int, seat_public_id: str, titles: tuple[str, ...], owner_emails: Collection[str]
) -> None:
    """Take a seat back: an invitation nobody followed, or a seat whose learner has opened no lesson since.

    The links that are out die, a learner who is not the owner is told. Any number of calls; raises NotFound,
    SeatUsed, SeatClosed, SeatWorn.
    """
    with transaction():
        lock_item(order_item_id)
        _free(_get_seat(order_item_id, seat_public_id), titles=titles, owner_emails=owner_emails)


@retry_conflicts
def reassign_seat(
    *, order_item_id: int, seat_public_id: str, email: str, occasion: Occasion, owner_emails: Collection[str]
) -> None:
    """Take a seat back and invite somebody else to it, in one step; the same address again changes nothing.

    email is normalized. Raises what free_seat() raises, AddressHasSeat and MailboxRests: nothing has changed then.
    """
    with transaction():
        lock_item(order_item_id)
        seat = _get_seat(order_item_id, seat_public_id)
        if seat.status == "active" and _is_theirs(seat, email):
            return
        _free(seat, titles=occasion.titles, owner_emails=owner_emails)
        if email in list_addresses(order_item_id):
            raise AddressHasSeat(field="email")
        if not may_mail(email):
            raise MailboxRests(field="email")
        invite(seat.id, email)
        queue_invitation(seat_id=seat.id, occasion=occasion)


def lock_item(order_item_id: int) -> None:
    """Let one change at a time touch who sits where: holds the item's first seat until the transaction ends."""
    db.session.execute(
        select(Seat.id).where(Seat.order_item_id == order_item_id).order_by(Seat.position).limit(1).with_for_update()
    )


def list_addresses(order_item_id: int) -> set[str]:
    """Who is invited to the item's seats, and the accounts that sit on them."""
    rows = db.session.execute(
        select(Seat.invited_email, User.email)
        .outerjoin(User, User.id == Seat.claimed_by_id)
        .where(Seat.order_item_id == order_item_id)
    )
    return {address for row in rows for address in row if address is not None}


def reserve_seat(*, order_item_id: int, email: str) -> int | None:
    """Invite an address to the first free seat of the item; None when there is none. Inside transaction()."""
    free = db.session.scalars(
        select(Seat.id)
        .where(Seat.order_item_id == order_item_id, Seat.status == "active")
        .where(Seat.claimed_by_id.is_(None), Seat.invited_email.is_(None))
        .order_by(Seat.position)
    )
    return next((seat_id for seat_id in list(free) if invite(seat_id, email)), None)


def invite(seat_id: int, email: str) -> bool:
    """Write an address on a seat if it is still free: the conditional update decides. Inside transaction()."""
    moment = clock.now()
    invited = db.session.execute(
        update(Seat)
        .where(Seat.id == seat_id, Seat.status == "active")
        .where(Seat.claimed_by_id.is_(None), Seat.invited_email.is_(None))
        .values(invited_email=email, invited_at=moment, claim_expires_at=moment + CLAIM_LIFETIME)
        .returning(Seat.id)
    ).scalar_one_or_none()
    return invited is not None


def was_opened(*, user_id: int, seat: Seat) -> bool:
    """Whether the learner has opened or finished a lesson of the seat's courses since they took it.

    Holds their enrollments until the transaction ends: a lesson that is being opened now comes before or after.
    """
    course_ids = [each["course_id"] for each in seat.courses]
    enrollments = db.session.scalars(
        select(Enrollment)
        .where(Enrollment.user_id == user_id, Enrollment.course_id.in_(course_ids))
        .order_by(Enrollment.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    since = seat.claimed_at or seat.created_at
    if any(each.last_opened_at is not None and each.last_opened_at >= since for each in enrollments):
        return True
    done = select(LessonProgress.lesson_id).where(
        LessonProgress.enrollment_id.in_([each.id for each in enrollments]), LessonProgress.completed_at >= since
    )
    return db.session.execute(done.limit(1)).first() is not None


def _is_theirs(seat: Seat, email: str) -> bool:
    """Whether the address is invited to this very seat. Raises AddressHasSeat when its account sits there."""
    if seat.claimed_by_id is None:
        return seat.invited_email == email
    if db.session.get_one(User, seat.claimed_by_id).email == email:
        raise AddressHasSeat(field="email")
    return False


def _free(seat: Seat, *, titles: tuple[str, ...], owner_emails: Collection[str]) -> None:
    if seat.status != "active":
        raise SeatClosed
    if seat.claimed_by_id is None and seat.invited_email is None:
        return
    if seat.claim_version >= MOST_INVITATIONS:
        raise SeatWorn
    holder = db.session.get(User, seat.claimed_by_id) if seat.claimed_by_id is not None else None
    if holder is not None:
        if was_opened(user_id=holder.id, seat=seat):
            raise SeatUsed
        db.session.execute(
            update(Grant).where(Grant.seat_id == seat.id, Grant.user_id == holder.id).values(revoked_at=clock.now())
        )
    cancel_invitation_mails(seat)
    seat.claimed_by_id = seat.claimed_at = seat.claim_expires_at = None
    seat.invited_email = seat.invited_at = None
    # Every link that is out carries the old number.
    seat.claim_version += 1
    db.session.flush()
    if holder is not None and holder.email not in owner_emails:
        queue_seat_lost(seat_id=seat.id, to_address=holder.email, titles=titles, cause="reassigned")
    log.info("seat_freed", seat=seat.public_id, had_learner=holder is not None)


def _send_again(seat: Seat, occasion: Occasion) -> str:
    if seat.invited_email is None or seat.claimed_by_id is not None:
        raise NotInvited
    if seat.status != "active":
        raise SeatClosed
    moment = clock.now()
    if seat.claim_expires_at is not None and seat.claim_expires_at > moment + CLAIM_LIFETIME:
        raise NotSentYet
    if seat.claim_expires_at is not None and seat.claim_expires_at > moment + CLAIM_LIFETIME - RESEND_PAUSE:
        raise SentRecently
    if not may_mail(seat.invited_email):
        raise MailboxRests
    queue_invitation(seat_id=seat.id, occasion=occasion, again=moment.strftime("%Y%m%d%H%M%S"))
    return seat.invited_email


def _get_seat(order_item_id: int, public_id: str) -> Seat:
    """A seat of this item, held until the transaction ends. Raises NotFound."""
    seat = db.session.scalars(
        select(Seat)
        .where(Seat.order_item_id == order_item_id, Seat.public_id == public_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if seat is None:
        raise NotFound
    return seat
