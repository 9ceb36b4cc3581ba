"""Why is the course open, or not? The page behind the signed link of a mail, and the same for whoever is signed in."""

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.accounts.models import User
from app.accounts.seeing import is_seeing_as_other
from app.accounts.sessions import current_user_or_none, require_user
from app.checkout.claim_links import resend_claim_link
from app.checkout.errors import AmountMismatch
from app.checkout.returning import settle_for_return
from app.errors import NotFound
from app.extensions import limiter
from app.payments.gateway import PaymentUnavailable
from app.reports.access import explain_access, find_course_to_explain, with_silent_stripe
from app.reports.access_links import explain_link, is_of_link, read_access_link
from app.reports.access_shape import AccessTrace
from app.site.access_page import shape_access
from app.site.blueprint import blueprint
from app.site.origin import refuse_cross_site


@blueprint.get("/access/<token>")
@limiter.limit("60/minute;600/hour")
def access(token: str) -> Response:
    link = read_access_link(token)
    is_silent = bool(link.order_public_id) and not _is_settled(link.order_public_id)
    user = current_user_or_none()
    traces = explain_link(link, viewer_id=user.id if user is not None else None)
    if is_silent:
        traces = [with_silent_stripe(trace) for trace in traces]
    return _render(traces, user=user, token=token)


@blueprint.post("/access/<token>/resend")
@limiter.limit("10/minute;40/hour")
def resend_access_link(token: str) -> BaseResponse:
    refuse_cross_site()
    link = read_access_link(token)
    user = current_user_or_none()
    for trace in explain_link(link, viewer_id=user.id if user is not None else None):
        if trace.verdict.fix == "resend" and is_of_link(trace, link):
            resend_claim_link(seat_public_id=trace.seat_public_id)
    return redirect(url_for("site.access", token=token, sent=1), 303)


@blueprint.get("/account/access/<slug>")
@limiter.limit("60/minute;600/hour")
def account_access(slug: str) -> Response:
    user = require_user()
    course_id = find_course_to_explain(slug, user_id=user.id)
    if course_id is None:
        raise NotFound
    return _render([explain_access(course_id=course_id, user_id=user.id)], user=user, token="")


def _is_settled(order_public_id: str) -> bool:
    """Look at Stripe for an order that is still open, at most once a second; False when Stripe does not answer."""
    if is_seeing_as_other():
        return True
    try:
        settle_for_return(order_public_id=order_public_id, session_id=None)
    except PaymentUnavailable:
        return False
    except AmountMismatch:
        return True
    return True


def _render(traces: list[AccessTrace], *, user: User | None, token: str) -> Response:
    page = shape_access(traces, user=user, token=token)
    response = make_response(render_template("access.html", page=page, was_sent="sent" in request.args))
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers["Cache-Control"] = "no-store"
    return response
