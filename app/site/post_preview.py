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
    public_id, user_id = read_post_preview_token(token)
    report, preview = pages.get_post_preview(public_id=public_id, user_id=user_id)
    path = url_for("site.post", slug=report.post.card.slug)
    if preview.is_public and not preview.is_unsaved:
        return redirect(path, 303)
    page = render_template(
        "post.html", canonical_url=canonical_url(path), preview=preview, **show_post_report(report)
    )  # fmt: skip
    return for_nobody_else(make_response(page))
