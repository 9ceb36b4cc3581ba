"""One order for the back-office's page: everything that is known, in values. Only reads, and only from the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import current_app
from sqlalchemy import func, or_, select
from sqlalchemy.orm import selectinload

from app import clock
from app.accounts.models import User
from app.blog.models import Post
from app.catalog.models import Course, Lesson
from app.checkout.ledger import list_payments
from app.checkout.models import Finding, Gift, Order, StripeFee, TouchPoint
from app.checkout.numbers import format_order_number
from app.checkout.receipts import find_code_name
from app.checkout.refund_plans import OrderSeat, list_order_seats
from app.checkout.refunds import list_left, list_requests
from app.config import STRIPE_API_BASE, Settings
from app.db import db
from app.enrollment.models import Grant
from app.enrollment.seat_views import SeatState, list_seats
from app.enrollment.services import NO_PROGRESS, get_progress
from app.errors import NotFound
from app.newsletter.models import Subscriber
from app.payments.models import StripeEvent
from app.reports.order_lists import CHARGED
from app.reports.order_timelines import TimelineEvent, list_events
from app.reports.order_totals import OrderTotals, explain_totals

NEWSLETTER_WORDS = {"confirmed": "Subscribed", "pending": "Not confirmed yet", "unsubscribed": "Unsubscribed"}
ACCESS_WORDS = {"open": ("Has access", "ok"), "paused": ("Access paused", "warn"), "waiting": ("Not taken yet", "info"),
                "closed": ("No access", "hollow")}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class PageItem:
    """A line of the order; amounts in minor units of the order's currency."""

    line: int
    title: str
    quantity: int
    unit_amount: int
    subtotal_amount: int
    course_slug: str
    course_public_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PageSeat:
    """A seat with who sits there; times UTC. done and total are lessons, of all its courses."""

    number: int
    public_id: str
    title: str
    holder: str
    state: SeatState
    has_access: bool
    done: int
    total: int
    can_resend: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PageCustomer:
    """Who bought; the sums are over all paid orders of the account or address, by currency.

    user_public_id is the account that bought, for a guest the one of the same address, "" for neither.
    """

    name: str
    email: str
    user_public_id: str
    since: datetime | None
    order_count: int
    paid_amounts: tuple[tuple[str, int], ...]
    newsletter: str
    gift_to: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PagePayment:
    """Stripe's ids, as (word, id); stripe_url is "" in the sandbox and for orders without a payment."""

    method: str
    ids: tuple[tuple[str, str], ...]
    stripe_url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PageTouch:
    """A post that led to the order, or the campaign that a link named."""

    title: str
    slug: str
    place: str
    campaign: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PageFinding:
    """Something that a person should look at."""

    key: str
    detail: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderPage:
    """The order as its page shows it."""

    id: int
    public_id: str
    number: str
    state: str
    purpose: str
    email: str
    currency: str
    created_at: datetime
    failure_reason: str
    has_invoice: bool
    is_free: bool
    left_amount: int
    access_word: str
    access_kind: str
    items: tuple[PageItem, ...]
    totals: OrderTotals
    seats: tuple[PageSeat, ...]
    customer: PageCustomer
    payment: PagePayment
    touches: tuple[PageTouch, ...]
    findings: tuple[PageFinding, ...]
    timeline: tuple[TimelineEvent, ...]

    @property
    def name(self) -> str:
        """What people call it: its number, or before it has one the start of its id."""
        return self.number or self.public_id


@dataclass(frozen=True, kw_only=True, slots=True)
class PageEvent:
    """A stored event of Stripe's about the order; payload is its JSON, "" once it was emptied."""

    id: str
    type: str
    state: str
    received_at: datetime
    payload: str
    error: str


