"""/admin/stripe: the list of events, fetching one that never came, and replaying all that failed."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.admin.fields import shop_zone
from app.admin.listing import Filter, ListSpec, ListState, View, read_list_state
from app.checkout.fetching import Fetched, fetch_from_stripe
from app.errors import AppError, NotFound
from app.payments.events import arm_failed_events
from app.payments.fetching import LONGEST_ID
from app.reports.audit_log import read_day
from app.reports.event_lists import MOST_COUNTED, EventQuery, count_views, list_event_page, list_types
from app.reports.event_words import STATE_WORDS
from app.reports.webhook_health import judge_webhooks

FIX = 422
VIEWS = (
    View(key="", label="All"),
    View(key="failed", label="Failed"),
    View(key="waiting", label="Waiting"),
    View(key="handled", label="Handled"),
    View(key="ignored", label="Ignored"),
)


class FetchForm(FlaskForm):
    """What to fetch from Stripe."""

    id = StringField(
        "Stripe ID",
        filters=[lambda text: (text or "").strip()],
        validators=[
            DataRequired("Enter the id of an event or object."),
            Length(max=LONGEST_ID, message=f"An id has at most {LONGEST_ID} characters."),
        ],
    )


@page("/stripe", needs=p.STRIPE_READ)
def events() -> str:
    return _render(FetchForm(formdata=None))


@action("/stripe", needs=p.STRIPE_WRITE)
def fetch_stripe_object() -> ResponseReturnValue:
    form = FetchForm()
    if not form.validate():
        return _render(form), FIX
    try:
        return redirect(_tell_fetched(fetch_from_stripe(form.id.data or "")), 303)
    except NotFound:
        raise
    except AppError as error:
        form.id.errors = [error.sentence]
        return _render(form), error.status if error.field is None else FIX


@page("/stripe/replay-failed", needs=p.STRIPE_WRITE)
def ask_replay_failed() -> str:
    found = list_event_page(EventQuery(view="failed"))
    return render_template("admin/stripe/replay_failed.html", count=count_views()["failed"], events=found.rows)


@action("/stripe/replay-failed", needs=p.STRIPE_WRITE)
def replay_failed() -> ResponseReturnValue:
    count = arm_failed_events()
    if count:
        say(f"{count} event{'' if count == 1 else 's'} will be handled again now. Reload in a moment.")
    else:
        say("No event is failed any more: somebody else replayed them a moment ago.", "warning")
    return redirect(url_for("admin.events"), 303)


def _render(form: FetchForm) -> str:
    state = _read_state()
    found = list_event_page(_make_query(state))
    return render_template(
        "admin/stripe/inbox.html", state=state, counts=count_views(), most_counted=MOST_COUNTED, found=found, form=form,
        has_errors=bool(form.errors), health=judge_webhooks(), state_words=STATE_WORDS,
    )  # fmt: skip


def _tell_fetched(fetched: Fetched) -> str:
    """Say what came of it; gives the address of where to go on."""
    say(fetched.sentence, "warning" if fetched.has_failed else "success")
    if fetched.event_id:
        return url_for("admin.event", event_id=fetched.event_id)
    if fetched.order_public_id:
        return url_for("admin.order", public_id=fetched.order_public_id)
    return url_for("admin.events")


def _read_state() -> ListState:
    types = tuple((each, each) for each in list_types())
    return read_list_state(
        ListSpec(
            views=VIEWS,
            filters=(Filter(name="type", label="Type", options=types), Filter(name="day", label="Received on")),
            sorts={"received": True},
            search_label="Event, object or order number",
        )
    )


def _make_query(state: ListState) -> EventQuery:
    return EventQuery(
        view=state.view,
        text=state.q,
        type=state.get("type"),
        since=read_day(state.get("day"), shop_zone().key),
        until=read_day(state.get("day"), shop_zone().key, is_end=True),
        after=request.args.get("after", "")[:LONGEST_ID],
        before=request.args.get("before", "")[:LONGEST_ID],
    )
