"""The way from a post to an order: read once when the order begins, and told to Stripe with its session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.blog.models import Post
from app.checkout.models import Order, TouchPoint
from app.db import db
from app.payments.facts import Metadata

MOST_TOUCHES = 8
LONGEST_PLACE = 20
LONGEST_VALUE = 100
UTM_NAMES = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")


@dataclass(frozen=True, kw_only=True, slots=True)
class Touch:
    """A post that was opened; place is where on it the reader pressed, at (UTC) is None for just now."""

    post_id: int
    place: str = ""
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """How a buyer came here, the first post first; utm holds what a link brought, by the names of UTM_NAMES."""

    touches: Sequence[Touch] = ()
    utm: Mapping[str, str] = field(default_factory=dict)


NOWHERE = Origin()


def clean_utm(values: Mapping[str, str]) -> dict[str, str]:
    """The UTM values among an address's parameters, short and without what cannot be printed."""
    found = {name: "".join(filter(str.isprintable, values.get(name, ""))).strip() for name in UTM_NAMES}
    return {name: value[:LONGEST_VALUE] for name, value in found.items() if value}


def add_touch_points(session: Session, order: Order, origin: Origin) -> None:
    """Write an order's way here: its first post and the latest ones. Inside transaction()."""
    touches = list(origin.touches)
    kept = touches if len(touches) <= MOST_TOUCHES else [touches[0], *touches[1 - MOST_TOUCHES :]]
    moment = clock.now()
    for position, touch in enumerate(kept):
        is_last = position == len(kept) - 1
        session.add(
            TouchPoint(
                order_id=order.id,
                post_id=touch.post_id,
                position=position,
                is_last=is_last,
                place=touch.place[:LONGEST_PLACE],
                utm=dict(origin.utm) if is_last else {},
                touched_at=touch.at or moment,
            )
        )
    if origin.utm and not kept:
        session.add(TouchPoint(order_id=order.id, position=0, utm=dict(origin.utm), touched_at=moment))


def make_touch_metadata(order_id: int) -> Metadata:
    """What a Checkout Session's metadata says of the way here: slugs and UTM values, nothing about a person.

    At most nine keys of Stripe's fifty; values keep within its 500 characters (docs.stripe.com/metadata, read 2026-11).
    """
    rows = db.session.execute(
        select(Post.slug, TouchPoint.place, TouchPoint.utm)
        .outerjoin(Post, Post.id == TouchPoint.post_id)
        .where(TouchPoint.order_id == order_id)
        .order_by(TouchPoint.position)
    ).all()
    slugs = [row.slug for row in rows if row.slug is not None]
    metadata: Metadata = {}
    if slugs:
        metadata = {"post_first": slugs[0], "post_last": slugs[-1], "post_count": str(len(slugs))}
        if rows[-1].place:
            metadata["post_place"] = rows[-1].place
    return metadata | (rows[-1].utm if rows else {})
