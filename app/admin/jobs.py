"""/admin/jobs: what the workers have before them, whether one runs, and what failed."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.checkout.numbers import format_order_number
from app.mail.services import send_failed_messages
from app.reports.event_lists import count_views
from app.reports.job_lists import list_failed_mails, list_jobs, list_refused_refunds, read_heartbeat
from app.reports.order_timelines import MAIL_WORDS

MOST_DIGITS = 9


@page("/jobs", needs=p.STRIPE_READ)
def jobs() -> str:
    return render_template(
        "admin/jobs.html", jobs=list_jobs(), heartbeat=read_heartbeat(), counts=count_views(), mail_words=MAIL_WORDS,
        mails=list_failed_mails(), refunds=list_refused_refunds(), number=format_order_number,
    )  # fmt: skip


@action("/jobs/mails", needs=p.ORDERS_WRITE)
def retry_failed_mails() -> ResponseReturnValue:
    text = request.form.get("mail", "")
    is_one = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
    count = send_failed_messages(message_id=int(text) if is_one else None)
    if count:
        say(f"{count} mail{'' if count == 1 else 's'} will go out again now. Reload in a moment.")
    else:
        say("Nothing to send: somebody else sent it again a moment ago.", "warning")
    return redirect(url_for("admin.jobs"), 303)
