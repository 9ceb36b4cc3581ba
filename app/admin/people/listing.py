"""The list of learners: views, filters, search, and its rows as CSV."""

from flask import Response, render_template

from app.accounts import permissions as p
from app.admin.blueprint import page
from app.admin.csv_files import answer_csv
from app.admin.days import begin_of
from app.admin.keyset import read_cursor, tell_count
from app.admin.listing import Filter, ListSpec, ListState, View, read_list_state
from app.admin.people.person import STATE_WORDS
from app.reports.people_lists import (
    CSV_COLUMNS,
    GUESTS,
    PeopleQuery,
    iterate_people_rows,
    list_course_choices,
    list_people,
)

VIEWS = (
    View(key="", label="All"),
    View(key="bought", label="With purchases"),
    View(key="given", label="With free seats"),
    View(key="unproved", label="Never signed in"),
    View(key=GUESTS, label="Bought, no account yet"),
    View(key="closed", label="Closed"),
)
# The key of a sort, and whether its first click sorts downwards.
SORTS = {"joined": True, "name": False, "email": False}
FOLDED = ("since", "until")


@page("/people", needs=p.PEOPLE_READ)
def people() -> str:
    state = _read_state()
    found = list_people(_make_query(state), read_cursor())
    return render_template(
        "admin/people/list.html",
        state=state,
        found=found,
        count_words=tell_count(
            found.count, ("learner", "learners") if state.view != GUESTS else ("address", "addresses")
        ),
        folded=FOLDED,
        state_words=STATE_WORDS,
    )


@page("/people/export.csv", needs=p.PEOPLE_READ)
def export_people() -> Response:
    return answer_csv("learners", CSV_COLUMNS, iterate_people_rows(_make_query(_read_state())))


def _read_state() -> ListState:
    course = Filter(name="course", label="Course", options=list_course_choices())
    dates = [Filter(name="since", label="Bought from"), Filter(name="until", label="Bought to")]
    return read_list_state(
        ListSpec(
            views=VIEWS,
            # A select with nothing to choose would be taken for a date.
            filters=(*([course] if course.options else []), *dates),
            sorts=SORTS,
            search_label="Name, email or order number",
        )
    )


def _make_query(state: ListState) -> PeopleQuery:
    return PeopleQuery(
        view=state.view,
        text=state.q,
        course=state.get("course"),
        since=begin_of(state.get("since")),
        until=begin_of(state.get("until"), days=1),
        sort=state.sort,
        is_descending=state.is_descending,
    )
