"""/bundles/<slug>: several courses for one price, and what of it is the visitor's already."""

from dataclasses import dataclass
from typing import Any

from flask import Response, url_for

from app.catalog.bundles import Bundle, get_bundle
from app.config import current_settings
from app.site.blueprint import blueprint
from app.site.came_from import note_page
from app.site.cards import CourseCardView, OfferView, show_courses, show_offer
from app.site.viewer import render_page


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleView:
    """A bundle for whoever is looking. owned: the titles that are theirs already; rest_amount: what the others cost one
    by one, None where nothing is theirs, or nobody can say."""

    title: str
    summary: str
    courses: list[CourseCardView]
    offer: OfferView
    saved_amount: int
    separate_amount: int | None
    owned: list[str]
    rest_amount: int | None


@blueprint.get("/bundles/<slug>")
def bundle(slug: str) -> Response:
    found = get_bundle(slug=slug)
    note_page()
    return render_page("bundle.html", facts=found, values=lambda: _show(found))


def _show(found: Bundle) -> dict[str, Any]:
    courses = show_courses(found.courses)
    left = [each for each, view in zip(found.courses, courses, strict=True) if not view.owned]
    owned = [view.title for view in courses if view.owned]
    is_whole = bool(courses) and not left
    view = BundleView(
        title=found.title,
        summary=found.summary,
        courses=courses,
        offer=show_offer(found.offer, url_for("site.my_courses") if is_whole else None),
        saved_amount=0 if owned else found.saved_amount,
        separate_amount=found.separate_amount,
        owned=owned,
        rest_amount=sum(each.offer.unit_amount or 0 for each in left)
        if owned and found.separate_amount is not None
        else None,
    )
    return {"bundle": view, "offer": view.offer, "refund_days": current_settings().refund_days}
