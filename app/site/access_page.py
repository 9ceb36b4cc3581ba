"""What access.html takes, made from traces: the headline, the steps, and the one thing that helps."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from flask import request, url_for

from app import clock
from app.accounts.models import User
from app.accounts.services import proved_email
from app.checkout.access_links import make_access_token, make_seat_access_token
from app.checkout.orders import find_order_by_public_id
from app.config import current_settings
from app.formatting import date_long, datetime_short
from app.reports.access_shape import AccessStep, AccessTrace
from app.reports.library import find_first_lesson
from app.site.browser import began_here
from app.site.drawings import cover_url
from app.site.viewer import list_owned_course_ids

# The icon of each kind of step, and of what helps; colors say the state.
STEP_ICONS = {
    "order": "bag",
    "payment": "card",
    "refund": "undo",
    "dispute": "warning",
    "seat": "users",
    "mail": "mail",
    "claim": "link",
    "grant": "check",
    "account": "user",
    "course": "book",
    "nothing": "search",
}
STATE_COLORS = {"ok": "ok", "waiting": "warn", "missing": "info", "broken": "bad"}
STATE_WORDS = {"ok": "", "waiting": "This comes by itself.", "missing": "This is the next step.", "broken": ""}
MARKS = {
    "open": ("check", ""),
    "switch": ("user", "warn"),
    "resend": ("mail", "info"),
    "wait": ("clock", "info"),
    "pay": ("card", "neutral"),
    "refund": ("undo", "neutral"),
    "seats": ("users", "neutral"),
    "buy": ("lock", "neutral"),
    "contact": ("warning", "warn"),
}
# Past this, the day of the month alone does not say when it was.
RECENT = timedelta(days=180)


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """A button: a link, or a form to post ("post": needs no token; "sign_out": with one)."""

    label: str
    url: str
    icon: str | None = None
    method: str = "get"


def shape_access(traces: list[AccessTrace], *, user: User | None, token: str) -> dict[str, Any]:
    """The page of one purchase or course. Of several courses the first that is not open makes the headline."""
    trace = next((each for each in traces if not each.verdict.is_open), traces[0])
    icon, color = MARKS[trace.verdict.fix]
    first, *others = _list_actions(trace, user=user, token=token)
    return {
        "heading": trace.verdict.heading,
        "sentence": trace.verdict.sentence,
        "code": trace.verdict.code,
        "icon": icon,
        "icon_color": color,
        "primary": first,
        "others": others,
        "steps": [_shape_step(step, trace) for step in trace.steps],
        "courses": [
            {
                "title": each.course_title,
                "cover_url": cover_url(each.course_slug, None),
                "is_open": each.verdict.is_open,
            }
            for each in traces
        ],
        "order_number": trace.order_number,
        "checked_at": clock.now(),
    }


def _shape_step(step: AccessStep, trace: AccessTrace) -> dict[str, Any]:
    return {
        "sentence": step.sentence,
        "icon": STEP_ICONS[step.kind],
        "color": STATE_COLORS[step.state],
        "word": STATE_WORDS[step.state],
        "at": step.at,
        "time": _time_label(step.at),
        "is_cause": step is trace.cause and not trace.verdict.is_open,
    }


def _time_label(at: datetime | None) -> str:
    if at is None:
        return ""
    return datetime_short(at) if abs(clock.now() - at) < RECENT else date_long(at)


def _list_actions(trace: AccessTrace, *, user: User | None, token: str) -> list[Action]:
    """The thing that helps first, then others, none twice."""
    course = Action(label="See the course", url=url_for("site.course", slug=trace.course_slug))
    write = Action(label="Write to us", url=_mail_address(trace), icon="mail")
    find = Action(label="Find my order", url=url_for("site.find_order"))
    again = Action(label="Check again", url=request.path, icon="refresh")
    fixes = {
        "open": [_open_or_sign_in(trace)],
        "switch": [Action(label="Sign out", url=url_for("security.logout"), method="sign_out")],
        "resend": [_resend(trace, token)],
        "wait": [again],
        "pay": [course],
        "refund": [_order_or_find(trace, user, "See the refund"), course],
        "seats": [_order_or_find(trace, user, "Open the order")],
        "buy": [course, find],
        "contact": [],
    }
    actions = fixes[trace.verdict.fix]
    if not trace.verdict.is_open and trace.course_id in list_owned_course_ids():
        # A guest's own browser, in the first day: open here, whatever became of the mail.
        actions = [*actions, _open_or_sign_in(trace)]
    return [*actions, write]


def _open_or_sign_in(trace: AccessTrace) -> Action:
    first = find_first_lesson([trace.course_id])
    url = url_for("site.course", slug=trace.course_slug)
    if first is not None:
        url = url_for("site.lesson", slug=first.course_slug, lesson=first.lesson_slug)
    if trace.course_id in list_owned_course_ids():
        return Action(label="Open the course", url=url, icon="play")
    return Action(label="Go to sign in", url=url_for("security.login", next=url))


def _resend(trace: AccessTrace, token: str) -> Action:
    if not token:
        # Who gave the seat away holds the order's link, who is invited the seat's.
        is_giver = trace.verdict.code == "gift_unclaimed"
        token = _order_token(trace) if is_giver else _seat_token(trace)
    return Action(
        label="Send the claim link again",
        url=url_for("site.resend_access_link", token=token),
        icon="mail",
        method="post",
    )


def _order_token(trace: AccessTrace) -> str:
    order = find_order_by_public_id(trace.order_public_id)
    return make_access_token(trace.order_public_id, order.link_version if order is not None else 1)


def _seat_token(trace: AccessTrace) -> str:
    return make_seat_access_token(trace.seat_public_id, trace.claim_version)


def _order_or_find(trace: AccessTrace, user: User | None, label: str) -> Action:
    """The order's page for those who may open it; the others get its link by mail."""
    order = find_order_by_public_id(trace.order_public_id)
    if order is not None:
        is_theirs = user is not None and (order.user_id == user.id or order.email == (proved_email(user) or "-"))
        if is_theirs or began_here(order):
            return Action(label=label, url=url_for("site.order", order=order.public_id))
    return Action(label="Find my order", url=url_for("site.find_order"))


def _mail_address(trace: AccessTrace) -> str:
    settings = current_settings()
    order = f", order {trace.order_number}" if trace.order_number else ""
    return f"mailto:{settings.mail_from}?subject={quote(f'Access to {trace.course_title}{order}')}"
