"""Which post sells: for each post its reads, and the net money of orders whose way led over it.

"Last" is the post right before Enroll, "first" the one the way began with, "assisted" one that was read on the way but
was not the last. The last ones add up to the period's net, with a row for orders that no post led to; first and
assisted tell the same money again. All by app/reports/sales.py: net of refunds, by the day the money moved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, func, select

from app.blog.models import Post, PostReads
from app.checkout.models import TouchPoint
from app.db import db
from app.reports.periods import Period
from app.reports.sales import select_moved

PLACES = ("side", "end", "text", "")


@dataclass(frozen=True, kw_only=True, slots=True)
class PostSales:
    """A post's share. Amounts are net, in minor units; orders are those paid in the period.

    by_place: net of the last touch by where on the post it was, "" where it is not known.
    """

    title: str
    slug: str
    reads: int = 0
    last_orders: int = 0
    last_net: int = 0
    first_orders: int = 0
    first_net: int = 0
    assisted_orders: int = 0
    assisted_net: int = 0
    by_place: dict[str, int] = field(default_factory=dict)

    @property
    def is_without_sale(self) -> bool:
        """Readers came, and no order's way led over it."""
        return self.reads > 0 and not (self.last_orders or self.first_orders or self.assisted_orders)


def list_post_sales(period: Period, currency: str) -> list[PostSales]:
    """Every post that was read or sold in the period, the most net as last post first.

    The row without title and slug is what no post led to, or one that was removed since.
    """
    moved = select_moved(period.span, currency=currency)
    shares = {row.post_id: row for row in db.session.execute(select_shares(moved))}
    places: dict[int | None, dict[str, int]] = {}
    for row in db.session.execute(select_places(moved)):
        places.setdefault(row.post_id, {})[row.place if row.place in PLACES else ""] = int(row.net)
    reads = {row.post_id: int(row.reads) for row in db.session.execute(select_reads(period))}
    titles = {row.id: row for row in db.session.execute(select(Post.id, Post.title, Post.slug))}
    found = [
        _shape(titles[post_id], reads.get(post_id, 0), shares.get(post_id), places.get(post_id, {}))
        for post_id in titles
        if post_id in reads or post_id in shares
    ]
    if None in shares:
        found.append(PostSales(title="", slug="", **_numbers(shares[None])))
    return sorted(found, key=lambda each: (-each.last_net, -each.reads, each.title))


def list_posts_without_sale(posts: Sequence[PostSales]) -> list[PostSales]:
    """Posts with readers that no order's way led over, the most read first."""
    return sorted((each for each in posts if each.is_without_sale), key=lambda each: -each.reads)


def list_read_posts(period: Period) -> list[PostSales]:
    """The posts that were read in the period, the most read first, without any money."""
    reads = {row.post_id: int(row.reads) for row in db.session.execute(select_reads(period))}
    posts = db.session.execute(select(Post.id, Post.title, Post.slug).where(Post.id.in_(reads)))
    found = [PostSales(title=post.title, slug=post.slug, reads=reads[post.id]) for post in posts]
    return sorted(found, key=lambda each: (-each.reads, each.title))


def select_reads(period: Period) -> Select[Any]:
    """Reads by post."""
    columns: list[Any] = [PostReads.post_id, func.sum(PostReads.reads).label("reads")]
    return (
        select(*columns)
        .where(PostReads.day >= period.first_day, PostReads.day <= period.last_day)
        .group_by(PostReads.post_id)
    )


def select_shares(moved: FromClause) -> Select[Any]:
    """Each post's share as last, first and assisting post; the row without a post is what none led to.

    A post that was read twice on one way counts once in each role.
    """
    ends = _select_ends(moved)
    roles = (
        select(
            TouchPoint.order_id,
            TouchPoint.post_id,
            func.max(case((TouchPoint.position == ends.c.last, 1), else_=0)).label("last"),
            func.max(case((TouchPoint.position == ends.c.first, 1), else_=0)).label("first"),
        )
        .join(ends, ends.c.order_id == TouchPoint.order_id)
        .where(TouchPoint.post_id.is_not(None))
        .group_by(TouchPoint.order_id, TouchPoint.post_id)
        .subquery("roles")
    )
    last = func.coalesce(roles.c.last, 1)
    columns: list[Any] = [
        roles.c.post_id,
        *_measure(moved, last, "last"),
        *_measure(moved, func.coalesce(roles.c.first, 0), "first"),
        *_measure(moved, case((last == 0, 1), else_=0), "assisted"),
    ]
    return (
        select(*columns)
        .select_from(moved.outerjoin(roles, roles.c.order_id == moved.c.order_id))
        .group_by(roles.c.post_id)
    )


def select_places(moved: FromClause) -> Select[Any]:
    """Net by the last post and the place on it."""
    ends = _select_ends(moved)
    columns: list[Any] = [TouchPoint.post_id, TouchPoint.place, func.sum(_net(moved)).label("net")]
    return (
        select(*columns)
        .select_from(moved)
        .join(ends, ends.c.order_id == moved.c.order_id)
        .join(TouchPoint, and_(TouchPoint.order_id == ends.c.order_id, TouchPoint.position == ends.c.last))
        .group_by(TouchPoint.post_id, TouchPoint.place)
    )


def _select_ends(moved: FromClause) -> FromClause:
    """Where each order's way begins and ends, among posts that are still there."""
    return (
        select(
            TouchPoint.order_id,
            func.min(TouchPoint.position).label("first"),
            func.max(TouchPoint.position).label("last"),
        )
        .where(TouchPoint.order_id.in_(select(moved.c.order_id)), TouchPoint.post_id.is_not(None))
        .group_by(TouchPoint.order_id)
        .subquery("ends")
    )


def _net(moved: FromClause) -> ColumnElement[Any]:
    return moved.c.sales - moved.c.refunded - moved.c.withdrawn + moved.c.reinstated


def _measure(moved: FromClause, weight: Any, name: str) -> list[ColumnElement[Any]]:
    paid = case((moved.c.sales > 0, weight), else_=0)
    return [func.sum(paid).label(f"{name}_orders"), func.sum(_net(moved) * weight).label(f"{name}_net")]


def _shape(post: Any, reads: int, row: Any, places: dict[str, int]) -> PostSales:
    return PostSales(title=post.title, slug=post.slug, reads=reads, by_place=places, **_numbers(row))


def _numbers(row: Any) -> dict[str, Any]:
    if row is None:
        return {}
    return {
        f"{role}_{what}": int(getattr(row, f"{role}_{what}") or 0)
        for role in ("last", "first", "assisted")
        for what in ("orders", "net")
    }
