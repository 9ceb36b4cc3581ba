"""Every public address, for search engines."""

from sqlalchemy import select

from app import clock
from app.blog.models import Post
from app.catalog.models import Course
from app.db import db
from app.reports.pages import SitemapEntry

MOST_ENTRIES = 20_000


def list_sitemap_entries() -> tuple[SitemapEntry, ...]:
    """Published courses and posts with the time of their last change. Lessons and archived courses are not listed."""
    courses = db.session().execute(
        select(Course.slug, Course.updated_at)
        .where(Course.status == "published")
        .order_by(Course.position, Course.id)
        .limit(MOST_ENTRIES)
    )
    posts = db.session().execute(
        select(Post.slug, Post.updated_at)
        .where(Post.status.in_(("published", "scheduled")), Post.published_at <= clock.now(), Post.deleted_at.is_(None))
        .order_by(Post.published_at.desc())
        .limit(MOST_ENTRIES)
    )
    return (
        *(SitemapEntry(kind="course", slug=row.slug, changed_at=row.updated_at) for row in courses),
        *(SitemapEntry(kind="post", slug=row.slug, changed_at=row.updated_at) for row in posts),
    )
