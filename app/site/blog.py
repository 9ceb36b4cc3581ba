"""/blog: posts, topics and the feed."""

from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from flask import Response, redirect, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from app.blog.reads import count_read
from app.blog.services import find_post_by_old_slug
from app.config import current_settings
from app.errors import NotFound
from app.front_matter import UNUSABLE
from app.reports import pages
from app.reports.pages import BlogPage, PostReport
from app.site.blueprint import blueprint
from app.site.came_from import is_reading, mark_course_links, note_page
from app.site.cards import read_page_number, show_course, show_page, show_posts
from app.site.catalog import MOVED
from app.site.drawings import cover_url
from app.site.viewer import cacheable, canonical_url, render_page

ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """Where a post can be passed on; plain links, no third-party script."""

    url: str
    x_url: str
    linkedin_url: str
    facebook_url: str
    email_url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PostView:
    """A post's page."""

    slug: str
    title: str
    excerpt: str
    category_name: str
    category_slug: str
    author: str
    published_at: datetime
    updated_at: datetime | None
    reading_minutes: int
    cover_url: str
    cover_square_url: str
    body_html: Markup
    toc: list[tuple[int, str, str]]
    share: Share


@blueprint.get("/blog")
def blog() -> Response:
    return _render_list(pages.get_blog_page(number=read_page_number(request.args.get("page", "1"))))


@blueprint.get("/blog/category/<slug>")
def blog_category(slug: str) -> Response:
    number = read_page_number(request.args.get("page", "1"))
    return _render_list(pages.get_blog_page(category_slug=slug, number=number))


@blueprint.get("/blog/<slug>")
def post(slug: str) -> AnyResponse:
    try:
        report = pages.get_post_report(slug=slug)
    except NotFound:
        return _redirect_moved(slug)
    if is_reading():
        count_read(report.post.card.post_id)
    note_page(report.post.card.slug)
    return render_page("post.html", facts=report, values=lambda: show_post_report(report))


@blueprint.get("/blog/feed.xml")
def feed() -> Response:
    settings = current_settings()
    ET.register_namespace("atom", ATOM)
    rss = ET.Element("rss", version="2.0")
    channel = ET.SubElement(rss, "channel")
    _add(channel, "title", f"{settings.site_name} blog")
    _add(channel, "link", canonical_url(url_for("site.blog")))
    _add(channel, "description", f"New posts of {settings.site_name}")
    _add(channel, "language", settings.site_locale.replace("_", "-").lower())
    address = canonical_url(url_for("site.feed"))
    ET.SubElement(channel, f"{{{ATOM}}}link", href=address, rel="self", type="application/rss+xml")
    for summary in pages.list_feed_posts():
        card = summary.card
        item = ET.SubElement(channel, "item")
        link = canonical_url(url_for("site.post", slug=card.slug))
        _add(item, "title", card.title)
        _add(item, "link", link)
        _add(item, "description", card.excerpt)
        _add(item, "category", summary.category_name)
        # The address may change, the id does not: readers show a moved post once.
        _add(item, "guid", card.public_id).set("isPermaLink", "false")
        _add(item, "pubDate", format_datetime(card.published_at))
    body = ET.tostring(rss, encoding="utf-8", xml_declaration=True)
    return cacheable(Response(body, content_type="application/rss+xml; charset=utf-8"))


def _render_list(report: BlogPage) -> Response:
    category = report.category
    path = url_for("site.blog_category", slug=category.slug) if category else url_for("site.blog")
    return render_page(
        "blog.html",
        facts=report,
        values=lambda: {
            "page": show_page(
                show_posts(report.items), total=report.total, number=report.number, pages=report.pages, path=path
            ),
            "categories": report.categories,
            "category": category,
        },
    )


def _redirect_moved(slug: str) -> AnyResponse:
    present = find_post_by_old_slug(slug)
    if present is None:
        raise NotFound
    response = redirect(url_for("site.post", slug=present), 301)
    response.headers["Cache-Control"] = MOVED
    return response


def show_post_report(report: PostReport) -> dict[str, Any]:
    view = _show_post(report)
    return {
        "post": view,
        "related": [{"course": show_course(item.course), "position": item.position} for item in report.related],
        "more_posts": show_posts(report.more_posts),
        "og_image_url": canonical_url(view.cover_url),
        "structured_data": _describe_post(view),
    }


def _show_post(report: PostReport) -> PostView:
    card = report.post.card
    return PostView(
        slug=card.slug,
        title=card.title,
        excerpt=card.excerpt,
        category_name=report.category_name,
        category_slug=report.category_slug,
        author=card.author_name,
        published_at=card.published_at,
        updated_at=card.revised_at,
        reading_minutes=card.reading_minutes,
        cover_url=cover_url(card.slug, card.cover_path),
        cover_square_url=cover_url(card.slug, card.cover_path, ratio="1:1"),
        # Rendered and sanitized when it was saved (app/markdown.py).
        body_html=Markup(mark_course_links(report.post.body_html, card.slug)),  # noqa: S704
        toc=[(heading.level, heading.id, heading.text) for heading in report.post.headings],
        share=_share(canonical_url(f"/blog/{card.slug}"), card.title),
    )


def _share(url: str, title: str) -> Share:
    address, words = quote(url, safe=""), quote(title, safe="")
    return Share(
        url=url,
        x_url=f"https://x.com/intent/post?url={address}&text={words}",
        linkedin_url=f"https://www.linkedin.com/sharing/share-offsite/?url={address}",
        facebook_url=f"https://www.facebook.com/sharer/sharer.php?u={address}",
        email_url=f"mailto:?subject={words}&body={address}",
    )


def _describe_post(view: PostView) -> dict[str, Any]:
    """What search engines read (schema.org/BlogPosting)."""
    return {
        "@context": "https://schema.org",
        "@type": "BlogPosting",
        "headline": view.title,
        "description": view.excerpt,
        "url": view.share.url,
        "datePublished": view.published_at.isoformat(),
        "dateModified": (view.updated_at or view.published_at).isoformat(),
        "articleSection": view.category_name,
        "author": {"@type": "Organization", "name": view.author},
    }


def _add(parent: ET.Element, tag: str, text: str) -> ET.Element:
    element = ET.SubElement(parent, tag)
    element.text = UNUSABLE.sub("", text)
    return element
