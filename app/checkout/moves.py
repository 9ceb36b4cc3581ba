"""A purchase moves to another address: promised by staff, taken by whoever opens the link mailed there, undone in time.

Until the new address has proved itself nothing changes hands. Then the order, the buyer's own seats and their links do,
in one transaction; seats that the buyer gave to others stay theirs.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import User
from app.accounts.services import ensure_confirmed_user
from app.audit import record_audit
from app.checkout.models import Order, OrderItem
from app.checkout.move_models import OrderMove
from app.checkout.numbers import format_order_number
from app.checkout.receipts import queue_receipt
from app.checkout.seat_orders import find_occasion
from app.checkout.settle import lock_order
from app.db import db, make_public_id, retry_conflicts, transaction
from app.enrollment.invitations import AddressHasSeat, list_addresses
from app.enrollment.models import Seat
from app.enrollment.seat_handover import give_seat, take_seat
from app.enrollment.seat_mails import queue_invitation
from app.errors import AppError, InvalidInput, NotFound
from app.formatting import mask_email
from app.mail.services import cancel_messages, queue_message
from app.signing import LinkExpired, LinkInvalid, read_link

log = structlog.get_logger()

MOVE_PURPOSE = "order-move"
LINK_DAYS = 14
UNDO_DAYS = 7
LINK_SECONDS = LINK_DAYS * 24 * 60 * 60
MOVABLE_STATES = ("paid", "partially_refunded")


class MoveRefused(AppError):
    """The order cannot go to another address now."""

    code = "move_refused"
    status = 409
    title = "This order can’t be moved now"
    sentence = "Only a paid order moves, and not while its payment is refunded or disputed."


class MoveWaiting(MoveRefused):
    """Another move of the order has not ended."""

    code = "move_waiting"
    title = "This order is being moved already"
    sentence = "A link is out to another address. Take that move back first."


class MoveOver(AppError):
    """The move was taken back, is done, or too old to be undone."""

    code = "move_over"
    status = 409
    title = "This move has ended"
    sentence = f"It was taken back already, or it is more than {UNDO_DAYS} days old. Begin a new one."


class MoveLinkEnded(LinkExpired):
    """The link was used, or staff took the move back."""

    code = "move_link_ended"
    sentence = "It was used, or taken back. Write to us if the purchase should still come to this address."


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveView:
    """A move as staff see it; times UTC. undo_until is None where there is nothing left to undo."""

    public_id: str
    status: str
    to_email: str
    proof: str
    created_at: datetime
    undo_until: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveOffer:
    """What the mailed link is about: for the page that asks before it takes the purchase over."""

    order_number: str
    titles: tuple[str, ...]
    to_email: str


@retry_conflicts
def request_move(*, order_public_id: str, to_email: str, proof: str, user_id: int | None) -> str:
    """Promise the order to an address (normalized) and mail it the link; gives the move's public id.

    proof is how staff know that the asker bought it; it stays in the audit log. Raises NotFound, InvalidInput (field),
    MoveRefused, MoveWaiting, AddressHasSeat (field): nothing has changed then.
    """
    if not proof.strip():
        raise InvalidInput("Say how you know that the order is theirs: it is kept with the order.", field="proof")
    with transaction() as session:
        order = _lock(order_public_id)
        if order.number is None or order.state not in MOVABLE_STATES:
            raise MoveRefused
        if to_email == order.email:
            raise InvalidInput("The order belongs to this address already.", field="to_email")
        if _find_waiting(order.id) is not None:
            raise MoveWaiting
        if order.purpose != "gift" and any(to_email in list_addresses(item.id) for item in order.items):
            raise AddressHasSeat("This address sits on a seat of this order already, or is invited.", field="to_email")
        move = OrderMove(
            public_id=make_public_id("mov"), order_id=order.id, status="waiting", to_email=to_email,
            proof=proof.strip()[:1000], requested_by_id=user_id, created_at=clock.now(), before={},
        )  # fmt: skip
        session.add(move)
        queue_message(
            key=f"move:{move.public_id}:{order.public_id}",
            template="order_move",
            to_address=to_email,
            data={
                "order_number": format_order_number(order.number),
                "titles": [item.title for item in order.items],
                "days": LINK_DAYS,
                "move_url": {"path": "/orders/move/{token}", "purpose": MOVE_PURPOSE, "value": move.public_id},
            },
        )
        record_audit(
            action="order.move_requested", subject_type="order", subject_id=order.public_id,
            before={"email": order.email}, after={"to": to_email}, reason=move.proof,
        )  # fmt: skip
        log.info("order_move_requested", order=order.public_id)
        return move.public_id


@retry_conflicts
def take_back_move(*, order_public_id: str, move_public_id: str) -> str:
    """Withdraw a move whose link was not used, or undo one within seven days; gives its status after it.

    Raises NotFound, MoveOver. Of two at once one does it and the other hears MoveOver.
    """
    with transaction() as session:
        order = _lock(order_public_id)
        move = session.scalar(
            select(OrderMove)
            .where(OrderMove.public_id == move_public_id, OrderMove.order_id == order.id)
            .execution_options(populate_existing=True)
        )
        if move is None:
            raise NotFound
        if _end(move, before="waiting", status="withdrawn"):
            cancel_messages(key_prefix=f"move:{move.public_id}:")
            _audit(order, "order.move_withdrawn", before={"to": move.to_email}, after=None)
        elif _undo_until(move) is not None and move.id == _find_last_id(order.id):
            if order.state not in MOVABLE_STATES:
                raise MoveRefused
            _end(move, before="moved", status="undone")
            _undo(session, order, move)
        else:
            raise MoveOver
        return move.status


@retry_conflicts
def confirm_move(token: str) -> User:
    """Take the purchase over: the link proves the address it was mailed to, whose account is made if need be.

    The former holder's access, claim links and order links end in the same moment. Raises LinkInvalid, LinkExpired,
    MoveLinkEnded on the second use or after staff took it back, MoveRefused when the money went back meanwhile.
    """
    known = _find_by_link(token)
    with transaction() as session:
        order = lock_order(known.order_id)
        move = session.get_one(OrderMove, known.id, populate_existing=True)
        if order.state not in MOVABLE_STATES:
            raise MoveRefused
        if not _end(move, before="waiting", status="moved"):
            raise MoveLinkEnded
        user = ensure_confirmed_user(session, email=move.to_email, name="")
        if not user.active:
            raise MoveRefused("The account of this address is closed. Write to us.")
        former = order.email
        move.before = {
            "email": former,
            "user_id": order.user_id,
            "buyer_key": order.buyer_key,
            "seats": [_move_seat(seat, user, move.to_email) for seat in _list_own_seats(session, order)],
        }
        _hand_over(session, order, email=move.to_email, user_id=user.id, buyer_key=f"user:{user.id}")
        _audit(order, "order.moved", before={"email": former}, after={"to": move.to_email})
        _tell(order, move, to_address=former, to=move.to_email)
        queue_receipt(order, again=move.public_id)
        log.info("order_moved", order=order.public_id)
        return user


def get_move_offer(token: str) -> MoveOffer:
    """What the link is about. Raises LinkInvalid, LinkExpired, MoveLinkEnded."""
    move = _find_by_link(token)
    titles = db.session.scalars(
        select(OrderItem.title).where(OrderItem.order_id == move.order_id).order_by(OrderItem.id)
    ).all()
    number = db.session.scalar(select(Order.number).where(Order.id == move.order_id))
    return MoveOffer(order_number=format_order_number(number), titles=tuple(titles), to_email=move.to_email)


def list_moves(*, order_id: int) -> list[MoveView]:
    """The moves of an order, newest first; only the newest can still be taken back."""
    moves = db.session.scalars(
        select(OrderMove)
        .where(OrderMove.order_id == order_id)
        .order_by(OrderMove.id.desc())
        .execution_options(populate_existing=True)
    ).all()
    return [
        MoveView(
            public_id=move.public_id, status=move.status, to_email=move.to_email, proof=move.proof,
            created_at=move.created_at, undo_until=_undo_until(move) if place == 0 else None,
        )
        for place, move in enumerate(moves)
    ]  # fmt: skip


def _lock(order_public_id: str) -> Order:
    order_id = db.session.scalar(select(Order.id).where(Order.public_id == order_public_id))
    if order_id is None:
        raise NotFound("There is no such order.")
    return lock_order(order_id)


def _find_by_link(token: str) -> OrderMove:
    value = read_link(MOVE_PURPOSE, token, max_age_seconds=LINK_SECONDS)
    move = db.session.scalar(
        select(OrderMove).where(OrderMove.public_id == str(value)).execution_options(populate_existing=True)
    )
    if move is None:
        raise LinkInvalid
    if move.status != "waiting":
        raise MoveLinkEnded
    return move


def _find_waiting(order_id: int) -> int | None:
    return db.session.scalar(select(OrderMove.id).where(OrderMove.order_id == order_id, OrderMove.status == "waiting"))


def _find_last_id(order_id: int) -> int | None:
    return db.session.scalar(
        select(OrderMove.id).where(OrderMove.order_id == order_id).order_by(OrderMove.id.desc()).limit(1)
    )


def _undo_until(move: OrderMove) -> datetime | None:
    """Until when it can be taken back: a link's own life while it waits; None when there is nothing to take back."""
    if move.status == "waiting":
        return move.created_at + timedelta(days=LINK_DAYS)
    if move.status != "moved" or move.moved_at is None:
        return None
    until = move.moved_at + timedelta(days=UNDO_DAYS)
    return until if until > clock.now() else None