def get_order_page(public_id: str) -> OrderPage:
    """Everything the page shows. Raises NotFound."""
    order = load_order(public_id)
    seats = list_order_seats(order)
    fees = db.session.scalars(select(StripeFee).where(StripeFee.order_id == order.id)).all()
    shown = _list_seats(order, seats)
    word, kind = ACCESS_WORDS[_name_access(shown)] if order.number is not None else ("No access", "hollow")
    return OrderPage(
        id=order.id,
        public_id=order.public_id,
        number=format_order_number(order.number),
        state=order.state,
        purpose=order.purpose,
        email=order.email or "",
        currency=order.currency,
        created_at=order.created_at,
        failure_reason=order.failure_reason or "",
        has_invoice=order.stripe_invoice_id is not None,
        is_free=order.number is not None and order.total_amount == 0,
        left_amount=sum(list_left(order, list_requests(order.id)).values()),
        access_word=word,
        access_kind=kind,
        items=tuple(_list_items(order)),
        totals=explain_totals(order, entries=order.entries, fees=fees, code=find_code_name(order)),
        seats=tuple(shown),
        customer=_describe_customer(order),
        payment=describe_payment(order),
        touches=tuple(_list_touches(order.id)),
        findings=tuple(_list_findings(order.id)),
        timeline=tuple(list_events(order, seats=seats)),
    )


def load_order(public_id: str) -> Order:
    """An order with its items, entries and attempts as they are now. Raises NotFound."""
    order = db.session.scalar(
        select(Order)
        .where(Order.public_id == public_id)
        .options(selectinload(Order.items), selectinload(Order.entries), selectinload(Order.attempts))
        .execution_options(populate_existing=True)
    )
    if order is None:
        raise NotFound("There is no such order.")
    return order


def list_stripe_ids(order: Order) -> list[str]:
    """Every object of Stripe's that is known to be the order's; its entries and attempts are loaded."""
    ids = {each.stripe_checkout_session_id for each in order.attempts} | {order.stripe_payment_intent_id}
    for entry in order.entries:
        ids |= {entry.stripe_object_id, entry.related_stripe_object_id}
    return sorted(each for each in ids if each is not None)


def list_stripe_events(public_id: str) -> list[PageEvent]:
    """Stripe's stored events about the order's objects, newest first. Raises NotFound."""
    rows = db.session.scalars(
        select(StripeEvent)
        .where(StripeEvent.object_id.in_(list_stripe_ids(load_order(public_id))))
        .order_by(StripeEvent.received_at.desc(), StripeEvent.id)
    )
    return [
        PageEvent(
            id=each.id, type=each.type, state=each.state, received_at=each.received_at, payload=each.payload,
            error=each.error or "",
        )
        for each in rows
    ]  # fmt: skip


def describe_payment(order: Order) -> PagePayment:
    """How it was paid, under which ids of Stripe's, and where its dashboard shows it."""
    settings: Settings = current_app.config["SETTINGS"]
    charges = [each.stripe_object_id for each in list_payments(order.entries)]
    ids = [
        ("Intent", order.stripe_payment_intent_id),
        *(("Charge", each) for each in charges),
        *(("Session", each.stripe_checkout_session_id) for each in order.attempts),
        ("Customer", order.stripe_customer_id),
        ("Invoice", order.stripe_invoice_id),
    ]
    is_at_stripe = settings.stripe_api_base == STRIPE_API_BASE and order.stripe_payment_intent_id is not None
    mode = "" if order.livemode else "test/"
    return PagePayment(
        method=order.payment_method_label,
        ids=tuple((word, value) for word, value in ids if value),
        stripe_url=f"https://dashboard.stripe.com/{mode}payments/{order.stripe_payment_intent_id}"
        if is_at_stripe
        else "",
    )


def _list_items(order: Order) -> list[PageItem]:
    first = {item.id: item.courses[0]["course_id"] if item.courses else 0 for item in order.items}
    courses = {
        row.id: row
        for row in db.session.execute(
            select(Course.id, Course.slug, Course.public_id).where(Course.id.in_(first.values()))
        )
    }
    items = []
    for line, item in enumerate(order.items, start=1):
        course = courses.get(first[item.id])
        items.append(
            PageItem(
                line=line, title=item.title, quantity=item.quantity, unit_amount=item.unit_amount,
                subtotal_amount=item.subtotal_amount, course_slug=course.slug if course is not None else "",
                course_public_id=course.public_id if course is not None else "",
            )
        )  # fmt: skip
    return items


