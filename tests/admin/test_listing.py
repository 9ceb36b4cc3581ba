"""A list's state lives in its URL: what it knows is kept, what it does not know is left out."""

import pytest
from flask import Flask

from app.admin.listing import Chip, Filter, ListSpec, ListState, View, read_list_state

SPEC = ListSpec(
    views=(View(key="", label="All"), View(key="paid", label="Paid")),
    filters=(Filter(name="course", label="Course", options=(("c1", "First course"),)), Filter(name="since", label="Since")),
    sorts={"created": True, "total": True, "title": False},
    search_label="Search orders",
)  # fmt: skip


def read(app: Flask, query: str) -> ListState:
    with app.test_request_context(f"/admin/orders?{query}"):
        return read_list_state(SPEC)


def test_everything_the_list_knows_is_read_and_written_back(app: Flask) -> None:
    query = "view=paid&q=maya&course=c1&since=2026-11-01&sort=title&page=3"

    state = read(app, query)

    assert (state.view, state.q, state.sort, state.is_descending, state.page) == ("paid", "maya", "title", False, 3)
    assert state.get("course") == "c1"
    assert state.url(page=3) == f"/admin/orders?{query}"


@pytest.mark.parametrize(
    "query",
    ["view=nope", "course=c2", "since=2026-02-30", "since=20261101", "sort=drop+table", "page=-1", "page=1e9",
     "page=99999999999999999999", "page=%D9%A3", "unknown=1", "q=%20%20"],
)  # fmt: skip
def test_what_the_list_does_not_know_is_left_out(app: Flask, query: str) -> None:
    assert read(app, query).url() == "/admin/orders"


def test_each_chip_takes_off_what_it_names(app: Flask) -> None:
    state = read(app, "view=paid&q=maya&course=c1&page=2")

    assert state.chips == [
        Chip(label="“maya”", url="/admin/orders?view=paid&course=c1"),
        Chip(label="Course: First course", url="/admin/orders?view=paid&q=maya"),
    ]
    assert state.clear_url == "/admin/orders?view=paid"


def test_a_heading_sorts_its_own_way_first_and_turns_round_then(app: Flask) -> None:
    assert read(app, "").sort_url("title") == "/admin/orders?sort=title"
    assert read(app, "sort=title").sort_url("title") == "/admin/orders?sort=-title"
    assert read(app, "").sort_url("created") == "/admin/orders?sort=created"
    assert (read(app, "sort=created").aria_sort("created"), read(app, "").aria_sort("title")) == ("ascending", "none")
