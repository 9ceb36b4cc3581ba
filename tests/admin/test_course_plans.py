"""The lists of courses and bundles over very many of them: PostgreSQL answers its first page through an index.

Not so the view "No price": what is missing has no index. It compares two tables as wholes; `make bench-admin` times it.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Select

from app.catalog.bundle_lists import select_bundle_rows
from app.catalog.course_lists import find_course_rows, select_course_rows
from app.catalog.models import Course
from app.db import db
from app.paging import PAGE_SIZE
from app.reports.mirror_pages import select_products
from tests.admin.big_tables import fill_courses, fill_mirrors
from tests.admin.test_query_plans import ROWS, explain, list_scans
from tests.conftest import empty_database
from tests.databases import DATABASE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(DATABASE == "sqlite", reason="SQLite is for small shops; its plans are not promised"),
]
CASES: dict[str, dict[str, Any]] = {
    "all": {},
    "oldest first": {"is_descending": False},
    "by title": {"sort": "title", "is_descending": False},
    "by creation": {"sort": "created"},
    "published": {"view": "published"},
    "drafts": {"view": "draft"},
    "archived": {"view": "archived"},
    "page 100": {"number": 100},
    "by a word": {"q": "n4711"},
    "by the starts of two words": {"q": "prom n47"},
}


@pytest.fixture(scope="module")
def many_courses(migrated_app: Flask) -> Iterator[None]:
    fill_courses(ROWS)
    fill_mirrors(ROWS)
    yield
    db.session.rollback()
    empty_database()
    db.session.remove()


def select_page(**query: Any) -> Select[Any]:
    return select_course_rows(**query).params(site_currency="usd")


@pytest.mark.parametrize("name", CASES)
def test_the_list_is_answered_through_an_index(many_courses: None, name: str) -> None:
    plan = explain(select_page(**CASES[name]))

    assert "courses" not in list_scans(plan), plan


@pytest.mark.parametrize("query", [{}, {"number": 100}, {"view": "active"}, {"view": "archived"}])
def test_the_list_of_bundles_is_answered_through_an_index(many_courses: None, query: dict[str, Any]) -> None:
    plan = explain(select_bundle_rows(**query).params(site_currency="usd"))

    assert not {"products", "prices", "product_courses"} & list_scans(plan), plan


def test_the_list_of_products_at_stripe_is_answered_through_an_index(many_courses: None) -> None:
    assert "products" not in list_scans(explain(select_products().limit(PAGE_SIZE)))


def test_control_a_question_without_an_index_reads_all_courses(many_courses: None) -> None:
    assert "courses" in list_scans(explain(find_course_rows().where(Course.summary == "nowhere")))
