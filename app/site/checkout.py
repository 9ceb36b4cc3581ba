"""Enroll, our checkout page, and the way back from Stripe."""

from urllib.parse import urlencode

from flask import Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.accounts.seeing import is_seeing_as_other
from app.accounts.services import proved_email
from app.accounts.sessions import current_user_or_none
from app.catalog.bundles import find_bundle_slug
from app.checkout.access_links import make_access_token
from app.checkout.choices import Buyer, get_choice
from app.checkout.consents import ConsentNeeded
from app.checkout.errors import AlreadyEnrolled, AmountMismatch, CodeUnusable, EmailNeeded
from app.checkout.orders import OrderView, find_order_by_public_id, find_order_of_session
from app.checkout.returning import settle_for_return
from app.checkout.services import start_checkout
from app.errors import AppError, InvalidInput, NotFound
from app.extensions import limiter
from app.payments.gateway import PaymentUnavailable
from app.reports.library import find_course_slug, find_first_lesson
from app.site.blueprint import blueprint
from app.site.browser import began_here, get_browser_key, has_browser_key, list_browser_orders, remember_order
from app.site.came_from import read_origin
from app.site.checkout_forms import form_values, has_page_fields, read_email, read_wish, shape_checkout
from app.site.origin import refuse_cross_site
from app.site.shapes import shape_order

LONGEST_ID = 255
# Each try of a code is one look at the checkout page or one form sent: nobody guesses codes at this rate (attack A16).
CODE_TRIES = "20/minute;100/hour"


@blueprint.get("/checkout/<price_id>", endpoint="checkout")
@limiter.limit(CODE_TRIES, exempt_when=lambda: not request.args.get("code"))
def show_checkout(price_id: str) -> str:
    return _render_checkout(price_id)


@blueprint.post("/checkout", endpoint="start_checkout")
@limiter.limit("120/minute;1200/hour")
@limiter.limit(CODE_TRIES, exempt_when=lambda: not request.form.get("code"))
def start_checkout_view() -> BaseResponse:
    refuse_cross_site()
    if _should_plant_cookie():
        get_browser_key()
        return redirect(url_for("site.start_checkout", again=1), 307)
    price_id = request.form.get("price_id", "")
    if not price_id or len(price_id) > LONGEST_ID:
        raise InvalidInput("Open the course page and press Enroll there.", field="price_id")
    if request.form.get("step") == "update":
        return Response(_render_checkout(price_id))
    try:
        started = start_checkout(
            price_public_id=price_id,
            buyer=_get_buyer(),
            wish=read_wish(),
            origin=read_origin(),
        )
    except (EmailNeeded, ConsentNeeded, CodeUnusable, InvalidInput) as error:
        return _answer_refusal(error, price_id)
    except AlreadyEnrolled as error:
        return _go_to_owned(error, price_id)
    remember_order(started.order_public_id)
    if started.url is None:
        return redirect(url_for("site.checkout_success", order=started.order_public_id), 303)
    return redirect(started.url, 303)


@blueprint.get("/checkout/success")
@limiter.limit("120/minute")
def checkout_success() -> BaseResponse:
    order = _find_returning_order()
    if order is None or not _is_own(order):
        # Somebody else's, or this buyer in another browser: the same words, and nobody's data.
        return Response(render_template("checkout_elsewhere.html"), 404)
    user = current_user_or_none()
    first_lesson = find_first_lesson(order.course_ids)
    page = render_template(
        "checkout_success.html",
        order=shape_order(order),
        is_guest=user is None,
        first_lesson_url=url_for("site.lesson", slug=first_lesson.course_slug, lesson=first_lesson.lesson_slug)
        if first_lesson
        else None,
        my_courses_url=url_for("site.my_courses"),
        refund_until=order.refund_until,
        poll_url=url_for("site.checkout_status", order=order.public_id),
        seats_url=url_for("site.seats", order=order.public_id),
        access_url=url_for("site.access", token=make_access_token(order.public_id, order.link_version)),
        retry_price_id=order.price_public_id,
    )
    return Response(page)


@blueprint.get("/checkout/status/<order>")
@limiter.limit("120/minute")
def checkout_status(order: str) -> Response:
    found = find_order_by_public_id(order)
    if found is None or not _is_own(found):
        raise NotFound
    return jsonify(state=_settle_quietly(found).state)


