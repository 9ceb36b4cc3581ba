"""/api/v1/posts."""

from typing import Any

from flask import redirect
from werkzeug.wrappers import Response as AnyResponse

from app.api.blueprint import PREFIX, ShopBlueprint
from app.api.paging import make_cursor, read_moment_cursor
from app.api.reads import public_read
from app.api.schemas import PostArguments, PostDetailSchema, PostPageSchema
from app.api.shapes import shape_post, shape_post_report
from app.blog.services import find_post_by_old_slug
from app.errors import NotFound
from app.reports.pages import get_post_report, list_posts_page

blueprint = ShopBlueprint("posts", __name__, url_prefix=f"{PREFIX}/posts", description="The blog.")


@blueprint.get("")
@public_read
@blueprint.arguments(PostArguments, location="query")
@blueprint.response(200, PostPageSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def list_posts(arguments: dict[str, Any]) -> dict[str, Any]:
    """List published posts

    Newest first. Repeat with next_cursor until it is null.
    """
    limit = arguments["limit"]
    moment, post_id = read_moment_cursor(arguments["cursor"])
    found = list_posts_page(limit=limit + 1, published_at=moment, post_id=post_id, category_slug=arguments["category"])
    last = found[limit - 1].card if len(found) > limit else None
    return {
        "data": [shape_post(post) for post in found[:limit]],
        "next_cursor": make_cursor(last.post_id, last.published_at) if last else None,
    }


@blueprint.get("/<slug>")
@public_read
@blueprint.response(200, PostDetailSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def get_post(slug: str) -> dict[str, Any] | AnyResponse:
    """Read a post

    With its text as HTML, its contents, and the courses it leads to with their present offer. The address of a post
    that has moved answers 301.
    """
    try:
        return shape_post_report(get_post_report(slug=slug))
    except NotFound:
        present = find_post_by_old_slug(slug)
        if present is None:
            raise
        return redirect(f"{PREFIX}/posts/{present}", 301)
