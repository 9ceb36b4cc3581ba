"""What no longer holds in posts: a course they lead to is archived, or the text names a price that is not the live one.

Amounts and links are found when a text is saved (app/blog/price_mentions.py) and compared here, so a new price shows at
once which posts to look at. A currency that the course has no price in is not compared.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CompoundSelect, Select, select, union
from sqlalchemy.orm import Session

from app import clock
from app.blog.catalog_names import CourseName, names_courses, names_topics
from app.blog.models import Post, PostCourse, PostLink, PostPrice
from app.blog.post_edits import SHOWN
from app.catalog.models import Category, Course, Price, Product, ProductCourse
from app.catalog.price_rules import in_force
from app.db import db
from app.money import format_money_short


@names_courses
def list_all_course_names(session: Session) -> list[CourseName]:
    """Every course but deleted drafts."""
    rows = session.execute(select(Course.id, Course.slug, Course.title).where(Course.deleted_at.is_(None)))
    return [CourseName(course_id=row.id, slug=row.slug, title=row.title) for row in rows]


@names_topics
def read_topic_name(session: Session, category_id: int) -> str:
    """A topic's name, "" for one that is gone."""
    return session.scalar(select(Category.name).where(Category.id == category_id)) or ""


def list_post_warnings(post_ids: Sequence[int]) -> dict[int, list[str]]:
    """By post: a sentence for each thing that is no longer true; posts without any are left out."""
    found: dict[int, list[str]] = {}
    if not post_ids:
        return found
    for row in db.session().execute(select_archived().where(PostCourse.post_id.in_(post_ids))):
        found.setdefault(row.post_id, []).append(f"It leads to “{row.title}”, which is archived.")
    for row in db.session().execute(select_archived(PostLink).where(PostLink.post_id.in_(post_ids))):
        found.setdefault(row.post_id, []).append(f"The text links to “{row.title}”, which is archived.")
    for row in db.session().execute(select_other_prices().where(PostPrice.post_id.in_(post_ids))):
        said = format_money_short(row.amount, row.currency)
        now = f"costs {format_money_short(row.unit_amount, row.currency)}" if row.unit_amount else "is free"
        found.setdefault(row.post_id, []).append(f"The text says {said} beside “{row.title}”, which {now} now.")
    return found


def list_public_posts_to_check(limit: int) -> list[Any]:
    """The published posts that say what is no longer true, the latest change last: id, public id, title, updated_at."""
    return list(
        db.session().execute(
            select(Post.id, Post.public_id, Post.title, Post.updated_at)
            .where(
                Post.id.in_(select_post_ids_to_check()), Post.deleted_at.is_(None), Post.status.in_(SHOWN),
                Post.published_at <= clock.now(),
            )
            .order_by(Post.updated_at, Post.id)
            .limit(limit)
        )
    )  # fmt: skip


def select_post_ids_to_check() -> CompoundSelect[Any]:
    """The ids of all posts with a warning."""
    archived = [select_archived(model).with_only_columns(model.post_id) for model in (PostCourse, PostLink)]
    return union(*archived, select_other_prices().with_only_columns(PostPrice.post_id))


def select_archived(model: type[PostCourse] | type[PostLink] = PostCourse) -> Select[Any]:
    """(post_id, title) of archived courses that posts lead to, or that their texts link to."""
    columns: list[Any] = [model.post_id, Course.title]
    return select(*columns).join(Course, Course.id == model.course_id).where(Course.status == "archived")


def select_other_prices() -> Select[Any]:
    """(post_id, title, amount, currency, unit_amount) of amounts that are not the live price of their course."""
    columns: list[Any] = [PostPrice.post_id, Course.title, PostPrice.amount, PostPrice.currency, Price.unit_amount]
    return (
        select(*columns)
        .join(Course, Course.id == PostPrice.course_id)
        .join(ProductCourse, ProductCourse.course_id == Course.id)
        .join(Product, (Product.id == ProductCourse.product_id) & (Product.kind == "course"))
        .join(Price, (Price.product_id == Product.id) & (Price.currency == PostPrice.currency))
        .where(in_force(), Price.unit_amount != PostPrice.amount)
    )