def _list_seats(order: Order, seats: Sequence[OrderSeat]) -> list[PageSeat]:
    views = {each.public_id: each for each in list_seats(order_item_ids=[item.id for item in order.items])}
    live = _list_live_pairs([each.seat.id for each in seats])
    course_ids = sorted({course["course_id"] for each in seats for course in each.seat.courses})
    lessons: dict[int, int] = dict(
        db.session.execute(
            select(Lesson.course_id, func.count())
            .where(Lesson.course_id.in_(course_ids), Lesson.deleted_at.is_(None))
            .group_by(Lesson.course_id)
        ).all()
    )
    shown = []
    for each in seats:
        seat, view = each.seat, views[each.seat.public_id]
        own = [course["course_id"] for course in seat.courses]
        progress = get_progress(user_id=seat.claimed_by_id, course_ids=own) if seat.claimed_by_id is not None else {}
        shown.append(
            PageSeat(
                number=each.number,
                public_id=seat.public_id,
                title=each.item.title,
                holder=each.holder,
                state=view.state,
                has_access=seat.id in live,
                done=sum(len(progress.get(course_id, NO_PROGRESS).done_lesson_ids) for course_id in own),
                total=sum(lessons.get(course_id, 0) for course_id in own),
                can_resend=view.state in {"invited", "expired"},
            )
        )
    return shown


def _list_live_pairs(seat_ids: Sequence[int]) -> set[int]:
    """The seats whose present holder may open a course through them now."""
    rows = db.session.scalars(
        select(Grant.seat_id).where(
            Grant.seat_id.in_(seat_ids),
            Grant.revoked_at.is_(None),
            Grant.suspended_at.is_(None),
            or_(Grant.expires_at.is_(None), Grant.expires_at > clock.now()),
        )
    )
    return {each for each in rows if each is not None}


def _name_access(seats: Sequence[PageSeat]) -> str:
    if any(each.has_access for each in seats):
        return "open"
    states = {each.state for each in seats}
    if "suspended" in states:
        return "paused"
    return "waiting" if states & {"free", "invited", "expired", "scheduled"} else "closed"


def _describe_customer(order: Order) -> PageCustomer:
    user = db.session.get(User, order.user_id) if order.user_id is not None else None
    whose = [Order.user_id == order.user_id] if order.user_id is not None else []
    whose += [Order.email == order.email] if order.email is not None else []
    rows = (
        db.session.execute(
            select(Order.currency, func.count(), func.sum(CHARGED))
            .where(or_(*whose), Order.number.is_not(None))
            .group_by(Order.currency)
            .order_by(Order.currency)
        ).all()
        if whose
        else []
    )
    status = db.session.scalar(select(Subscriber.status).where(Subscriber.email == order.email))
    gift = db.session.get(Gift, order.id)
    return PageCustomer(
        name=order.customer_name or (user.name if user is not None else ""),
        email=order.email or "",
        user_public_id=user.public_id if user is not None else _find_account(order.email),
        since=user.created_at if user is not None else None,
        order_count=sum(count for _, count, _ in rows),
        paid_amounts=tuple((currency, int(amount or 0)) for currency, _, amount in rows),
        newsletter=NEWSLETTER_WORDS.get(status or "", "Not subscribed"),
        gift_to=gift.recipient_email if gift is not None else "",
    )


def _find_account(email: str | None) -> str:
    """The account of a guest's address, which has the purchase once it proves the address; "" for none."""
    return db.session.scalar(select(User.public_id).where(User.email == email)) or "" if email is not None else ""


def _list_touches(order_id: int) -> list[PageTouch]:
    rows = db.session.execute(
        select(TouchPoint, Post.title, Post.slug)
        .outerjoin(Post, Post.id == TouchPoint.post_id)
        .where(TouchPoint.order_id == order_id)
        .order_by(TouchPoint.position, TouchPoint.id)
    ).all()
    return [
        PageTouch(
            title=title or "",
            slug=slug or "",
            place=touch.place,
            campaign=", ".join(f"{name.removeprefix('utm_')}: {value}" for name, value in sorted(touch.utm.items())),
            at=touch.touched_at,
        )
        for touch, title, slug in rows
    ]


def _list_findings(order_id: int) -> list[PageFinding]:
    rows = db.session.scalars(
        select(Finding).where(Finding.order_id == order_id, Finding.resolved_at.is_(None)).order_by(Finding.id)
    )
    return [PageFinding(key=each.key, detail=each.detail, at=each.created_at) for each in rows]
