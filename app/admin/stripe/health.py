"""/admin/stripe/health: how the webhooks do, the doctor's checks, and the webhook endpoint."""

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.checkout.endpoint import configure_own_endpoint
from app.errors import AppError
from app.payments.webhook_endpoints import make_webhook_url
from app.reports.doctor_runs import find_last_run, run_doctor
from app.reports.webhook_health import judge_webhooks


@page("/stripe/health", needs=p.STRIPE_READ)
def stripe_health() -> str:
    return render_template(
        "admin/stripe/health.html", health=judge_webhooks(), run=find_last_run(), url=make_webhook_url()
    )


@action("/stripe/health/check", needs=p.STRIPE_WRITE)
def check_stripe_health() -> ResponseReturnValue:
    failed = sum(check["level"] == "fail" for check in run_doctor().checks)
    if failed:
        say(f"{failed} check{' needs' if failed == 1 else 's need'} you. Each line says what to do.", "warning")
    else:
        say("Everything that was checked works.")
    return redirect(url_for("admin.stripe_health"), 303)


@action("/stripe/health/endpoint", needs=p.STRIPE_WRITE, is_sensitive=True)
def configure_webhook_endpoint() -> ResponseReturnValue:
    try:
        configured = configure_own_endpoint()
    except AppError as error:
        say(f"The endpoint was not changed. {error.sentence}", "error")
        return redirect(url_for("admin.stripe_health"), 303)
    # No redirect: a secret is on this answer only, which nobody stores, and in no cookie or address.
    return render_template("admin/stripe/endpoint.html", configured=configured), 201 if configured.secret else 200
