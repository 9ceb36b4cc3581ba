"""The commands that load and save content."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.models import User
from app.blog.revisions import list_revisions
from app.config import Settings
from app.db import db
from tests.cli.runner import dump
from tests.shop import CONTENT, course_text, load_course, load_post, post_text


def _run(app: Flask, *arguments: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=list(arguments))
    return result.exit_code, result.output


def test_the_demo_loads_once_and_changes_no_row_the_second_time(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_PASSWORD", "eleven green bicycles")

    code, output = _run(app, "demo", "load")

    assert code == 0, output
    assert "5 categories, 7 courses (7 changed), 9 posts (9 changed), 2 users (2 created)" in output
    db.session.rollback()
    people = db.session.scalars(select(User).order_by(User.email)).all()
    assert [(user.email, sorted(role.name for role in user.roles)) for user in people] == [
        ("admin@example.org", ["learner", "owner"]),
        ("learner@example.org", ["learner"]),
    ]
    before = dump()
    assert _run(app, "demo", "load", "--json")[0] == 0
    assert dump() == before


def test_the_demo_is_refused_in_production(app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.config, "SETTINGS", replace(settings, app_env="production"))

    code, output = _run(app, "demo", "load")

    assert code == 1
    assert "not for production" in output
    assert db.session.scalars(select(User)).all() == []


def test_a_course_exported_and_imported_is_unchanged(app: Flask, tmp_path: Path) -> None:
    assert _run(app, "courses", "import", str(CONTENT / "courses"))[0] == 0
    before = dump()

    assert _run(app, "courses", "export", "--all", "--to", str(tmp_path))[0] == 0
    code, output = _run(app, "courses", "import", "--json", str(tmp_path))

    assert code == 0
    assert json.loads(output)["counts"] == {"created": 0, "changed": 0, "unchanged": 7}
    assert dump() == before


def test_a_post_exported_and_imported_is_unchanged(app: Flask, tmp_path: Path) -> None:
    load_course(course_text())
    load_post(post_text("Text.", courses="[small-course]", revised="2026-05-06T07:08:09Z"))
    before = dump()

    assert _run(app, "posts", "export", "small-post", "--to", str(tmp_path))[0] == 0
    assert "courses:\n- small-course" in (tmp_path / "small-post.md").read_text()
    code, output = _run(app, "posts", "import", str(tmp_path / "small-post.md"))

    assert (code, output.splitlines()[0]) == (0, "unchanged  small-post")
    assert dump() == before


def test_an_imported_post_leaves_a_revision_and_a_dry_run_none(app: Flask, tmp_path: Path) -> None:
    post_id = load_post(post_text("Text."))
    (tmp_path / "small-post.md").write_text(post_text("Other text."))

    assert _run(app, "posts", "import", "--dry-run", str(tmp_path))[0] == 0
    assert [each.number for each in list_revisions(post_id)] == [1]
    assert _run(app, "posts", "import", str(tmp_path))[0] == 0

    db.session.rollback()
    assert [(each.number, each.note) for each in list_revisions(post_id)] == [
        (2, "Imported from a file"), (1, "Imported from a file"),
    ]  # fmt: skip


def test_a_check_finds_courses_that_are_newer_than_the_text(app: Flask) -> None:
    load_post(post_text("The Small course costs $25. See [it](/courses/small-course)."))
    load_course(course_text())
    assert _run(app, "posts", "check", "--json") == (
        0, '{"small-post": ["The text says $25 beside \\u201cSmall course\\u201d, which costs $20 now."]}\n',
    )  # fmt: skip
    load_course(course_text(status="archived", prices="[25.00 USD]"))

    code, output = _run(app, "posts", "check")

    assert (code, output.splitlines()) == (
        0, ["small-post: The text links to “Small course”, which is archived.", "1 post read, 1 to check."],
    )  # fmt: skip


def test_one_bad_file_keeps_all_of_them_out(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(course_text())
    (tmp_path / "b.md").write_text(course_text(slug="b", level="expert"))
    before = dump()

    code, output = _run(app, "courses", "import", str(tmp_path))

    assert code == 1
    assert "b.md, field level: It must be one of beginner, intermediate, advanced." in output
    assert dump() == before


@pytest.mark.parametrize("noun", ["courses", "posts"])
def test_a_dry_run_keeps_nothing(app: Flask, tmp_path: Path, noun: str) -> None:
    (tmp_path / "a.md").write_text(course_text() if noun == "courses" else post_text())
    before = dump()

    code, output = _run(app, noun, "import", "--dry-run", str(tmp_path))

    assert code == 0
    assert "created" in output
    assert dump() == before


@pytest.mark.parametrize(
    "arguments",
    [("courses", "export", "nope"), ("courses", "export"), ("courses", "export", "a", "--all"), ("posts", "export", "nope"),
     ("courses", "import", "/nonexistent"), ("courses", "import")],
)  # fmt: skip
def test_a_command_that_fails_says_so(app: Flask, arguments: tuple[str, ...]) -> None:
    code, output = _run(app, *arguments)

    assert code in {1, 2}
    assert "Error" in output


@pytest.mark.parametrize(
    ("noun", "verb"),
    [
        ("courses", "import"),
        ("courses", "export"),
        ("posts", "import"),
        ("posts", "export"),
        ("posts", "check"),
        ("demo", "load"),
    ],
)
def test_help_shows_an_example(app: Flask, noun: str, verb: str) -> None:
    assert f"flask {noun} {verb}" in _run(app, noun, verb, "--help")[1]
