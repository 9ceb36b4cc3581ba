"""Taking a seat: by the link of a mail, or by a team's shared link.

GET asks and POST takes, for mail scanners open links. The link is the proof: whoever holds it gets what was mailed to
the invited address, and no more; these forms carry no token of the session.
"""

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from app.accounts.emails import normalize_email
from app.accounts.models import User
from app.accounts.services import find_user_by_email, proved_email
from app.accounts.sessions import current_user_or_none, sign_in
from app.checkout.claim_links import resend_claim_link
from app.checkout.seat_orders import find_occasion
from app.enrollment.invitations import AddressHasSeat
from app.enrollment.seats import (
    InvitationReplaced,
    SeatOffer,
    claim_seat,
    claim_seat_into,
    find_seat_of_link,
    get_seat_offer,
)
from app.enrollment.services import list_open_course_ids
from app.enrollment.shared_links import AlreadyJoined, LinkFull, get_shared_link, join_by_mail, join_into
from app.errors import InvalidInput
from app.extensions import limiter
from app.formatting import mask_email
from app.reports.library import find_course_slug, find_first_lesson
from app.signing import LinkExpired
from app.site import limits
from app.site.blueprint import blueprint
from app.site.origin import refuse_cross_site

OPEN_LIMIT = "60/minute"
TAKE_LIMIT = "20/minute"
JOIN = limits.limit_posts(by_ip="20/minute;100/hour", by_email="5/hour")


@blueprint.get("/seats/claim/<token>")
@limiter.limit(OPEN_LIMIT)
def claim(token: str) -> ResponseReturnValue:
    try:
        offer = get_seat_offer(token)
    except InvitationReplaced:
        return render_template("claim.html", state="replaced", seat=None), 410
    except LinkExpired as error:
        return render_template("claim.html", state="expired", seat=None, token=token), error.status
    return _render_offer(offer)


@blueprint.post("/seats/claim/<token>", endpoint="take_seat")
@limiter.limit(TAKE_LIMIT)
def take_seat(token: str) -> ResponseReturnValue:
    refuse_cross_site()
    offer = get_seat_offer(token)
    wanted = request.form.get("account", "")
    if not wanted:
        sign_in(claim_seat(token))
        return _go_to_course(offer.course_ids)
    user = current_user_or_none()
    if user is None or user.public_id != wanted:
        # The page was made for another account: what it promised would happen in somebody else's name.
        flash("You’ve signed out or changed accounts since. Choose again where the course should go.", "info")
        return redirect(url_for("site.claim", token=token), 303)
    claim_seat_into(token, user_id=user.id)
    return _go_to_course(offer.course_ids)


@blueprint.post("/seats/claim/<token>/renew")
@limits.MAIL_LINK
@limits.answer_evenly
def renew_claim(token: str) -> ResponseReturnValue:
    refuse_cross_site()
    seat = find_seat_of_link(token)
    if seat is not None:
        resend_claim_link(seat_public_id=seat.public_id)
    return redirect(url_for("site.claim_renewed"), 303)


@blueprint.get("/seats/claim/renewed")
def claim_renewed() -> str:
    return render_template("claim.html", state="renewed", seat=None)


@blueprint.get("/seats/join/<token>")
@limiter.limit(OPEN_LIMIT)
def join(token: str) -> ResponseReturnValue:
    return _render_join(token)


@blueprint.post("/seats/join/<token>", endpoint="take_shared_seat")
@JOIN
@limits.answer_evenly
def take_shared_seat(token: str) -> ResponseReturnValue:
    refuse_cross_site()
    link = get_shared_link(token)
    user = current_user_or_none()
    try:
        if user is not None and proved_email(user) is not None and "email" not in request.form:
            join_into(token=token, user_id=user.id)
            return _go_to_course(link.course_ids)
        typed = request.form.get("email", "")
        email = normalize_email(typed)
        occasion = find_occasion(order_item_id=link.order_item_id, email=email)
        join_by_mail(token=token, email=email, occasion=occasion)
    except InvalidInput as error:
        return _render_join(token, typed=typed, error=error.sentence)
    except (AlreadyJoined, AddressHasSeat, LinkFull):
        # The page says which of them it is.
        return redirect(url_for("site.join", token=token), 303)
    return redirect(url_for("site.joined"), 303)


@blueprint.get("/seats/joined")
def joined() -> str:
    return render_template("join.html", state="sent", titles=(), from_name="")


def _render_offer(offer: SeatOffer) -> str:
    user = current_user_or_none()
    holder = find_user_by_email(offer.email)
    is_other = user is not None and user.email != offer.email
    seat = {
        **_describe(offer.order_item_id, offer.email),
        "invited": mask_email(offer.email),
        "is_mine": user is not None and offer.claimed_by_id == user.id,
        "invited_has_it": holder is not None and _has_all(holder, offer.course_ids),
        "other": _shape_account(user, offer) if user is not None and is_other else None,
        "course_url": _course_url(offer.course_ids),
    }
    return render_template("claim.html", seat=seat, state=_name_state(offer))


def _render_join(token: str, *, typed: str = "", error: str = "") -> ResponseReturnValue:
    try:
        link = get_shared_link(token)
    except LinkExpired as refusal:
        return render_template("join.html", state="ended", titles=(), from_name=""), refusal.status
    user = current_user_or_none()
    member = user if user is not None and proved_email(user) is not None else None
    has_it = member is not None and _has_all(member, link.course_ids)
    page = render_template(
        "join.html",
        state="mine" if has_it else "open" if link.left else "full",
        **_describe(link.order_item_id, ""),
        link=link,
        account=member.email if member is not None else None,
        course_url=_course_url(link.course_ids),
        typed=typed,
        error=error,
    )
    return page, 422 if error else 200


def _describe(order_item_id: int, email: str) -> dict[str, Any]:
    occasion = find_occasion(order_item_id=order_item_id, email=email)
    return {
        "titles": occasion.titles,
        "from_name": occasion.from_name,
        "is_gift": occasion.is_gift,
        "recipient_name": occasion.recipient_name,
        "message": occasion.message,
    }


def _name_state(offer: SeatOffer) -> str:
    if offer.is_closed:
        return "closed"
    return "used" if offer.is_taken else "ready"


def _shape_account(user: User, offer: SeatOffer) -> dict[str, Any]:
    return {
        "id": user.public_id,
        "email": user.email,
        "is_proved": proved_email(user) is not None,
        "has_it": _has_all(user, offer.course_ids),
    }


def _has_all(user: User, course_ids: tuple[int, ...]) -> bool:
    return set(course_ids) <= list_open_course_ids(user_id=user.id)


def _course_url(course_ids: tuple[int, ...]) -> str:
    slug = find_course_slug(course_ids)
    return url_for("site.course", slug=slug) if slug else url_for("site.my_courses")


def _go_to_course(course_ids: tuple[int, ...]) -> BaseResponse:
    first = find_first_lesson(course_ids)
    if first is None:
        return redirect(url_for("site.my_courses"), 303)
    return redirect(url_for("site.lesson", slug=first.course_slug, lesson=first.lesson_slug), 303)