@blueprint.get("/checkout/cancelled")
def checkout_cancelled() -> BaseResponse:
    order = find_order_by_public_id(request.args.get("order", "")[:LONGEST_ID])
    own = order if order is not None and _is_own(order) else None
    bundle_slug = find_bundle_slug(price_public_id=own.price_public_id) if own else None
    if bundle_slug is not None:
        flash("You haven’t been charged. The bundle is here whenever you’re ready.", "info")
        return redirect(url_for("site.bundle", slug=bundle_slug), 303)
    slug = find_course_slug(own.course_ids) if own else None
    flash("You haven’t been charged. The course is here whenever you’re ready.", "info")
    return redirect(url_for("site.course", slug=slug) if slug else url_for("site.courses"), 303)


def _should_plant_cookie() -> bool:
    """A browser's very first Enroll is sent around once with a cookie, so that a double click is one buyer.

    Pages carry no token of their own (they are cacheable), and two cookie-less clicks could not be told from two
    people behind one address. Programs do not navigate; browsers that refuse cookies come back with again=1.
    """
    is_navigation = request.headers.get("Sec-Fetch-Mode") == "navigate"
    return is_navigation and not has_browser_key() and "again" not in request.args and current_user_or_none() is None


def _get_buyer() -> Buyer:
    user = current_user_or_none()
    return Buyer(
        user_id=user.id if user is not None else None,
        browser_key=get_browser_key() if user is None else "",
        email=read_email(user),
    )


def _answer_refusal(error: AppError, price_id: str) -> BaseResponse:
    is_missing = isinstance(error, EmailNeeded | ConsentNeeded)
    if has_page_fields() or not is_missing or "email" in request.form:
        return Response(_render_checkout(price_id, error=error), error.status)
    # The one-click button has none of the fields: the page that has them comes next, and nothing is wrong yet.
    query = urlencode(form_values())
    return redirect(url_for("site.checkout", price_id=price_id) + (f"?{query}" if query else ""), 303)


def _go_to_owned(error: AlreadyEnrolled, price_id: str) -> BaseResponse:
    order = find_order_by_public_id(error.order_public_id) if error.order_public_id else None
    if order is not None and (order.state == "processing" or order.purpose != "self"):
        return redirect(url_for("site.checkout_success", order=order.public_id), 303)
    flash("You already have this course, so there’s nothing to pay. Continue where you left off.", "info")
    slug = find_course_slug([each.id for each in get_choice(price_id).courses])
    return redirect(url_for("site.course", slug=slug) if slug else url_for("site.my_courses"), 303)


def _find_returning_order() -> OrderView | None:
    session_id = request.args.get("session_id", "")
    if session_id:
        if len(session_id) > LONGEST_ID:
            return None
        order = find_order_of_session(stripe_checkout_session_id=session_id)
        if order is None:
            order = _find_among_own(session_id)
    else:
        order = find_order_by_public_id(request.args.get("order", "")[:LONGEST_ID])
    return None if order is None else _settle_quietly(order)


def _find_among_own(session_id: str) -> OrderView | None:
    """Our own commit of the session id was lost: try it on the orders that this browser began (F05)."""
    for public_id in reversed(list_browser_orders()):
        order = find_order_by_public_id(public_id)
        if order is not None and order.state == "pending":
            try:
                settle_for_return(order_public_id=public_id, session_id=session_id)
            except (PaymentUnavailable, AmountMismatch):
                return None
            found = find_order_of_session(stripe_checkout_session_id=session_id)
            if found is not None:
                return found
    return None


def _settle_quietly(order: OrderView) -> OrderView:
    """The order after a look at Stripe; as it was when Stripe does not answer, for the page says "confirming"."""
    if is_seeing_as_other():
        return order
    try:
        settle_for_return(order_public_id=order.public_id, session_id=None)
    except (PaymentUnavailable, AmountMismatch):
        return order
    return find_order_by_public_id(order.public_id) or order


def _is_own(order: OrderView) -> bool:
    if began_here(order):
        return True
    user = current_user_or_none()
    if user is None:
        return False
    return order.user_id == user.id or order.email == proved_email(user)


def _render_checkout(price_id: str, *, error: AppError | None = None) -> str:
    user = current_user_or_none()
    buyer_key = Buyer(
        user_id=user.id if user is not None else None,
        browser_key=get_browser_key() if user is None and has_browser_key() else "",
        email=None,
    ).key
    return render_template("checkout.html", **shape_checkout(price_id, buyer_key=buyer_key, error=error))
