"""/ and /courses: the catalog and a course's page."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, redirect, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from app.catalog import services
from app.catalog.cards import PUBLIC_STATUSES
from app.catalog.course_files import LEVELS
from app.catalog.course_pages import ALL_STATUSES, CoursePage, LessonLine, LessonPage
from app.catalog.search import LONGEST_SEARCH, Sort
from app.config import Settings, current_settings
from app.enrollment.services import NO_PROGRESS, Progress, find_opening, get_progress
from app.errors import InvalidInput, NotFound
from app.money import to_decimal
from app.reports import pages
from app.reports.library import list_course_slugs
from app.reports.pages import CourseReport
from app.site.blueprint import blueprint
from app.site.came_from import note_page
from app.site.cards import (
    CourseCardView,
    OfferView,
    read_page_number,
    show_course,
    show_courses,
    show_offer,
    show_page,
    show_posts,
)
from app.site.viewer import canonical_url, get_viewer, list_owned_since, render_page

SORTS: dict[str, Sort] = {"newest": "newest", "price": "price", "title": "title"}
PRICES = ("free", "paid")
# An old address is for ever, but its browser may ask again in case it comes back to life.
MOVED = "public, max-age=300"


@dataclass(frozen=True, kw_only=True, slots=True)
class LessonView:
    """A lesson in the curriculum; url is None when it is not open to who is looking, or not yet."""

    slug: str
    title: str
    minutes: int
    is_preview: bool
    url: str | None
    is_done: bool
    opens_at: datetime | None = None  # none: open, or not to be opened by who is looking


@dataclass(frozen=True, kw_only=True, slots=True)
class SectionView:
    """A section of the curriculum."""

    title: str
    summary: str
    lessons: list[LessonView]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProgressView:
    """How far the learner came; next_url is the lesson to go on with."""

    done: int
    total: int
    next_url: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherPriceView:
    """The price in another currency, and the checkout page that asks for it."""

    url: str
    unit_amount: int
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseView(CourseCardView):
    """A course's page: its card's fields and the rest. other_prices only while the course is on sale."""

    summary: str
    description_html: Markup
    outcomes: tuple[str, ...]
    good_fit: tuple[str, ...]
    not_fit: tuple[str, ...]
    includes: tuple[str, ...]
    faq: list[tuple[str, Markup]]
    author: str
    author_bio: str
    updated_at: datetime
    access_days: int | None
    is_archived: bool
    is_draft: bool
    other_prices: list[OtherPriceView]


@blueprint.get("/")
def home() -> Response:
    report = pages.get_home_page()
    return render_page(
        "home.html",
        facts=report,
        values=lambda: {
            "featured": show_course(report.featured) if report.featured else None,
            "courses": show_courses(report.courses),
            "posts": show_posts(report.posts),
        },
    )


@blueprint.get("/courses")
def courses() -> Response:
    filters = _read_filters()
    found = services.list_courses(
        q=filters["q"],
        category=filters["category"],
        level=filters["level"],
        price=filters["price"],
        sort=SORTS.get(filters["sort"], ""),
        page=read_page_number(request.args.get("page", "1")),
    )
    categories = tuple(
        (item.slug, item.name, item.course_count) for item in services.list_categories() if item.course_count
    )
    return render_page(
        "courses.html",
        facts=(found, categories, tuple(filters.items())),
        values=lambda: {
            "page": show_page(
                show_courses(found.items), total=found.total, number=found.number, pages=found.pages,
                path=url_for("site.courses"), filters=filters,
            ),
            "filters": filters,
            "categories": categories,
            "levels": LEVELS,
        },
    )  # fmt: skip


@blueprint.get("/courses/<slug>")
def course(slug: str) -> AnyResponse:
    try:
        report = pages.get_course_report(slug=slug, statuses=visible_statuses(slug))
    except NotFound:
        return redirect_moved_course(slug)
    note_page()
    code = _read_code()
    return render_page(
        "course.html",
        facts=(report, code),
        values=lambda: {**show_course_report(report), "promotion_code": code},
    )


def _read_code() -> str:
    """The promotion code of a link (?code=), carried on to our checkout page, where it is looked up; "" for none."""
    try:
        return services.normalize_code(request.args.get("code", ""))
    except InvalidInput:
        return ""


def visible_statuses(slug: str) -> tuple[str, ...]:
    """Drafts exist for staff, and for who has the course: one that was taken off the shop stays theirs (F58)."""
    viewer = get_viewer()
    if viewer is not None and viewer.is_staff:
        return ALL_STATUSES
    owned_ids = list_owned_since()
    is_owned = bool(owned_ids) and slug in list_course_slugs(sorted(owned_ids)).values()
    return ALL_STATUSES if is_owned else PUBLIC_STATUSES


def redirect_moved_course(slug: str, lesson: str | None = None) -> AnyResponse:
    """301 to where a course (or its lesson) lives now. Raises NotFound when it never lived there."""
    present = services.find_course_by_old_slug(slug)
    if present is None:
        raise NotFound
    if lesson is None:
        response = redirect(url_for("site.course", slug=present), 301)
    else:
        response = redirect(url_for("site.lesson", slug=present, lesson=lesson), 301)
    response.headers["Cache-Control"] = MOVED
    return response


def read_progress(course_id: int) -> Progress:
    """How far the person signed in came in a course; nothing for visitors and guests."""
    viewer = get_viewer()
    if viewer is None:
        return NO_PROGRESS
    return get_progress(user_id=viewer.user_id, course_ids=[course_id]).get(course_id, NO_PROGRESS)


def show_sections(
    sections: tuple[Any, ...], *, course_slug: str, open_since: datetime | None, progress: Progress
) -> list[SectionView]:
    """The curriculum with links where lessons are open: to owners once each one's day has come, previews to everybody.

    open_since: when the course opened to who is looking (UTC); None where it is not open.
    """
    return [
        SectionView(
            title=section.title,
            summary=section.summary,
            lessons=[_show_lesson(lesson, course_slug, open_since, progress) for lesson in section.lessons],
        )
        for section in sections
    ]


def _show_lesson(
    lesson: LessonLine, course_slug: str, open_since: datetime | None, progress: Progress
) -> LessonView:  # fmt: skip
    opens_at = find_lesson_opening(lesson, open_since)
    is_open = lesson.is_preview or (open_since is not None and opens_at is None)
    return LessonView(
        slug=lesson.slug,
        title=lesson.title,
        minutes=lesson.minutes,
        is_preview=lesson.is_preview and open_since is None,
        url=lesson_url(course_slug, lesson.slug) if is_open else None,
        is_done=lesson.lesson_id in progress.done_lesson_ids,
        opens_at=opens_at,
    )


def find_lesson_opening(lesson: LessonLine | LessonPage, open_since: datetime | None) -> datetime | None:
    """When a lesson opens to an owner; None where it is open, and for whom the course is not open."""
    if open_since is None or lesson.is_preview:
        return None
    return find_opening(drip_days=lesson.drip_days, since=open_since)


def lesson_url(course_slug: str, lesson_slug: str) -> str:
    """The address of a lesson; slugs need no escaping."""
    return f"/courses/{course_slug}/lessons/{lesson_slug}"


def show_progress(sections: list[SectionView], page: CoursePage, progress: Progress) -> ProgressView:
    """Progress with the lesson to go on with: the last opened one unless done, else the first open one that is not."""
    lines = [line for section in page.sections for line in section.lessons]
    urls = {lesson.slug: lesson.url for section in sections for lesson in section.lessons}
    open_lines = [line for line in lines if line.lesson_id not in progress.done_lesson_ids and urls[line.slug]]
    following = next((line for line in open_lines if line.lesson_id == progress.last_lesson_id), None)
    following = following or next(iter(open_lines or lines), None)
    return ProgressView(
        done=sum(lesson.is_done for section in sections for lesson in section.lessons),
        total=len(lines),
        next_url=urls[following.slug] if following else None,
    )


def _read_filters() -> dict[str, str]:
    """What the address asks for; words that mean nothing here have no effect."""
    arguments = request.args
    level, price, sort = (arguments.get(name, "") for name in ("level", "price", "sort"))
    return {
        "q": arguments.get("q", "").strip()[:LONGEST_SEARCH],
        "category": arguments.get("category", "")[:80],
        "level": level if level in LEVELS else "",
        "price": price if price in PRICES else "",
        "sort": sort if sort in SORTS else "",
    }


def show_course_report(report: CourseReport) -> dict[str, Any]:
    """What course.html takes, for whoever is looking."""
    page = report.page
    since = list_owned_since().get(page.card.course_id)
    progress = read_progress(page.card.course_id)
    sections = show_sections(page.sections, course_slug=page.card.slug, open_since=since, progress=progress)
    own_progress = show_progress(sections, page, progress) if since is not None else None
    settings = current_settings()
    view = _show_course_page(page, own_progress)
    return {
        "course": view,
        "offer": view.offer,
        "sections": sections,
        "posts": show_posts(report.posts),
        "alternatives": show_courses(report.alternatives),
        "bundles": report.bundles,
        "refund_days": settings.refund_days,
        "progress": own_progress,
        "og_image_url": canonical_url(view.cover_url),
        "structured_data": _describe_course(view, settings),
    }


def _show_course_page(page: CoursePage, progress: ProgressView | None) -> CourseView:
    card: CourseCardView = show_course(page.card)
    continue_url = (progress.next_url or url_for("site.course", slug=card.slug)) if progress else None
    return CourseView(
        slug=card.slug,
        title=card.title,
        promise=card.promise,
        category_name=card.category_name,
        category_slug=card.category_slug,
        level=card.level,
        section_count=card.section_count,
        lesson_count=card.lesson_count,
        minutes=card.minutes,
        cover_url=card.cover_url,
        offer=show_offer(page.card.offer, continue_url),
        owned=card.owned,
        summary=page.card.summary,
        # Rendered and sanitized when it was saved (app/markdown.py).
        description_html=Markup(page.description_html),  # noqa: S704
        outcomes=page.outcomes,
        good_fit=page.good_fit,
        not_fit=page.not_fit,
        includes=page.includes,
        faq=[(question, Markup(answer)) for question, answer in page.faq],  # noqa: S704
        author=page.author_name,
        author_bio=page.author_bio,
        updated_at=page.updated_at,
        access_days=page.access_days,
        is_archived=page.status == "archived",
        is_draft=page.status == "draft",
        other_prices=_show_other_prices(page),
    )


def _show_other_prices(page: CoursePage) -> list[OtherPriceView]:
    if page.card.offer.state != "on_sale":
        return []
    return [
        OtherPriceView(url=f"/checkout/{price.price_id}", unit_amount=price.unit_amount, currency=price.currency)
        for price in page.other_prices
    ]


def _describe_course(view: CourseView, settings: Settings) -> dict[str, Any]:
    """What search engines read (schema.org/Course); no lesson's text."""
    data: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Course",
        "name": view.title,
        "description": view.summary or view.promise or view.title,
        "url": canonical_url(f"/courses/{view.slug}"),
        "provider": {"@type": "Organization", "name": settings.site_name, "url": settings.public_url},
    }
    if view.offer.state in {"on_sale", "free"}:
        data["offers"] = {
            "@type": "Offer",
            "category": "Free" if view.offer.state == "free" else "Paid",
            "price": _decimal(view.offer),
            "priceCurrency": (view.offer.currency or "").upper(),
        }
    return data


def _decimal(offer: OfferView) -> str:
    return str(to_decimal(offer.unit_amount or 0, offer.currency or "usd"))
