"""/preview/post/<token>: a post's page for who was sent the link, published or not."""

from flask import make_response, redirect, render_template, url_for
from werkzeug.wrappers import Response

from app.blog.preview_links import read_post_preview_token
from app.reports import pages
from app.site.blog import show_post_report
from app.site.blueprint import blueprint
from app.site.course_preview import for_nobody_else
from app.site.viewer import canonical_url


@blueprint.get("/preview/post/<token>")
def preview_post(token: str) -> Response:
    report, is_public = pages.get_post_preview(public_id=read_post_preview_token(token))
    path = url_for("site.post", slug=report.post.card.slug)
    if is_public:
        return redirect(path, 303)
    page = render_template(
        "post.html", canonical_url=canonical_url(path), is_preview=True, **show_post_report(report)
    )  # fmt: skip
    return for_nobody_else(make_response(page))
