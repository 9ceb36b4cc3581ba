"""The search field on every page: one hit is opened at once, several are listed, none says what can be looked for."""

from flask import current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import ANY, may, page
from app.admin.listing import LONGEST_SEARCH
from app.reports.back_office_search import Hits, find_event_id, find_people, search_courses, search_orders


@page("/search", needs=ANY)
def search() -> ResponseReturnValue:
    text = " ".join(request.args.get("q", "").replace("\x00", "")[:LONGEST_SEARCH].split())
    hits = _search(text) if text else Hits()
    if hits.count == 1:
        return redirect(_address_of(hits), 303)
    return render_template("admin/search/results.html", text=text, hits=hits)


def _search(text: str) -> Hits:
    """Only what this person may open."""
    return Hits(
        orders=search_orders(text) if may(p.ORDERS_READ) else (),
        courses=search_courses(text) if may(p.CONTENT_READ) else (),
        people=find_people(text) if may(p.PEOPLE_READ) else (),
        event=find_event_id(text) if may(p.STRIPE_READ) and "admin.event" in current_app.view_functions else "",
    )


def _address_of(hits: Hits) -> str:
    if hits.orders:
        return url_for("admin.order", public_id=hits.orders[0].public_id)
    if hits.courses:
        return url_for("admin.course_editor", public_id=hits.courses[0].public_id)
    if hits.people:
        return url_for("admin.person", public_id=hits.people[0].public_id)
    return url_for("admin.event", event=hits.event)
