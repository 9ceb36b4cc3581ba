"""/api/v1/courses."""

from typing import Any

from flask import redirect
from werkzeug.wrappers import Response as AnyResponse

from app.api.blueprint import PREFIX, ShopBlueprint
from app.api.paging import make_cursor, read_id_cursor
from app.api.reads import public_read
from app.api.schemas import CourseArguments, CourseDetailSchema, CoursePageSchema
from app.api.shapes import shape_course, shape_course_report
from app.catalog import services
from app.errors import NotFound
from app.reports.pages import get_course_report

blueprint = ShopBlueprint("courses", __name__, url_prefix=f"{PREFIX}/courses", description="The catalog.")


@blueprint.get("")
@public_read
@blueprint.arguments(CourseArguments, location="query")
@blueprint.response(200, CoursePageSchema)
def list_courses(arguments: dict[str, Any]) -> dict[str, Any]:
    """List published courses

    In the order they were made, with their present offer. Repeat with next_cursor until it is null.
    """
    limit = arguments.pop("limit")
    after = read_id_cursor(arguments.pop("cursor"))
    cards = services.list_courses_after(course_id=after, limit=limit + 1, **arguments)
    more = len(cards) > limit
    return {
        "data": [shape_course(card) for card in cards[:limit]],
        "next_cursor": make_cursor(cards[limit - 1].course_id) if more else None,
    }


@blueprint.get("/<slug>")
@public_read
@blueprint.response(200, CourseDetailSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def get_course(slug: str) -> dict[str, Any] | AnyResponse:
    """Read a course

    With its present prices, its curriculum without the lessons' texts, and the posts that lead to it. The address of
    a course that has moved answers 301.
    """
    try:
        report = get_course_report(slug=slug)
    except NotFound:
        present = services.find_course_by_old_slug(slug)
        if present is None:
            raise
        return redirect(f"{PREFIX}/courses/{present}", 301)
    prices = [
        {"id": price.price_id, "amount": price.unit_amount, "currency": price.currency}
        for price in services.list_current_prices(product_id=report.page.card.product_id)
        if report.page.card.offer.state in {"on_sale", "free"}
    ]
    return shape_course_report(report, prices)
