"""Courses and posts as the templates take them: addresses and covers added, and "owned" decided for who is looking."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import urlencode

from flask import url_for

from app.catalog.offers import Offer, OfferState
from app.catalog.services import CourseCard
from app.reports.pages import PostSummary
from app.site.drawings import cover_url
from app.site.viewer import list_owned_course_ids


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferView:
    """What the button says. continue_url only when owned; struck_amount as in catalog's Offer, for who may buy."""

    state: OfferState | Literal["owned"]
    price_id: str | None
    unit_amount: int | None
    currency: str | None
    continue_url: str | None = None
    struck_amount: int | None = None
    lowest_amount: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseCardView:
    """A course in a list."""

    slug: str
    title: str
    promise: str
    category_name: str
    category_slug: str
    level: str
    section_count: int
    lesson_count: int
    minutes: int
    cover_url: str
    offer: OfferView
    owned: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PostCardView:
    """A post in a list."""

    slug: str
    title: str
    excerpt: str
    category_name: str
    category_slug: str
    published_at: datetime
    reading_minutes: int
    cover_url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PageView:
    """One page of a list; the addresses are None where there is no such page."""

    items: list[CourseCardView] | list[PostCardView]
    total: int
    number: int
    pages: int
    next_url: str | None
    previous_url: str | None


def show_offer(offer: Offer, continue_url: str | None) -> OfferView:
    """The offer as it is for everybody, or as owned when there is an address to continue at."""
    return OfferView(
        state="owned" if continue_url else offer.state,
        price_id=offer.price_id,
        unit_amount=offer.unit_amount,
        currency=offer.currency,
        continue_url=continue_url,
        struck_amount=None if continue_url else offer.struck_amount,
        lowest_amount=offer.lowest_amount,
    )


def show_course(card: CourseCard) -> CourseCardView:
    """A course's card for whoever is looking."""
    owned = card.course_id in list_owned_course_ids()
    return CourseCardView(
        slug=card.slug,
        title=card.title,
        promise=card.promise,
        category_name=card.category_name,
        category_slug=card.category_slug,
        level=card.level,
        section_count=card.section_count,
        lesson_count=card.lesson_count,
        minutes=card.minutes,
        cover_url=cover_url(card.slug, card.cover_path),
        offer=show_offer(card.offer, url_for("site.course", slug=card.slug) if owned else None),
        owned=owned,
    )


def show_courses(cards: Iterable[CourseCard]) -> list[CourseCardView]:
    return [show_course(card) for card in cards]


def show_post(post: PostSummary) -> PostCardView:
    card = post.card
    return PostCardView(
        slug=card.slug,
        title=card.title,
        excerpt=card.excerpt,
        category_name=post.category_name,
        category_slug=post.category_slug,
        published_at=card.published_at,
        reading_minutes=card.reading_minutes,
        cover_url=cover_url(card.slug, card.cover_path),
    )


def show_posts(posts: Iterable[PostSummary]) -> list[PostCardView]:
    return [show_post(post) for post in posts]


def show_page(
    items: list[CourseCardView] | list[PostCardView], *, total: int, number: int, pages: int, path: str,
    filters: dict[str, str] | None = None,
) -> PageView:  # fmt: skip
    """A page of a list at path; its neighbors' addresses keep the filters."""

    def address(page: int) -> str | None:
        if not 1 <= page <= pages:
            return None
        query = {key: value for key, value in (filters or {}).items() if value}
        if page > 1:
            query["page"] = str(page)
        return f"{path}?{urlencode(query)}" if query else path

    return PageView(
        items=items, total=total, number=number, pages=pages,
        next_url=address(number + 1), previous_url=address(number - 1),
    )  # fmt: skip


def read_page_number(text: str) -> int:
    """A page's number from an address. 0, which no list has, for anything that is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0  # noqa: PLR2004 - a million pages
