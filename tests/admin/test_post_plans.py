"""The list of posts over very many of them: PostgreSQL answers its first page through an index.

Not so the view "To check": it compares prices of two tables as wholes; `make bench-admin` times it.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from app.blog.models import Post
from app.db import db
from app.reports.post_lists import find_post_rows, select_post_rows
from tests.admin.big_tables import fill_posts
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
    "scheduled": {"view": "scheduled"},
    "drafts": {"view": "draft"},
    "archived": {"view": "archived"},
    "trash": {"view": "trash"},
    "page 100": {"number": 100},
    "by a word": {"q": "n4711"},
}


@pytest.fixture(scope="module")
def many_posts(migrated_app: Flask) -> Iterator[None]:
    fill_posts(ROWS)
    yield
    db.session.rollback()
    empty_database()
    db.session.remove()


@pytest.mark.parametrize("name", CASES)
def test_the_list_is_answered_through_an_index(many_posts: None, name: str) -> None:
    plan = explain(select_post_rows(**CASES[name]))

    assert "posts" not in list_scans(plan), plan


def test_control_a_question_without_an_index_reads_all_posts(many_posts: None) -> None:
    assert "posts" in list_scans(explain(find_post_rows().where(Post.author_name == "nobody")))
