"""/admin/courses: the list with its saved views, and what is done to several courses at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.utils import redirect

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.admin.listing import Filter, ListSpec, ListState, View, read_list_state
from app.admin.undo import read_undo, say_with_undo, sign_undo
from app.catalog.course_files import LEVELS
from app.catalog.course_lists import (
    ARCHIVED,
    DELETED,
    DRAFTS,
    NO_PRICE,
    PUBLISHED,
    count_course_views,
    list_course_rows,
)
from app.catalog.course_states import Changed, set_status, set_topic
from app.catalog.services import CategoryCount, list_categories
from app.errors import InvalidInput
from app.paging import PAGE_SIZE

VIEWS = (
    View(key="", label="All"), View(key=PUBLISHED, label="Published"), View(key=DRAFTS, label="Drafts"),
    View(key=ARCHIVED, label="Archived"), View(key=NO_PRICE, label="No price"), View(key=DELETED, label="Deleted"),
)  # fmt: skip
STATUSES = (PUBLISHED, DRAFTS, ARCHIVED)
STATUS_WORDS = {
    "publish": ("published", "published"),
    "archive": ("archived", "archived"),
    "draft": ("draft", "made a draft"),
}


@page("/courses", needs=p.CONTENT_READ)
def courses() -> str:
    topics = list_categories()
    state = _read_state(topics)
    counts = count_course_views()
    found = list_course_rows(
        view=state.view, q=state.q, topic=state.get("topic"), level=state.get("level"), sort=state.sort,
        is_descending=state.is_descending, page=state.page, counts=counts,
    )  # fmt: skip
    return render_template(
        "admin/courses/list.html", state=state, counts=counts, page=found, topics=topics,
        bulk_url=replace(state, path=url_for("admin.change_courses")).url(page=state.page),
    )  # fmt: skip


@action("/courses/bulk", needs=p.CONTENT_WRITE)
def change_courses() -> ResponseReturnValue:
    ids, act = request.form.getlist("ids")[:PAGE_SIZE], request.form.get("act", "")
    back = redirect(
        replace(_read_state(list_categories()), path=url_for("admin.courses")).url(
            page=request.args.get("page", 1, int)
        ),
        303,
    )
    if not ids:
        say("Tick at least one course first.", "warning")
    elif act == "topic":
        slug = request.form.get("topic", "")
        _tell(set_topic(public_ids=ids, category_slug=slug), f"put under {_name_topic(slug)}", {"topic": slug})
    elif act in STATUS_WORDS:
        status, words = STATUS_WORDS[act]
        _tell(set_status(public_ids=ids, status=status), words, {"status": status})
    else:
        raise InvalidInput("Choose what to do with the courses.")
    return back


@action("/courses/undo", needs=p.CONTENT_WRITE)
def undo_course_changes() -> ResponseReturnValue:
    step = cast(Mapping[str, Any], read_undo(request.form.get("step", "")))
    count = 0
    for former, ids in step["before"].items():
        if "topic" in step:
            count += set_topic(public_ids=ids, category_slug=former, only_from=step["topic"]).count
        else:
            count += set_status(public_ids=ids, status=former, only_from=step["status"]).count
    if count:
        say(f"Undone: {_count(count)} as before.")
    else:
        say("Nothing to undo: somebody changed it since.", "warning")
    ids = [public_id for ids in step["before"].values() for public_id in ids]
    to_editor = url_for("admin.course_editor", public_id=ids[0])
    return redirect(to_editor if request.form.get("back") == "editor" else url_for("admin.courses"), 303)


def offer_status_undo(message: str, *, public_id: str, before: str, status: str) -> None:
    """Say what one course's status became, with Undo."""
    # A plan that was overtaken is over: what comes back is the draft.
    step = sign_undo({"status": status, "before": {before if before in STATUSES else DRAFTS: [public_id]}})
    say_with_undo(message, url_for("admin.undo_course_changes"), step=step, back="editor")


def _read_state(topics: Sequence[CategoryCount]) -> ListState:
    options = tuple((topic.slug, topic.name) for topic in topics)
    return read_list_state(
        ListSpec(
            views=VIEWS,
            filters=(
                Filter(name="topic", label="Topic", options=options or (("", ""),)),
                Filter(name="level", label="Level", options=tuple((each, each.capitalize()) for each in LEVELS)),
            ),
            sorts={"updated": True, "title": False, "created": True},
            search_label="Search courses",
        )
    )


def _tell(changed: Changed, words: str, step: dict[str, Any]) -> None:
    if changed.count:
        token = sign_undo({**step, "before": changed.before})
        say_with_undo(f"{_count(changed.count)} {words}.", url_for("admin.undo_course_changes"), step=token)
    else:
        say(f"Nothing to change: already {words}.")


def _name_topic(slug: str) -> str:
    return next((topic.name for topic in list_categories() if topic.slug == slug), slug)


def _count(number: int) -> str:
    return "1 course" if number == 1 else f"{number} courses"
