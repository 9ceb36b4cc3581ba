"""Plain values for the schemas: addresses added, offers as prices."""

from typing import Any

from flask import current_app

from app.catalog.offers import Offer
from app.catalog.services import CourseCard
from app.config import Settings
from app.reports.pages import CourseReport, PostReport, PostSummary


def public_url(path: str) -> str:
    """The address of a path on the shop's own origin."""
    settings: Settings = current_app.config["SETTINGS"]
    return settings.public_url + path


def shape_course(card: CourseCard) -> dict[str, Any]:
    return {
        "id": card.public_id,
        "slug": card.slug,
        "title": card.title,
        "promise": card.promise,
        "summary": card.summary,
        "level": card.level,
        "category": {"category_slug": card.category_slug, "category_name": card.category_name},
        "section_count": card.section_count,
        "lesson_count": card.lesson_count,
        "minutes": card.minutes,
        "url": public_url(f"/courses/{card.slug}"),
        "offer": {"state": card.offer.state, "price": _shape_price(card.offer)},
    }


def _shape_price(offer: Offer) -> dict[str, Any] | None:
    if offer.price_id is None or offer.state not in {"on_sale", "free"}:
        return None
    return {"id": offer.price_id, "amount": offer.unit_amount, "currency": offer.currency}


def shape_post(post: PostSummary) -> dict[str, Any]:
    card = post.card
    return {
        "id": card.public_id,
        "slug": card.slug,
        "title": card.title,
        "excerpt": card.excerpt,
        "category": {"category_slug": post.category_slug, "category_name": post.category_name},
        "author": card.author_name,
        "published_at": card.published_at,
        "revised_at": card.revised_at,
        "reading_minutes": card.reading_minutes,
        "url": public_url(f"/blog/{card.slug}"),
    }


def shape_course_report(report: CourseReport, prices: list[dict[str, Any]]) -> dict[str, Any]:
    page = report.page
    return {
        **shape_course(page.card),
        "description_html": page.description_html,
        "outcomes": page.outcomes,
        "good_fit": page.good_fit,
        "not_fit": page.not_fit,
        "includes": page.includes,
        "faq": [{"question": question, "answer_html": answer} for question, answer in page.faq],
        "author": page.author_name,
        "author_bio": page.author_bio,
        "access_days": page.access_days,
        "updated_at": page.updated_at,
        "prices": prices,
        "sections": page.sections,
        "posts": [shape_post(post) for post in report.posts],
    }


def shape_post_report(report: PostReport) -> dict[str, Any]:
    summary = PostSummary(card=report.post.card, category_name=report.category_name, category_slug=report.category_slug)
    return {
        **shape_post(summary),
        "body_html": report.post.body_html,
        "contents": report.post.headings,
        "courses": [shape_course(item.course) for item in report.related],
    }
