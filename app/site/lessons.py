"""/courses/<slug>/lessons/<lesson>: a lesson's text, for those who may read it. Previews are for all."""

from datetime import datetime, timedelta
from typing import Any

from flask import flash, redirect, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from app import clock
from app.accounts.seeing import is_seeing_as_other
from app.catalog.course_pages import LessonPage
from app.catalog.services import CourseCard, get_lesson, list_course_cards
from app.enrollment.services import NO_PROGRESS, Progress, open_lesson, reopen_lesson
from app.enrollment.services import complete_lesson as mark_done
from app.errors import NotFound
from app.extensions import csrf
from app.formatting import date_long
from app.site.blueprint import blueprint
from app.site.cards import show_course
from app.site.catalog import (
    find_lesson_opening,
    lesson_url,
    read_progress,
    redirect_moved_course,
    show_sections,
    visible_statuses,
)
from app.site.viewer import get_viewer, list_owned_since, render_page

REMEMBERED_FOR = timedelta(minutes=5)


@blueprint.get("/courses/<slug>/lessons/<lesson>")
def lesson(slug: str, lesson: str) -> AnyResponse:
    try:
        page = get_lesson(course_slug=slug, lesson_slug=lesson, statuses=visible_statuses(slug))
    except NotFound:
        return redirect_moved_course(slug, lesson)
    viewer = get_viewer()
    since = list_owned_since().get(page.course_id)
    is_staff = viewer is not None and viewer.is_staff
    opens_at = find_lesson_opening(page, since)
    if not is_staff and (opens_at is not None or (since is None and not page.is_preview)):
        # The curriculum names the lesson anyway; its text is not sent, and the course's page says how to get it.
        if opens_at is not None:
            flash(f"“{page.title}” opens on {date_long(opens_at)}.", "info")
        return redirect(url_for("site.course", slug=page.course_slug), 303)
    return _show(page, since)


@blueprint.post("/courses/<slug>/lessons/<lesson>/complete")
def complete_lesson(slug: str, lesson: str) -> AnyResponse:
    csrf.protect()
    viewer = get_viewer()
    if viewer is None:
        return redirect(url_for("security.login", next=lesson_url(slug, lesson)), 303)
    page = get_lesson(course_slug=slug, lesson_slug=lesson, statuses=visible_statuses(slug))
    if find_lesson_opening(page, list_owned_since().get(page.course_id)) is not None:
        return redirect(url_for("site.lesson", slug=page.course_slug, lesson=page.slug), 303)
    change = mark_done if request.form.get("done", "1") == "1" else reopen_lesson
    change(user_id=viewer.user_id, course_id=page.course_id, lesson_id=page.lesson_id)
    return redirect(url_for("site.lesson", slug=page.course_slug, lesson=page.slug), 303)


def _is_news(progress: Progress, page: LessonPage) -> bool:
    """Whether opening the page says more than is noted: another lesson, or a pause. A reload writes nothing."""
    if progress.last_lesson_id != page.lesson_id or progress.last_opened_at is None:
        return True
    return progress.last_opened_at < clock.now() - REMEMBERED_FOR


def _show(page: LessonPage, since: datetime | None) -> AnyResponse:
    card = list_course_cards([page.course_id], statuses=visible_statuses(page.course_slug))[0]
    return render_page("lesson.html", facts=(page, card), values=lambda: _show_lesson(page, card, since))


def _show_lesson(page: LessonPage, card: CourseCard, since: datetime | None) -> dict[str, Any]:
    viewer = get_viewer()
    is_owned = since is not None
    progress = read_progress(page.course_id) if is_owned else NO_PROGRESS
    course = show_course(card)
    sections = show_sections(page.sections, course_slug=page.course_slug, open_since=since, progress=progress)
    if viewer is not None and is_owned and not is_seeing_as_other() and _is_news(progress, page):
        open_lesson(user_id=viewer.user_id, course_id=page.course_id, lesson_id=page.lesson_id)
    open_slugs = {line.slug for section in sections for line in section.lessons if line.url}

    def neighbor(slug: str | None) -> str | None:
        return lesson_url(page.course_slug, slug) if slug in open_slugs and slug else None

    return {
        "course": course,
        # Rendered and sanitized when it was saved (app/markdown.py).
        "lesson": {
            "title": page.title,
            "slug": page.slug,
            "minutes": page.minutes,
            "body_html": Markup(page.body_html),  # noqa: S704
        },
        "sections": sections,
        "previous_url": neighbor(page.previous_slug),
        "next_url": neighbor(page.next_slug),
        "done": page.lesson_id in progress.done_lesson_ids,
        "can_complete": viewer is not None and is_owned,
        "preview": not is_owned,
        "offer": course.offer,
    }
