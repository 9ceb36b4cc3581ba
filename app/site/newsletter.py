"""The newsletter's pages: join, confirm, leave. Public and without a token; joining is checked by Origin and rate."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.errors import InvalidInput
from app.newsletter.services import (
    check_confirm_link,
    check_unsubscribe_link,
    confirm,
    subscribe,
    unsubscribe,
)
from app.site import limits
from app.site.blueprint import blueprint
from app.site.origin import refuse_cross_site

FIX = 422
# RFC 8058: what a mailbox provider posts when its reader presses "unsubscribe"; it follows no redirect.
ONE_CLICK = ("List-Unsubscribe", "One-Click")


@blueprint.get("/newsletter")
def newsletter() -> ResponseReturnValue:
    return render_template("newsletter.html")


@blueprint.post("/newsletter")
@limits.NEWSLETTER
@limits.answer_evenly
def newsletter_subscribe() -> ResponseReturnValue:
    refuse_cross_site()
    email = request.form.get("email", "")
    try:
        subscribe(email=email, source=request.form.get("source", ""))
    except InvalidInput as error:
        return render_template("newsletter.html", error=error.sentence, email=email), FIX
    return redirect(url_for("site.newsletter_check"), 303)


@blueprint.get("/newsletter/check")
def newsletter_check() -> ResponseReturnValue:
    return render_template("newsletter_done.html", state="sent")


@blueprint.get("/newsletter/confirm/<token>")
def newsletter_confirm(token: str) -> ResponseReturnValue:
    check_confirm_link(token=token)
    return render_template("newsletter_confirm.html")


@blueprint.post("/newsletter/confirm/<token>")
def newsletter_confirm_now(token: str) -> ResponseReturnValue:
    refuse_cross_site()
    confirm(token=token)
    return redirect(url_for("site.newsletter_confirmed"), 303)


@blueprint.get("/newsletter/confirmed")
def newsletter_confirmed() -> ResponseReturnValue:
    return render_template("newsletter_done.html", state="confirmed")


@blueprint.get("/newsletter/unsubscribe/<token>")
def newsletter_unsubscribe(token: str) -> ResponseReturnValue:
    check_unsubscribe_link(token=token)
    return render_template("newsletter_unsubscribe.html")


@blueprint.post("/newsletter/unsubscribe/<token>")
def newsletter_unsubscribe_now(token: str) -> ResponseReturnValue:
    """The token alone is the right to leave: mailbox providers post from anywhere."""
    unsubscribe(token=token)
    name, value = ONE_CLICK
    if request.form.get(name) == value:
        return render_template("newsletter_done.html", state="unsubscribed")
    return redirect(url_for("site.newsletter_left"), 303)


@blueprint.get("/newsletter/left")
def newsletter_left() -> ResponseReturnValue:
    return render_template("newsletter_done.html", state="unsubscribed")
