"""What the seats of an order need to know of it: titles as they were sold, whose they are, and the gift they may be."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app import clock
from app.accounts.models import User
from app.catalog.services import list_current_prices
from app.checkout.choices import LATEST_GIFT
from app.checkout.models import Gift, Order, OrderItem
from app.checkout.numbers import format_order_number
from app.db import db, retry_conflicts, transaction
from app.enrollment.invitations import MOST_INVITATIONS, MailboxRests, NotInvited, SeatWorn
from app.enrollment.models import Seat
from app.enrollment.seat_mails import Occasion, cancel_invitation_mails, may_mail, queue_invitation
from app.enrollment.seat_views import SeatView, list_seats
from app.enrollment.seats import SeatClosed
from app.errors import InvalidInput, NotFound


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatItem:
    """An order item and how many of its seats were bought."""

    id: int
    title: str
    quantity: int
    product_id: int
    currency: str
    occasion: Occasion


@dataclass(frozen=True, kw_only=True, slots=True)
class GiftView:
    """A gift as its giver may see it; send_at UTC, None: it went out with the payment."""

    recipient_email: str
    recipient_name: str
    message: str
    send_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatOrder:
    """An order whose seats can be given out. owner_emails are the buyer's own addresses."""

    id: int
    number: str
    purpose: str
    state: str
    user_id: int | None
    owner_emails: frozenset[str]
    items: tuple[SeatItem, ...]
    gift: GiftView | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatSummary:
    """How many of an order's seats are where. Of a gift: its one seat."""

    purpose: str
    total: int
    free: int
    invited: int
    taken: int
    closed: int
    gift_seat: SeatView | None


def get_seat_order(*, order_id: int) -> SeatOrder:
    """The seats' side of an order that the asker was found to own. Raises NotFound while nothing was paid."""
    order = db.session.scalar(
        select(Order)
        .options(selectinload(Order.items))
        .where(Order.id == order_id, Order.number.is_not(None))
        .execution_options(populate_existing=True)
    )
    if order is None:
        raise NotFound
    gift = db.session.get(Gift, order.id, populate_existing=True)
    user = db.session.get(User, order.user_id) if order.user_id is not None else None
    return SeatOrder(
        id=order.id,
        number=format_order_number(order.number),
        purpose=order.purpose,
        state=order.state,
        user_id=order.user_id,
        owner_emails=frozenset(each for each in (order.email, user and user.email) if each),
        items=tuple(
            SeatItem(
                id=item.id,
                title=item.title,
                quantity=item.quantity,
                product_id=item.product_id,
                currency=item.currency,
                occasion=describe_occasion(order, item, gift, email=None),
            )
            for item in order.items
        ),
        gift=_show_gift(gift),
    )


def summarize_seats(*, order_ids: Sequence[int]) -> dict[int, SeatSummary]:
    """The seats of paid orders that have some to give out, by order id: team orders and gifts, no single seats."""
    rows = db.session.execute(
        select(Order.id, Order.purpose, OrderItem.id.label("item_id"))
        .join(OrderItem, OrderItem.order_id == Order.id)
        .where(Order.id.in_(order_ids), Order.number.is_not(None), Order.purpose != "self")
    ).all()
    owners = {row.item_id: row.id for row in rows}
    states: dict[int, list[SeatView]] = {row.id: [] for row in rows}
    for seat in list_seats(order_item_ids=list(owners)):
        states[owners[seat.order_item_id]].append(seat)
    return {row.id: _summarize(row.purpose, states[row.id]) for row in rows if states[row.id]}


def find_occasion(*, order_item_id: int, email: str) -> Occasion:
    """What the invitation of an address to one of this item's seats says. Raises NotFound."""
    item = db.session.get(OrderItem, order_item_id)
    if item is None:
        raise NotFound
    order = db.session.get_one(Order, item.order_id)
    return describe_occasion(order, item, db.session.get(Gift, order.id), email=email)


