"""Numbered pages: a number that is not there shows the nearest one that is."""

import pytest
from flask import Flask
from sqlalchemy import select

from app.catalog.models import Category
from app.db import transaction
from app.paging import read_page


@pytest.fixture
def seven_topics(app: Flask) -> None:
    with transaction() as session:
        session.add_all(Category(slug=f"topic-{number}", name=f"Topic {number}") for number in range(1, 8))


@pytest.mark.parametrize(
    ("asked", "shown", "first", "last"), [(1, 1, 1, 3), (3, 3, 7, 7), (9, 3, 7, 7), (0, 1, 1, 3), (-5, 1, 1, 3)]
)
def test_a_page_says_what_it_shows(seven_topics: None, asked: int, shown: int, first: int, last: int) -> None:
    page = read_page(select(Category.slug).order_by(Category.id), number=asked, size=3)

    assert (page.number, page.first, page.last, page.total, page.count) == (shown, first, last, 7, 3)
    assert page.rows == [f"topic-{number}" for number in range(first, last + 1)]


def test_an_empty_list_is_one_empty_page(app: Flask) -> None:
    page = read_page(select(Category).order_by(Category.id), number=1)

    assert (page.rows, page.first, page.last, page.total, page.count) == ([], 0, 0, 0, 1)
