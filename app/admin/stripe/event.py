"""/admin/stripe/events/<id>: one event, and handling it again after a look at what that would change."""

from dataclasses import asdict

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.checkout.replay import Replay, plan_replay, replay_shown_event
from app.payments.events import AlreadyReplayed
from app.payments.gateway import brief_patience
from app.reports.difference_words import describe_difference
from app.reports.event_pages import get_event_page
from app.reports.event_words import STATE_WORDS, explain_error

MOST_DIGITS = 9


@page("/stripe/events/<event_id>", needs=p.STRIPE_READ)
def event(event_id: str) -> str:
    return render_template("admin/stripe/event.html", found=get_event_page(event_id), state_words=STATE_WORDS)


@page("/stripe/events/<event_id>/replay", needs=p.STRIPE_WRITE)
def ask_replay_event(event_id: str) -> str:
    found = get_event_page(event_id)
    with brief_patience():
        plan = plan_replay(event_id)
    return render_template(
        "admin/stripe/replay.html", found=found, plan=plan, facts=_list_facts(plan), state_words=STATE_WORDS
    )


@action("/stripe/events/<event_id>/replay", needs=p.STRIPE_WRITE)
def replay_event(event_id: str) -> ResponseReturnValue:
    try:
        _tell(replay_shown_event(event_id, replay_count=_read_count()))
    except AlreadyReplayed as error:
        say(error.sentence, "warning")
    return redirect(url_for("admin.event", event_id=event_id), 303)


def _tell(replay: Replay) -> None:
    if replay.has_failed:
        say(f"It was replayed, but: {explain_error(replay.error) or replay.note}", "error")
    elif replay.difference is not None:
        facts = "; ".join(f"{label}: {words}" for label, words in _list_facts(replay)[:4])
        say(f"Replayed. {facts}.")
    else:
        say(f"Replayed. {replay.note}")


def _list_facts(replay: Replay) -> list[tuple[str, str]]:
    return describe_difference(None if replay.difference is None else asdict(replay.difference))


def _read_count() -> int:
    """How often the event had been replayed when the page was made; -1, which no event has, for anything else."""
    text = request.form.get("replay_count", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else -1
