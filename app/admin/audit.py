"""/admin/audit: who changed what, with the values before and after."""

from flask import render_template

from app.accounts import permissions as p
from app.admin.blueprint import page
from app.admin.listing import Filter, ListSpec, read_list_state
from app.config import current_settings
from app.reports.audit_log import list_activity, list_actors, list_subject_types, read_day


@page("/audit", needs=p.AUDIT_READ)
def audit() -> str:
    actors = list_actors()
    kinds = [(kind, kind.replace("_", " ").capitalize()) for kind in list_subject_types()]
    state = read_list_state(
        ListSpec(
            filters=(
                Filter(name="actor", label="Who", options=actors),
                Filter(name="subject", label="What", options=kinds or [("", "")]),
                Filter(name="since", label="From"),
                Filter(name="until", label="To"),
            ),
            search_label="ID or action, such as course.archived",
        )
    )
    zone = current_settings().site_timezone
    activity = list_activity(
        actor=state.get("actor"), subject_type=state.get("subject"), q=state.q, page=state.page,
        since=read_day(state.get("since"), zone), before=read_day(state.get("until"), zone, is_end=True),
    )  # fmt: skip
    return render_template("admin/audit.html", state=state, activity=activity)