def describe_occasion(order: Order, item: OrderItem, gift: Gift | None, *, email: str | None) -> Occasion:
    """The words of a seat's mails; the giver's name is left out towards the buyer's own address."""
    titles = tuple(course["title"] for course in item.courses)
    number = format_order_number(order.number)
    if gift is not None:
        return Occasion(
            titles=titles,
            order_number=number,
            from_name=gift.giver_name,
            is_gift=True,
            recipient_name=gift.recipient_name,
            message=gift.message,
        )
    is_own = email is not None and email == order.email
    return Occasion(titles=titles, order_number=number, from_name="" if is_own else order.customer_name)


def find_price_for_more(item: SeatItem) -> str | None:
    """The public id of the price at which more seats are sold now, in the order's currency where there is one."""
    prices = list_current_prices(product_id=item.product_id)
    same = [price.price_id for price in prices if price.currency == item.currency]
    return next(iter([*same, *(price.price_id for price in prices)]), None)


@retry_conflicts
def change_gift(*, order_id: int, recipient_email: str, send_at: datetime | None) -> bool:
    """Correct whom a gift goes to (normalized) and when (UTC, None: now), until it is taken.

    A new address ends the old link and gets a mail of its own; a mail that waits for its day is moved. Calling it again
    with the same changes nothing and returns False. Raises NotFound, InvalidInput (field "gift_on"), NotInvited once
    the gift is taken, SeatClosed, SeatWorn, MailboxRests.
    """
    moment = clock.now()
    if send_at is not None and send_at > moment + LATEST_GIFT:
        raise InvalidInput("Choose a day within the next year.", field="gift_on")
    planned = send_at if send_at is not None and send_at > moment else None
    with transaction() as session:
        gift = session.get(Gift, order_id, with_for_update=True, populate_existing=True)
        seat = _get_gift_seat(order_id)
        if gift is None or seat is None:
            raise NotFound
        if seat.claimed_by_id is not None:
            raise NotInvited("The gift has been taken already, so nothing was changed.")
        if seat.status != "active":
            raise SeatClosed
        is_moved = recipient_email != gift.recipient_email
        if not is_moved and planned == gift.send_at:
            return False
        if is_moved and seat.claim_version >= MOST_INVITATIONS:
            raise SeatWorn
        cancel_invitation_mails(seat)
        if not may_mail(recipient_email):
            raise MailboxRests(field="recipient_email")
        gift.recipient_email, gift.send_at = recipient_email, planned
        if is_moved:
            seat.claim_version += 1
            seat.invited_email, seat.invited_at = recipient_email, moment
        session.flush()
        order = session.get_one(Order, order_id)
        item = session.get_one(OrderItem, seat.order_item_id)
        occasion = describe_occasion(order, item, gift, email=None)
        queue_invitation(
            seat_id=seat.id, occasion=occasion, again=moment.strftime("%Y%m%d%H%M%S%f"), send_after=planned
        )
        return True


def _get_gift_seat(order_id: int) -> Seat | None:
    return db.session.scalar(
        select(Seat)
        .where(Seat.order_item_id.in_(select(OrderItem.id).where(OrderItem.order_id == order_id)))
        .order_by(Seat.order_item_id, Seat.position)
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _show_gift(gift: Gift | None) -> GiftView | None:
    if gift is None:
        return None
    return GiftView(
        recipient_email=gift.recipient_email,
        recipient_name=gift.recipient_name,
        message=gift.message,
        send_at=gift.send_at,
    )


def _summarize(purpose: str, seats: Sequence[SeatView]) -> SeatSummary:
    def count(*states: str) -> int:
        return sum(seat.state in states for seat in seats)

    return SeatSummary(
        purpose=purpose,
        total=len(seats),
        free=count("free"),
        invited=count("invited", "expired", "scheduled"),
        taken=count("taken"),
        closed=count("suspended", "revoked"),
        gift_seat=seats[0] if purpose == "gift" else None,
    )
