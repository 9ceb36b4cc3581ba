"""Every public address, for search engines."""

from sqlalchemy import literal, select, union_all

from app import clock
from app.blog.models import Post
from app.catalog.models import Course, Product
from app.db import db
from app.reports.pages import SitemapEntry

MOST_ENTRIES = 20_000


def list_sitemap_entries() -> tuple[SitemapEntry, ...]:
    """Published courses, bundles on sale and posts. Lessons and archived courses are not listed."""
    courses = (
        select(literal("course").label("kind"), Course.slug, Course.updated_at.label("changed_at"))
        .where(Course.status == "published")
        .order_by(Course.position, Course.id)
        .limit(MOST_ENTRIES)
    )
    bundles = select(literal("bundle").label("kind"), Product.slug, Product.created_at.label("changed_at")).where(
        Product.kind == "bundle", Product.status == "active"
    )
    sold = db.session().execute(union_all(select(courses.subquery()), bundles))
    posts = db.session().execute(
        select(Post.slug, Post.updated_at)
        .where(Post.status.in_(("published", "scheduled")), Post.published_at <= clock.now(), Post.deleted_at.is_(None))
        .order_by(Post.published_at.desc())
        .limit(MOST_ENTRIES)
    )
    return (
        *(SitemapEntry(kind=row.kind, slug=row.slug, changed_at=row.changed_at) for row in sold),
        *(SitemapEntry(kind="post", slug=row.slug, changed_at=row.updated_at) for row in posts),
    )