def _end(move: OrderMove, *, before: str, status: str) -> bool:
    """Let the move change its status, if it still has the one it had: the conditional update decides."""
    moment = clock.now()
    times = {"moved_at": moment} if status == "moved" else {"ended_at": moment}
    ended = db.session.execute(
        update(OrderMove)
        .where(OrderMove.id == move.id, OrderMove.status == before)
        .values(status=status, **times)
        .returning(OrderMove.id)
    ).scalar_one_or_none()
    db.session.refresh(move)
    return ended is not None


def _list_own_seats(session: Session, order: Order) -> list[Seat]:
    """The seats that are the buyer's own: theirs by account or invited by the order's address. A gift's is not."""
    whose = [Seat.invited_email == order.email] if order.email is not None else []
    whose += [Seat.claimed_by_id == order.user_id] if order.user_id is not None else []
    if order.purpose == "gift" or not whose:
        return []
    return list(
        session.scalars(
            select(Seat)
            .where(Seat.order_item_id.in_([item.id for item in order.items]), Seat.status == "active", or_(*whose))
            .order_by(Seat.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )


def _move_seat(seat: Seat, user: User, email: str) -> dict[str, Any]:
    former = take_seat(seat)
    give_seat(seat, user_id=user.id, email=email, ends=former["ends"])
    return {**former, "version": seat.claim_version}


def _hand_over(session: Session, order: Order, *, email: str, user_id: int | None, buyer_key: str) -> None:
    order.email, order.user_id, order.buyer_key = email, user_id, buyer_key
    # Mailed links of the order's pages carry the old number; browsers that began it lose it as well.
    order.link_version += 1
    session.flush()


def _undo(session: Session, order: Order, move: OrderMove) -> None:
    """Back to whom it was; a seat that was given on since stays where it is."""
    former = move.before
    _hand_over(session, order, email=former["email"], user_id=former["user_id"], buyer_key=former["buyer_key"])
    for each in former["seats"]:
        seat = session.scalars(
            select(Seat).where(Seat.id == each["seat_id"]).with_for_update().execution_options(populate_existing=True)
        ).one()
        if seat.claim_version != each["version"] or seat.status != "active":
            continue
        take_seat(seat)
        give_seat(seat, user_id=each["user_id"], email=each["email"], ends=each["ends"])
        if each["user_id"] is None and each["email"] is not None:
            occasion = find_occasion(order_item_id=seat.order_item_id, email=each["email"])
            queue_invitation(seat_id=seat.id, occasion=occasion)
    _audit(order, "order.move_undone", before={"email": move.to_email}, after={"to": former["email"]})
    _tell(order, move, to_address=move.to_email, to=former["email"])
    queue_receipt(order, again=f"{move.public_id}:undone")
    log.info("order_move_undone", order=order.public_id)


def _tell(order: Order, move: OrderMove, *, to_address: str | None, to: str | None) -> None:
    """Write to whoever has lost the purchase, so that nobody loses one unheard; the other address is masked."""
    if to_address is not None:
        queue_message(
            key=f"moved:{move.public_id}:{move.status}:{order.public_id}",
            template="order_moved",
            to_address=to_address,
            data={
                "order_number": format_order_number(order.number),
                "titles": [item.title for item in order.items],
                "to_masked": mask_email(to or ""),
                "days": UNDO_DAYS,
                "is_undone": move.status == "undone",
            },
        )


def _audit(order: Order, action: str, *, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
    record_audit(action=action, subject_type="order", subject_id=order.public_id, before=before, after=after)
