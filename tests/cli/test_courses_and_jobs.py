"""flask courses with several currencies and seats, and flask jobs run-once."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app.catalog.models import Price, Product
from app.db import db, transaction
from app.mail.services import queue_message
from tests.cli.runner import dump, run, run_json
from tests.factories import make_course
from tests.shop import course_text, load_course


@pytest.mark.parametrize(
    "head",
    [
        {"prices": "[97.00 USD, 89.50 EUR, 9800 JPY, 29.990 KWD, 13500 ISK]", "capacity": "30"},
        {"prices": "[0.00 USD]", "capacity": "0"},
        {"prices": "[]"},
        {"prices": "[0.50 USD, 0.30 GBP, 0 EUR]", "status": "draft", "access_days": "365"},
    ],
)
def test_a_course_in_any_currencies_comes_back_from_its_file_unchanged(
    app: Flask, tmp_path: Path, head: dict[str, str]
) -> None:
    (tmp_path / "in.md").write_text(course_text(**head))
    assert run_json(app, "courses", "import", str(tmp_path / "in.md"))["counts"]["created"] == 1
    before = dump()
    out = tmp_path / "out"

    assert run(app, "courses", "export", "small-course", "--to", str(out))[0] == 0

    assert run_json(app, "courses", "import", str(out))["counts"] == {"created": 0, "changed": 0, "unchanged": 1}
    assert dump() == before


def test_an_exported_course_makes_the_same_course_in_an_empty_shop(app: Flask, tmp_path: Path) -> None:
    load_course(course_text(prices="[97.00 USD, 89.50 EUR]", capacity="30"))
    text = run(app, "courses", "export", "small-course")[1]
    (tmp_path / "moved.md").write_text(text.replace("small-course", "moved-course"))

    assert run(app, "courses", "import", str(tmp_path / "moved.md"))[0] == 0

    rows = {row["slug"]: row for row in run_json(app, "courses", "list")["courses"]}
    assert {**rows["moved-course"], "slug": "small-course"} == rows["small-course"]
    assert text.count(" USD") == text.count(" EUR") == 1


def test_a_price_below_the_minimum_keeps_the_whole_import_out(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(course_text())
    (tmp_path / "b.md").write_text(course_text(slug="b", prices="[9.00 USD, 49 JPY]"))
    before = dump()

    code, output, error = run(app, "courses", "import", str(tmp_path))

    assert (code, output) == (1, "")
    assert error == "Error: b.md, field prices: A price must be 0 or at least ¥50: cards take nothing smaller.\n"
    assert dump() == before


def test_the_list_tells_prices_and_seats(app: Flask) -> None:
    load_course(course_text(prices="[97.00 USD, 89.50 EUR]", capacity="30"))
    make_course(slug="open", unit_amount=None, status="draft")
    with transaction() as session:
        session.scalars(select(Product).where(Product.capacity == 30)).one().taken_seats = 4

    listed = run_json(app, "courses", "list")
    lines = [line.split() for line in run(app, "courses", "list")[1].splitlines()]

    assert listed == {
        "courses": [
            {
                "slug": "small-course",
                "title": "Small course",
                "status": "published",
                "prices": [{"unit_amount": 8950, "currency": "eur"}, {"unit_amount": 9700, "currency": "usd"}],
                "capacity": 30,
                "taken": 4,
            },
            {
                "slug": "open",
                "title": listed["courses"][1]["title"],
                "status": "draft",
                "prices": [],
                "capacity": None,
                "taken": 0,
            },
        ],
        "count": 2,
    }
    assert lines == [
        ["published", "small-course", "4", "of", "30", "taken", "€89.50,", "$97.00"],
        ["draft", "open", "0", "taken", "not", "on", "sale"],
        ["2", "courses."],
    ]


def test_a_retired_price_is_not_listed(app: Flask) -> None:
    load_course(course_text(prices="[97.00 USD, 89.50 EUR]"))
    load_course(course_text(prices="[97.00 USD]"))

    assert run_json(app, "courses", "list")["courses"][0]["prices"] == [{"unit_amount": 9700, "currency": "usd"}]
    assert sorted(db.session.scalars(select(Price.status))) == ["active", "retired"]


def test_run_once_does_what_is_due_and_then_nothing(app: Flask) -> None:
    assert run_json(app, "jobs", "run-once") == {"done": 0, "is_finished": True}
    with transaction():
        queue_message(key="test", template="address_known", to_address="ana@example.org", data={})

    first = run_json(app, "jobs", "run-once")
    second = run(app, "jobs", "run-once")

    assert first["is_finished"] is True
    assert first["done"] >= 1
    assert second == (0, "0 pieces of work were due.\n", "")


@pytest.mark.parametrize(("noun", "verb"), [("courses", "list"), ("jobs", "work"), ("jobs", "run-once")])
def test_help_shows_an_example(app: Flask, noun: str, verb: str) -> None:
    assert f"flask {noun} {verb}" in run(app, noun, verb, "--help")[1].partition("Example:")[2]
