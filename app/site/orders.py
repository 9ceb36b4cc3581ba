"""My courses, orders, receipts, and the links that were mailed: an order's, a seat's, find my order."""

from typing import Any

from flask import abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.accounts.emails import normalize_email
from app.accounts.services import proved_email
from app.accounts.sessions import current_user_or_none, require_user, sign_in
from app.checkout.orders import (
    OrderView,
    find_order_by_public_id,
    get_order_of_link,
    get_order_of_user,
    list_orders_of_user,
    list_timeline,
)
from app.checkout.resend import resend_order_mails
from app.enrollment.seats import claim_seat, get_seat_offer
from app.errors import InvalidInput, NotFound
from app.extensions import limiter
from app.reports.library import LibraryCourse, find_course_titles, find_first_lesson, get_library
from app.site.blueprint import blueprint
from app.site.browser import list_browser_orders
from app.site.drawings import cover_url
from app.site.origin import refuse_cross_site
from app.site.shapes import shape_order

LATEST_ORDERS = 3


@blueprint.get("/account/courses")
def my_courses() -> str:
    user = require_user()
    courses = [_shape_course(each) for each in get_library(user_id=user.id)]
    orders = list_orders_of_user(user_id=user.id, email=proved_email(user), limit=LATEST_ORDERS)
    return render_template(
        "my_courses.html",
        current=courses[0] if courses else None,
        courses=courses[1:],
        orders=[shape_order(order) for order in orders],
    )


@blueprint.get("/account/orders")
def orders() -> str:
    user = require_user()
    found = list_orders_of_user(user_id=user.id, email=proved_email(user))
    return render_template("orders.html", orders=[shape_order(order) for order in found])


@blueprint.get("/account/orders/<order>")
def order(order: str) -> str:
    if order in list_browser_orders():
        found = find_order_by_public_id(order)
        if found is not None:
            return _render_order(found)
    user = current_user_or_none()
    if user is None:
        raise NotFound
    return _render_order(get_order_of_user(public_id=order, user_id=user.id, email=proved_email(user)))


@blueprint.get("/orders/<token>")
@limiter.limit("60/minute")
def order_by_link(token: str) -> str:
    return _render_order(get_order_of_link(token))


@blueprint.route("/find-order", methods=["GET", "POST"])
@limiter.limit("10/minute;40/hour", methods=["POST"])
def find_order() -> str | tuple[str, int]:
    if request.method == "GET":
        return render_template("find_order.html")
    refuse_cross_site()
    typed = request.form.get("email", "")
    try:
        email = normalize_email(typed)
    except InvalidInput as error:
        return render_template("find_order.html", email=typed, error=error.sentence), error.status
    resend_order_mails(email=email)
    return render_template("find_order.html", sent=True)


@blueprint.get("/seats/claim/<token>")
@limiter.limit("60/minute")
def claim(token: str) -> str:
    offer = get_seat_offer(token)
    seat = {
        "course_title": ", ".join(find_course_titles(offer.course_ids)),
        "from_name": "",
        "from_whom": "",
        "giver": "",
    }
    state = "used" if offer.is_taken else "expired" if offer.is_closed else "ready"
    return render_template("claim.html", seat=seat, state=state)


@blueprint.post("/seats/claim/<token>", endpoint="take_seat")
@limiter.limit("20/minute")
def take_seat(token: str) -> BaseResponse:
    refuse_cross_site()
    course_ids = get_seat_offer(token).course_ids
    sign_in(claim_seat(token))
    first = find_first_lesson(course_ids)
    if first is None:
        return redirect(url_for("site.my_courses"), 303)
    return redirect(url_for("site.lesson", slug=first.course_slug, lesson=first.lesson_slug), 303)


def _render_order(found: OrderView) -> str:
    if not found.number:
        abort(404)
    return render_template(
        "order.html",
        order=shape_order(found),
        timeline=list_timeline(order_id=found.id, currency=found.currency),
        seats=[],
        refund_until=found.refund_until,
    )


def _shape_course(course: LibraryCourse) -> dict[str, Any]:
    next_url = url_for("site.lesson", slug=course.card.slug, lesson=course.next_slug) if course.next_slug else None
    return {
        "slug": course.card.slug,
        "title": course.card.title,
        "promise": course.card.promise,
        "cover_url": cover_url(course.card.slug, course.card.cover_path),
        "done": course.done,
        "total": course.total,
        "next_url": next_url,
        "next_title": course.next_title,
        "next_minutes": course.next_minutes,
    }
