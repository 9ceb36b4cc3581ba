"""/admin/newsletter: who gets it, how the list grows, and what is done for a person who asks."""

from collections.abc import Callable

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import TOAST, action, page, say
from app.admin.charts import BarChart, draw_bars
from app.admin.csv_files import answer_csv
from app.admin.keyset import read_cursor, tell_count
from app.admin.listing import Filter, ListSpec, ListState, View, read_list_state
from app.admin.periods import list_period_choices, read_period, write_bucket
from app.errors import AppError, NotFound
from app.newsletter.by_staff import (
    allow_again,
    erase_subscriber,
    get_subscriber,
    resend_confirmation,
    unsubscribe_for_staff,
)
from app.reports.audit_log import list_subject_activity
from app.reports.periods import Period
from app.reports.subscriber_lists import (
    CSV_COLUMNS,
    Growth,
    SubscriberQuery,
    count_statuses,
    iterate_subscriber_rows,
    list_sources,
    list_subscribers,
    read_growth,
)

STATUS_WORDS = {
    "confirmed": ("Subscribed", "ok"),
    "pending": ("Not confirmed yet", "warn"),
    "unsubscribed": ("Unsubscribed", "neutral"),
    "erased": ("Erased", "hollow"),
}
VIEWS = (
    View(key="", label="All"),
    View(key="confirmed", label="Subscribed"),
    View(key="pending", label="Not confirmed"),
    View(key="unsubscribed", label="Unsubscribed"),
    View(key="erased", label="Erased"),
)
SORTS = {"asked": True, "email": False}


@page("/newsletter", needs=p.PEOPLE_READ)
def newsletter() -> str:
    state, period = _read_state(), read_period()
    found = list_subscribers(_make_query(state), read_cursor())
    growth = read_growth(period)
    return render_template(
        "admin/newsletter/list.html",
        state=state,
        counts=count_statuses(),
        found=found,
        count_words=tell_count(found.count, ("subscriber", "subscribers")),
        status_words=STATUS_WORDS,
        period=period,
        periods=list_period_choices(period),
        growth=growth,
        chart=_draw_growth(growth, period),
    )


@page("/newsletter/export.csv", needs=p.PEOPLE_READ)
def export_newsletter() -> Response:
    return answer_csv("newsletter", CSV_COLUMNS, iterate_subscriber_rows(_make_query(_read_state())))


@page("/newsletter/<public_id>", needs=p.PEOPLE_READ)
def subscriber(public_id: str) -> str:
    return render_template(
        "admin/newsletter/subscriber.html",
        subscriber=get_subscriber(public_id),
        status_words=STATUS_WORDS,
        activity=list_subject_activity(subject_type="subscriber", subject_id=public_id),
    )


@action("/newsletter/<public_id>/confirmation", needs=p.PEOPLE_WRITE)
def resend_subscriber_confirmation(public_id: str) -> ResponseReturnValue:
    return _do(public_id, lambda: f"The confirmation goes to {resend_confirmation(public_id=public_id)} once more.")


@action("/newsletter/<public_id>/unsubscribe", needs=p.PEOPLE_WRITE)
def unsubscribe_subscriber(public_id: str) -> ResponseReturnValue:
    def unsubscribe() -> str:
        is_new = unsubscribe_for_staff(public_id=public_id, reason=_read_reason())
        return "Unsubscribed. They can join again by themselves." if is_new else "They were off the list already."

    return _do(public_id, unsubscribe)


@page("/newsletter/<public_id>/erase", needs=p.PEOPLE_WRITE)
def ask_erase_subscriber(public_id: str) -> str:
    return render_template("admin/newsletter/erase.html", subscriber=get_subscriber(public_id))


@action("/newsletter/<public_id>/erase", needs=p.PEOPLE_WRITE)
def erase_subscriber_now(public_id: str) -> ResponseReturnValue:
    def erase() -> str:
        is_new = erase_subscriber(public_id=public_id, reason=_read_reason())
        return "Erased. No newsletter goes to that address again." if is_new else "It was erased already."

    return _do(public_id, erase)


@action("/newsletter/<public_id>/allow", needs=p.PEOPLE_WRITE)
def allow_subscriber_again(public_id: str) -> ResponseReturnValue:
    is_new = allow_again(public_id=public_id, reason=_read_reason())
    say("They can join again now." if is_new else "They could join already.", TOAST)
    return redirect(url_for("admin.newsletter"), 303)


def _do(public_id: str, deed: Callable[[], str]) -> ResponseReturnValue:
    """Do it, say what it says, or why not, and go back to the subscriber."""
    try:
        say(deed(), TOAST)
    except NotFound:
        raise
    except AppError as error:
        say(error.sentence, "error")
    return redirect(url_for("admin.subscriber", public_id=public_id), 303)


def _read_state() -> ListState:
    sources = [(each, each) for each in list_sources()]
    return read_list_state(
        ListSpec(
            views=VIEWS,
            # A select with nothing to choose would be taken for a date.
            filters=(Filter(name="source", label="Joined on", options=sources),) if sources else (),
            sorts=SORTS,
            search_label="Email",
        )
    )


def _make_query(state: ListState) -> SubscriberQuery:
    return SubscriberQuery(
        view=state.view, text=state.q, source=state.get("source"), sort=state.sort, is_descending=state.is_descending
    )


def _read_reason() -> str:
    return request.form.get("reason", "")


def _draw_growth(growth: Growth, period: Period) -> BarChart:
    return draw_bars(
        [write_bucket(bucket, period) for bucket in period.buckets],
        growth.joined,
        growth.joined_before,
        show=lambda count: f"{count:,}",
        show_short=lambda count: f"{count:,}",
        before_label="before",
    )
