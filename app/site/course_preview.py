"""/preview/<token>: a course's page for who was sent the link, published or not. Lessons stay closed."""

from dataclasses import replace

from flask import Response, make_response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.catalog.course_pages import ALL_STATUSES
from app.catalog.preview_links import find_previewed_slug
from app.reports import pages
from app.site.blueprint import blueprint
from app.site.catalog import show_course_report


@blueprint.get("/preview/<token>")
def preview_course(token: str) -> AnyResponse:
    report = pages.get_course_report(slug=find_previewed_slug(token), statuses=ALL_STATUSES)
    if report.page.status != "draft":
        return redirect(url_for("site.course", slug=report.page.card.slug), 303)
    values = show_course_report(report)
    values["sections"] = [
        replace(section, lessons=[replace(lesson, url=None) for lesson in section.lessons])
        for section in values["sections"]
    ]
    return for_nobody_else(make_response(render_template("course.html", **values, by_link=True)))


def for_nobody_else(response: Response) -> Response:
    """Not indexed, not stored, and the address with its token is not told to other sites."""
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
