"""The things that need a person, each with the button that fixes it."""

from dataclasses import dataclass
from typing import Any

from flask import redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from app.accounts import permissions as p
from app.admin.blueprint import action, may, page, say
from app.admin.shell import find_url
from app.checkout.findings import dismiss_finding, get_finding
from app.checkout.reconcile_orders import look_again
from app.mail.services import send_failed_messages
from app.payments.events import retry_events
from app.reports.attention import FINDING_TITLES, Attention, find_order_of, list_attention

LONGEST_REASON = 300
# Icon and color of each kind.
LOOKS = {
    "events": ("bolt", "bad"),
    "finding": ("warning", "bad"),
    "order": ("clock", "warn"),
    "course": ("tag", "info"),
    "post": ("pencil", "warn"),
    "mails": ("mail", "bad"),
    "webhooks": ("bolt", "bad"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Todo:
    """A line of the list. post_url: a button that acts at once; url: where the headline leads; both may be missing."""

    item: Attention
    icon: str
    color: str
    url: str | None = None
    label: str = ""
    link_url: str | None = None
    post_url: str | None = None
    busy: str = ""


class DismissForm(FlaskForm):
    """Why a finding is taken off the list."""

    reason = StringField(
        "Why is it solved?",
        validators=[
            DataRequired("Say why it is solved."),
            Length(max=LONGEST_REASON, message=f"Keep it to {LONGEST_REASON} characters."),
        ],
    )


def list_todos() -> list[Todo]:
    """What needs this person: only what they may see, with buttons only for what they may do."""
    return [_show(item) for item in list_attention() if may(item.needs)]


@action("/attention/events", needs=p.STRIPE_WRITE)
def retry_failed_events() -> Response:
    count = retry_events()
    say(f"{_count(count, 'event')} will be handled again now. Reload in a moment." if count else "No event waits.")
    return redirect(url_for("admin.home"), 303)


@action("/attention/mails", needs=p.ORDERS_WRITE)
def send_mails_again() -> Response:
    count = send_failed_messages()
    say(f"{_count(count, 'mail')} will go out again now. Reload in a moment." if count else "No mail waits.")
    return redirect(url_for("admin.home"), 303)


@action("/attention/orders/<public_id>", needs=p.ORDERS_WRITE)
def ask_stripe_about_order(public_id: str) -> Response:
    outcome = look_again(public_id)
    if outcome is None:
        say("Stripe says the same as the shop: nothing had to change.")
    elif outcome.result == "healed":
        say("The order was brought in line with Stripe.")
    else:
        say(outcome.reason, "error")
    return redirect(url_for("admin.home"), 303)


@page("/attention/findings/<path:key>", needs=p.ORDERS_READ)
def finding(key: str) -> str:
    return _render_finding(key, DismissForm())


@action("/attention/findings/<path:key>", needs=p.ORDERS_WRITE)
def dismiss(key: str) -> Response:
    form = DismissForm()
    if not form.validate_on_submit():
        return Response(_render_finding(key, form), 422, content_type="text/html; charset=utf-8")
    if dismiss_finding(key=key, reason=form.reason.data or ""):
        say("Taken off the list. Your reason is in the activity log.")
    else:
        say("Somebody took it off the list before you.", "warning")
    order = find_order_of(get_finding(key)) if request.form.get("back") == "order" else None
    return redirect(url_for("admin.order", public_id=order) if order else url_for("admin.home"), 303)


def _render_finding(key: str, form: DismissForm) -> str:
    found = get_finding(key)
    order = find_order_of(found)
    return render_template(
        "admin/finding.html",
        finding=found,
        heading=FINDING_TITLES.get(found.kind, found.kind),
        order=order,
        order_url=find_url("order", public_id=order) if order else None,
        form=form,
        has_errors=bool(form.errors),
        back=("Home", url_for("admin.home")),
    )


def _show(item: Attention) -> Todo:
    icon, color = LOOKS[item.kind]
    return Todo(item=item, icon=icon, color=color, **WAYS[item.kind](item))


def _for_events(item: Attention) -> dict[str, Any]:
    label = "Retry" if item.count == 1 else "Retry both" if item.count == 2 else "Retry all"  # noqa: PLR2004 - "both"
    return {
        "url": find_url("events", view=item.subject),
        "label": label,
        "post_url": find_url("retry_failed_events"),
        "busy": "Retrying…",
    }


def _for_webhooks(_item: Attention) -> dict[str, Any]:
    url = find_url("stripe_health")
    return {"url": url, "label": "Look into it", "link_url": url}


def _for_mails(_item: Attention) -> dict[str, Any]:
    return {
        "url": find_url("jobs"),
        "label": "Send again",
        "post_url": find_url("send_mails_again"),
        "busy": "Sending…",
    }


def _for_finding(item: Attention) -> dict[str, Any]:
    order_url = find_url("order", public_id=item.order) if item.order else None
    own = find_url("finding", key=item.subject)
    return {"url": own, "label": "View order" if order_url else "Look into it", "link_url": order_url or own}


def _for_order(item: Attention) -> dict[str, Any]:
    return {
        "url": find_url("order", public_id=item.order),
        "label": "Ask Stripe now",
        "post_url": find_url("ask_stripe_about_order", public_id=item.order),
        "busy": "Asking…",
    }


def _for_course(item: Attention) -> dict[str, Any]:
    url = find_url("course_editor", public_id=item.subject)
    return {"url": url, "label": "Add price", "link_url": url}


def _for_post(item: Attention) -> dict[str, Any]:
    url = find_url("post_editor", public_id=item.subject)
    return {"url": url, "label": "Edit post", "link_url": url}


WAYS = {
    "events": _for_events,
    "mails": _for_mails,
    "webhooks": _for_webhooks,
    "finding": _for_finding,
    "order": _for_order,
    "course": _for_course,
    "post": _for_post,
}


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
