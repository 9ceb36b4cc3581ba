"""What needs a person: findings about money, events and mails that were given up, payments and courses that wait."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CompoundSelect, Select, and_, func, or_, select

from app import clock
from app.accounts import permissions as p
from app.catalog.models import Course, Price, Product
from app.catalog.offers import OWN_PRODUCT
from app.catalog.price_rules import in_force
from app.checkout.models import Finding, Order, OrderItem
from app.checkout.numbers import format_order_number
from app.db import db
from app.formatting import money
from app.mail.models import Message
from app.payments.models import StripeEvent
from app.payments.overdue import PATIENCE
from app.reports.post_warnings import list_post_warnings, list_public_posts_to_check
from app.reports.webhook_health import judge_webhooks

WAITING = timedelta(hours=1)
# So many of a kind are named one by one; more would bury the rest.
MOST_NAMED = 5
# What a finding is about, by its kind.
FINDING_TITLES = {
    "amount_mismatch": "Stripe charged something else than was ordered",
    "code_over_limit": "A code was used more often than its limit",
    "late_payment": "Money came after the last seat had gone",
    "oversold": "One seat more was sold than there is",
    "refund_refused": "A refund was refused",
    "second_payment": "An order was paid twice",
    "withdrawal": "A buyer withdrew from the contract",
    "unknown_order": "Stripe names an order that is not here",
    "unreadable": "An order cannot be compared with Stripe",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Attention:
    """One thing to look at: what it is, why it matters, since when (UTC), and the permission to see it.

    kind: "webhooks", "events", "finding", "order", "course", "post" or "mails"; subject: the finding's key, the public
    id of the course or post, the view of the events.
    order: the public id of the order it is about.
    """

    kind: str
    title: str
    why: str
    since: datetime
    needs: str
    subject: str = ""
    order: str = ""
    count: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRow:
    """An order in a list; amount in minor units of currency."""

    public_id: str
    number: str
    title: str
    email: str
    name: str
    state: str
    total_amount: int
    currency: str
    created_at: datetime


def list_attention() -> list[Attention]:
    """Everything that needs a person now: what Stripe and money ask for first, each kind oldest first."""
    return [
        *_list_webhooks(),
        *_list_events(),
        *_list_findings(),
        *_list_slow_orders(),
        *_list_unpriced_courses(),
        *_list_posts(),
        *_list_mails(),
    ]


def list_latest_orders(limit: int) -> list[OrderRow]:
    """The newest orders, whatever their state."""
    rows = db.session.execute(select_latest_orders(limit))
    return [
        OrderRow(
            public_id=row.public_id,
            number=format_order_number(row.number),
            title=row.title,
            email=row.email or "",
            name=row.customer_name,
            state=row.state,
            total_amount=row.total_amount + (0 if row.is_tax_included else row.tax_amount),
            currency=row.currency,
            created_at=row.created_at,
        )
        for row in rows
    ]


def select_latest_orders(limit: int) -> Select[Any]:
    """The statement of list_latest_orders()."""
    newest = select(Order).order_by(Order.id.desc()).limit(limit).subquery()
    columns: list[Any] = [*newest.c, func.min(OrderItem.title).label("title")]
    return (
        select(*columns)
        .join(OrderItem, OrderItem.order_id == newest.c.id)
        .group_by(*newest.c)
        .order_by(newest.c.id.desc())
    )


def select_slow_orders() -> Select[Any]:
    """Orders whose payment has been on its way for over an hour, or that no worker has looked after for as long."""
    moment = clock.now()
    # An open checkout ends by itself after an hour and a little; one that does not was left behind by the worker.
    is_left = or_(
        and_(Order.state == "processing", Order.created_at < moment - WAITING),
        and_(Order.state == "pending", Order.check_after < moment - WAITING),
    )
    columns: list[Any] = [Order]
    return (
        select(*columns).where(is_left, Order.state.in_(("processing", "pending"))).order_by(Order.id).limit(MOST_NAMED)
    )


def select_failed_mails() -> Select[Any]:
    """How many mails were given up, and since when."""
    columns: list[Any] = [func.count().label("count"), func.min(Message.failed_at).label("since")]
    return select(*columns).where(Message.failed_at.is_not(None))


def list_order_ids_to_look_at() -> CompoundSelect[Any]:
    """The query for orders that a person should look at: open findings about them, and payments that take long."""
    slow = select(Order.id).where(Order.state == "processing", Order.created_at < clock.now() - WAITING)
    noted = select(Finding.order_id).where(Finding.resolved_at.is_(None), Finding.order_id.is_not(None))
    return slow.union(noted)


def count_orders_to_look_at() -> int:
    """How many orders a person should look at."""
    return db.session.scalar(select(func.count()).select_from(list_order_ids_to_look_at().subquery())) or 0


def find_order_of(finding: Finding) -> str | None:
    """The public id of the order that a finding is about."""
    return db.session.scalar(select(Order.public_id).where(Order.id == finding.order_id))


def _list_webhooks() -> list[Attention]:
    """Why no event can come; events that came and wait are told by themselves."""
    health = judge_webhooks()
    if health.level != "fail" or health.place not in {"check", "endpoint"}:
        return []
    return [Attention(kind="webhooks", title=health.sentence, why=health.fix, since=health.since, needs=p.STRIPE_READ)]


def _list_events() -> list[Attention]:
    failed = StripeEvent.state == "failed"
    overdue = (StripeEvent.state == "received") & (StripeEvent.received_at < clock.now() - PATIENCE)
    found = []
    for view, condition, words, why in (
        (
            "failed",
            failed,
            ("failed", "failed"),
            "were given up after many tries. Their buyers may have paid without getting access.",
        ),
        (
            "waiting",
            overdue,
            ("waits for more than five minutes", "wait for more than five minutes"),
            "are tried again by themselves while a worker runs.",
        ),
    ):
        count, since = db.session.execute(
            select(func.count(), func.min(StripeEvent.received_at)).where(condition)
        ).one()
        if count:
            types = db.session.scalars(
                select(StripeEvent.type).where(condition).distinct().order_by(StripeEvent.type).limit(MOST_NAMED)
            )
            found.append(
                Attention(
                    kind="events",
                    title=f"{count} Stripe event {words[0]}" if count == 1 else f"{count} Stripe events {words[1]}",
                    why=f"They {why} Types: {', '.join(types)}.",
                    since=since,
                    needs=p.STRIPE_READ,
                    subject=view,
                    count=count,
                )
            )
    return found


def _list_findings() -> list[Attention]:
    rows = db.session.execute(
        select(Finding, Order.public_id, Order.number)
        .outerjoin(Order, Order.id == Finding.order_id)
        .where(Finding.resolved_at.is_(None))
        .order_by(Finding.id)
    )
    return [
        Attention(
            kind="finding",
            title=": ".join(
                filter(None, (format_order_number(number), FINDING_TITLES.get(finding.kind, finding.kind)))
            ),
            why=finding.detail,
            since=finding.created_at,
            needs=p.ORDERS_READ,
            subject=finding.key,
            order=public_id or "",
        )
        for finding, public_id, number in rows
    ]


def _list_slow_orders() -> list[Attention]:
    moment = clock.now()
    orders = list(db.session.scalars(select_slow_orders()))
    titles = _list_titles([order.id for order in orders])
    return [
        Attention(
            kind="order",
            title=f"A payment has been pending for {_tell_hours(moment - order.created_at)}",
            why=_tell_order(order, titles.get(order.id, "")),
            since=order.created_at,
            needs=p.ORDERS_READ,
            order=order.public_id,
        )
        for order in orders
    ]


def _tell_order(order: Order, title: str) -> str:
    who = order.customer_name or order.email or "No address yet"
    parts = (who, title, money(order.charged_amount, order.currency), order.payment_method_label)
    return ", ".join(filter(None, parts)) + "."


def _list_titles(order_ids: list[int]) -> dict[int, str]:
    query = select(OrderItem.order_id, func.min(OrderItem.title).label("title")).where(
        OrderItem.order_id.in_(order_ids)
    )
    return {row.order_id: row.title for row in db.session.execute(query.group_by(OrderItem.order_id))}


def _list_unpriced_courses() -> list[Attention]:
    has_price = (
        select(Price.id)
        .join(Product, Product.id == Price.product_id)
        .where(Price.product_id == OWN_PRODUCT, Product.status == "active")
        .where(in_force())
        .correlate(Course)
        .exists()
    )
    query = select(Course).where(Course.status == "published", ~has_price).order_by(Course.id).limit(MOST_NAMED)
    return [
        Attention(
            kind="course",
            title=f"“{course.title}” has no active price",
            why="It is published, so visitors see “Not on sale”.",
            since=course.updated_at,
            needs=p.CONTENT_READ,
            subject=course.public_id,
        )
        for course in db.session.scalars(query)
    ]


def _list_posts() -> list[Attention]:
    posts = list_public_posts_to_check(MOST_NAMED)
    warnings = list_post_warnings([post.id for post in posts])
    return [
        Attention(
            kind="post",
            title=f"“{post.title}” says what no longer holds",
            why=" ".join(warnings.get(post.id, [])),
            since=post.updated_at,
            needs=p.CONTENT_READ,
            subject=post.public_id,
        )
        for post in posts
    ]


def _list_mails() -> list[Attention]:
    count, since = db.session.execute(select_failed_mails()).one()
    if since is None:
        return []
    error = db.session.scalar(
        select(Message.error).where(Message.failed_at.is_not(None)).order_by(Message.failed_at.desc()).limit(1)
    )
    return [
        Attention(
            kind="mails",
            title=f"{count} mail{'' if count == 1 else 's'} could not be sent",
            why=f"The mail server said last: {error or 'nothing'}.",
            since=since,
            needs=p.ORDERS_READ,
            count=count,
        )
    ]


def _tell_hours(span: timedelta) -> str:
    hours = int(span / timedelta(hours=1))
    if hours < 48:  # noqa: PLR2004 - two days read better as days
        return f"{hours} hour{'' if hours == 1 else 's'}"
    return f"{hours // 24} days"
