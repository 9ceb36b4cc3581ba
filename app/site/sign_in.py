"""Signing in and out, registering, confirming, passwords: the "security" endpoints that Flask-Security links to."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from app.accounts import sessions
from app.accounts.credentials import (
    PasswordWrong,
    SignInFailed,
    change_password,
    check_credentials,
    check_own_password,
    find_reset,
    request_password_reset,
    reset_password,
)
from app.accounts.passwords import PasswordRefused
from app.accounts.registration import confirm_address, find_confirmation, register_user, request_confirmation
from app.errors import AppError
from app.extensions import csrf
from app.site import limits
from app.site.blueprint import blueprint as site_blueprint
from app.site.forms import (
    AccountForm,
    AddPasswordForm,
    ChangePasswordForm,
    EmailForm,
    RegisterForm,
    ResetPasswordForm,
    SignInForm,
    VerifyForm,
)
from app.site.origin import local_path, refuse_cross_site

# Named as Flask-Security names its own, so that url_for_security() and its guards find the pages.
blueprint = Blueprint("security", __name__, url_prefix="/account")
REGISTRATION = "registration"
FIX = 422


@site_blueprint.record_once
def _register_beside(state: BlueprintSetupState) -> None:
    state.app.register_blueprint(blueprint)


@site_blueprint.before_request
@blueprint.before_request
def protect_account_forms() -> None:
    """Every POST below /account carries our token and comes from our own pages."""
    if request.method == "POST" and request.path.startswith("/account/"):
        refuse_cross_site()
        csrf.protect()


@blueprint.route("/login", methods=["GET", "POST"])
@limits.SIGN_IN
def login() -> ResponseReturnValue:
    next_path = local_path(request.args.get("next"))
    form = SignInForm()
    if sessions.current_user_or_none() is not None:
        return redirect(next_path, 303)
    if form.validate_on_submit():
        try:
            user = check_credentials(email=form.email.data or "", password=form.password.data or "")
        except SignInFailed as error:
            _blame(form, "password", error)
            return _show("login_user", form)
        sessions.sign_in(user)
        return redirect(next_path, 303)
    return _show("login_user", form)


@blueprint.post("/logout")
def logout() -> ResponseReturnValue:
    sessions.sign_out()
    return redirect(url_for("site.home"), 303)


@blueprint.route("/register", methods=["GET", "POST"])
@limits.REGISTER
@limits.answer_evenly
def register() -> ResponseReturnValue:
    if sessions.current_user_or_none() is not None:
        return redirect(local_path(request.args.get("next")), 303)
    form = RegisterForm()
    if form.validate_on_submit():
        session[REGISTRATION] = register_user(
            email=form.email.data or "",
            name=form.name.data or "",
            password=form.password.data or "",
            next_path=local_path(request.args.get("next"), ""),
        )
        return redirect(url_for("security.check_inbox", about="register"), 303)
    return _show("register_user", form)


@blueprint.route("/confirm", methods=["GET", "POST"])
@limits.MAIL_LINK
@limits.answer_evenly
def send_confirmation() -> ResponseReturnValue:
    form = EmailForm()
    if form.validate_on_submit():
        request_confirmation(email=form.email.data or "")
        return redirect(url_for("security.check_inbox", about="confirm"), 303)
    return _show("send_confirmation", form)


@blueprint.get("/confirm/<token>")
def confirm_email(token: str) -> ResponseReturnValue:
    user = find_confirmation(token=token)
    return render_template("security/proceed.html", about="confirm", email=user.email)


@blueprint.post("/confirm/<token>")
@limits.CHANGE
def confirm_email_now(token: str) -> ResponseReturnValue:
    user, next_path = confirm_address(token=token, browser_proof=str(session.get(REGISTRATION, "")))
    sessions.sign_in(user)
    if user.password is None:
        flash("Your address is confirmed. Add a password, or keep signing in by email link.", "success")
        return redirect(url_for("security.change_password"), 303)
    flash("Your address is confirmed.", "success")
    return redirect(local_path(next_path), 303)


@blueprint.route("/reset", methods=["GET", "POST"])
@limits.MAIL_LINK
@limits.answer_evenly
def forgot_password() -> ResponseReturnValue:
    form = EmailForm()
    if form.validate_on_submit():
        request_password_reset(email=form.email.data or "")
        return redirect(url_for("security.check_inbox", about="reset"), 303)
    return _show("forgot_password", form)


@blueprint.route("/reset/<token>", methods=["GET", "POST"], endpoint="reset_password")
@limits.CHANGE
def choose_new_password(token: str) -> ResponseReturnValue:
    form = ResetPasswordForm()
    find_reset(token=token)
    if form.validate_on_submit():
        try:
            reset_password(token=token, new_password=form.password.data or "")
        except PasswordRefused as error:
            _blame(form, "password", error)
            return _show("reset_password", form, reset_password_token=token)
        sessions.sign_out()
        flash("Your new password is saved. Sign in with it.", "success")
        return redirect(url_for("security.login"), 303)
    return _show("reset_password", form, reset_password_token=token)


@blueprint.route("/change", methods=["GET", "POST"], endpoint="change_password")
@limits.CHANGE
def change_own_password() -> ResponseReturnValue:
    user = sessions.require_user()
    if user.password is None:
        user = sessions.require_fresh_user()
    form = ChangePasswordForm() if user.password is not None else AddPasswordForm()
    has_password = user.password is not None
    if form.validate_on_submit():
        old_password = form.password.data if isinstance(form, ChangePasswordForm) else None
        try:
            user = change_password(user=user, old_password=old_password, new_password=form.new_password.data or "")
        except PasswordRefused as error:
            _blame(form, "new_password", error)
            return _show("change_password", form, active_password=has_password)
        except PasswordWrong as error:
            _blame(form, "password", error)
            return _show("change_password", form, active_password=has_password)
        sessions.sign_in(user)
        flash("Your password is saved. Every other device is signed out.", "success")
        return redirect(url_for("site.profile"), 303)
    return _show("change_password", form, active_password=has_password)


@blueprint.route("/verify", methods=["GET", "POST"])
@limits.CHANGE
def verify() -> ResponseReturnValue:
    user = sessions.require_user()
    form = VerifyForm()
    has_password = user.password is not None
    if has_password and form.validate_on_submit():
        try:
            check_own_password(user=user, password=form.password.data or "")
        except PasswordWrong as error:
            _blame(form, "password", error)
            return _show("verify", form, active_password=has_password, email=user.email)
        sessions.mark_fresh()
        return redirect(local_path(request.args.get("next")), 303)
    return _show("verify", form, active_password=has_password, email=user.email)


@blueprint.get("/check")
def check_inbox() -> ResponseReturnValue:
    return render_template("security/sent.html", about=request.args.get("about", ""))


def _show(template: str, form: AccountForm, **context: Any) -> ResponseReturnValue:
    """The page with its form under the name Flask-Security's templates use; 422 when it has problems."""
    page = render_template(f"security/{template}.html", **{f"{template}_form": form}, **context)
    return page, FIX if form.errors else 200


def _blame(form: AccountForm, field: str, error: AppError) -> None:
    """Put a service's refusal beside the field that it is about."""
    form[field].errors = [error.sentence]
