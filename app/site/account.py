"""The signed-in person's own pages but for what was bought, and signing in by a mailed link."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import sessions
from app.accounts.revocation import is_session_of, list_sessions, revoke_all_sessions
from app.accounts.services import rename_user
from app.accounts.sign_in_links import find_sign_in_link, request_sign_in_link, use_sign_in_link
from app.site import limits
from app.site.blueprint import blueprint
from app.site.forms import EmailForm, NameForm
from app.site.origin import local_path

FIX = 422
BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
           ("Mac OS X", "Mac"), ("Linux", "Linux"))  # fmt: skip


@blueprint.route("/account/link", methods=["GET", "POST"])
@limits.MAIL_LINK
@limits.answer_evenly
def sign_in_link() -> ResponseReturnValue:
    form = EmailForm()
    if form.validate_on_submit():
        next_path = local_path(request.args.get("next"), "")
        request_sign_in_link(email=form.email.data or "", next_path=next_path)
        return redirect(url_for("security.check_inbox", about="link"), 303)
    return render_template("security/send_login.html", send_login_form=form, action=url_for("site.sign_in_link")), (
        FIX if form.errors else 200
    )


@blueprint.get("/account/link/<token>")
def open_sign_in_link(token: str) -> ResponseReturnValue:
    user = find_sign_in_link(token=token)
    return render_template("security/proceed.html", about="link", email=user.email)


@blueprint.post("/account/link/<token>")
@limits.CHANGE
def follow_sign_in_link(token: str) -> ResponseReturnValue:
    user, next_path = use_sign_in_link(token=token)
    sessions.sign_in(user)
    return redirect(local_path(next_path), 303)


@blueprint.route("/account/profile", methods=["GET", "POST"])
@limits.CHANGE
def profile() -> ResponseReturnValue:
    user = sessions.require_user()
    form = NameForm(obj=user)
    if form.validate_on_submit():
        rename_user(user_id=user.id, name=form.name.data or "")
        flash("Your name is saved.", "success")
        return redirect(url_for("site.profile"), 303)
    token = sessions.present_token()
    devices = [
        {"label": describe_browser(row.user_agent), "since": row.created_at, "is_this": is_session_of(row, token=token)}
        for row in list_sessions(user_id=user.id)
    ]
    page = render_template(
        "profile.html",
        form=form,
        devices=devices,
        has_password=user.password is not None,
        email=user.email,
        sign_out_everywhere_url=url_for("site.sign_out_everywhere"),
    )
    return page, FIX if form.errors else 200


@blueprint.post("/account/sign-out-everywhere")
def sign_out_everywhere() -> ResponseReturnValue:
    user = sessions.require_user()
    revoke_all_sessions(user_id=user.id)
    sessions.sign_out()
    flash("You’re signed out on every device.", "success")
    return redirect(url_for("security.login"), 303)


def describe_browser(user_agent: str) -> str:
    """ "Chrome on Windows"; "Unknown browser" where it does not say."""
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "Unknown browser")
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    return f"{browser} on {system}" if system else browser
