"""My courses, orders and receipts, the mailed link of an order, and finding one's order again."""

from collections.abc import Sequence
from typing import Any

from flask import abort, render_template, request, url_for

from app.accounts.emails import normalize_email
from app.accounts.services import proved_email
from app.accounts.sessions import current_user_or_none, require_user
from app.checkout.access_links import make_access_token
from app.checkout.orders import (
    OrderView,
    find_order_by_public_id,
    get_order_of_link,
    get_order_of_user,
    list_orders_of_user,
    list_timeline,
)
from app.checkout.resend import resend_order_mails
from app.checkout.seat_orders import summarize_seats
from app.checkout.withdrawals import find_withdrawal
from app.errors import InvalidInput, NotFound
from app.extensions import limiter
from app.reports.library import LibraryCourse, get_library
from app.site.blueprint import blueprint
from app.site.browser import began_here, list_browser_orders
from app.site.drawings import cover_url
from app.site.origin import refuse_cross_site
from app.site.seats import has_seats_of
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
        orders=_shape_rows(orders),
    )


@blueprint.get("/account/orders")
def orders() -> str:
    user = require_user()
    found = list_orders_of_user(user_id=user.id, email=proved_email(user))
    return render_template("orders.html", orders=_shape_rows(found))


@blueprint.get("/account/orders/<order>")
def order(order: str) -> str:
    if order in list_browser_orders():
        found = find_order_by_public_id(order)
        if found is not None and began_here(found):
            return _render_order(
                found, shape_order(found), seats_url=_seats_url(found) if has_seats_of(order) else None
            )
    user = current_user_or_none()
    if user is None:
        raise NotFound
    found = get_order_of_user(public_id=order, user_id=user.id, email=proved_email(user))
    return _render_order(found, shape_order(found), seats_url=_seats_url(found))


@blueprint.get("/orders/<token>")
@limiter.limit("60/minute")
def order_by_link(token: str) -> str:
    found = get_order_of_link(token)
    shaped = shape_order(found)
    if found.has_invoice:
        shaped["receipt_url"] = url_for("site.order_link_invoice", token=token)
    return _render_order(found, shaped, seats_url=url_for("site.seats_by_link", token=token))


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


def _withdraw_url(public_id: str) -> str | None:
    """Where to withdraw from the contract: while the right lasts, and afterwards to see what was declared."""
    found = find_withdrawal(public_id)
    if found is None or (found[0].withdrawn_at is None and found[0].verdict != "in_time"):
        return None
    return url_for("site.show_withdrawal", token=found[1])


def _seats_url(order: OrderView) -> str:
    return url_for("site.seats", order=order.public_id)


def _render_order(found: OrderView, shaped: dict[str, Any], *, seats_url: str | None) -> str:
    if not found.number:
        abort(404)
    return render_template(
        "order.html",
        order=shaped,
        timeline=list_timeline(order_id=found.id, currency=found.currency),
        seats=summarize_seats(order_ids=[found.id]).get(found.id) if seats_url is not None else None,
        seats_url=seats_url,
        refund_until=found.refund_until,
        withdraw_url=_withdraw_url(found.public_id),
        access_url=url_for("site.access", token=make_access_token(found.public_id, found.link_version)),
    )


def _shape_rows(orders: Sequence[OrderView]) -> list[dict[str, Any]]:
    """Orders for the list; those with seats to give out lead to them."""
    seats = summarize_seats(order_ids=[order.id for order in orders])
    return [{**shape_order(order), "seats": seats.get(order.id), "seats_url": _seats_url(order)} for order in orders]


def _shape_course(course: LibraryCourse) -> dict[str, Any]:
    is_ready = course.next_slug is not None and course.next_opens_at is None
    next_url = url_for("site.lesson", slug=course.card.slug, lesson=course.next_slug) if is_ready else None
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
        "next_opens_at": course.next_opens_at,
    }
