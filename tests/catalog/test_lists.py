"""Lists of courses: filters, order, pages, and a number of queries that does not grow."""

import pytest
from flask import Flask

from app.catalog.search import Sort
from app.catalog.services import list_categories, list_courses
from app.errors import NotFound
from tests.factories import make_course
from tests.queries import count_queries


def _slugs(**filters: object) -> list[str]:
    return [card.slug for card in list_courses(**filters).items]  # type: ignore[arg-type]


def test_drafts_and_archived_courses_are_not_listed(app: Flask) -> None:
    make_course(slug="open")
    make_course(slug="draft", status="draft")
    make_course(slug="gone", status="archived")

    assert _slugs() == ["open"]


@pytest.mark.parametrize(
    ("q", "slugs"),
    [
        ("funnel", ["a"]),
        ("FUNNEL smart", ["a"]),
        ("100%", ["b"]),
        ("%", ["b"]),
        ("_", []),
        ("\\", []),
        ("' OR 1=1 --", []),
        ("\x00funnel", ["a"]),
        ("nothing like it", []),
    ],
)
def test_a_search_takes_every_word_as_it_is_written(app: Flask, q: str, slugs: list[str]) -> None:
    make_course(slug="a", title="A smart funnel")
    make_course(slug="b", title="100% clear")

    assert _slugs(q=q) == slugs


@pytest.mark.parametrize(("price", "slugs"), [("free", ["free"]), ("paid", ["cheap", "dear"]), ("", ["free", "cheap", "dear", "closed"])])  # fmt: skip
@pytest.mark.parametrize("sort", ["", "price"])
def test_the_price_filter_reads_the_price_in_force(app: Flask, price: str, slugs: list[str], sort: Sort) -> None:
    make_course(slug="free", unit_amount=0)
    make_course(slug="cheap", unit_amount=100)
    make_course(slug="dear", unit_amount=200)
    make_course(slug="closed", unit_amount=None)

    assert _slugs(price=price, sort=sort) == slugs


@pytest.mark.parametrize(("sort", "slugs"), [("", ["b", "a"]), ("title", ["a", "b"]), ("price", ["a", "b"]), ("newest", ["b", "a"])])  # fmt: skip
def test_courses_are_sorted_as_asked(app: Flask, sort: Sort, slugs: list[str]) -> None:
    make_course(slug="a", title="Alpha", unit_amount=100)
    make_course(slug="b", title="beta", unit_amount=200, is_featured=True)

    assert _slugs(sort=sort) == slugs


def test_category_and_level_narrow_the_list(app: Flask) -> None:
    make_course(slug="a", level="advanced")
    make_course(slug="b", level="beginner")

    assert _slugs(category="ai-automation", level="advanced") == ["a"]
    assert _slugs(category="no-such") == []
    assert [(item.slug, item.course_count) for item in list_categories()] == [("ai-automation", 2)]


def test_the_thirteenth_course_is_on_the_second_page_and_a_third_does_not_exist(app: Flask) -> None:
    for _ in range(13):
        make_course()

    second = list_courses(page=2)

    assert (len(second.items), second.total, second.number, second.pages) == (1, 13, 2, 2)
    for page in (0, 3, 10**20):
        with pytest.raises(NotFound):
            list_courses(page=page)


def test_twelve_courses_take_as_many_queries_as_one(app: Flask) -> None:
    make_course()
    with count_queries() as for_one:
        list_courses()
    for _ in range(11):
        make_course()

    with count_queries() as for_twelve:
        listed = list_courses()

    assert len(listed.items) == 12
    assert len(for_one) == len(for_twelve) == 3
