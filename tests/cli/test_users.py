"""flask users: accounts made by hand, their roles, and the audit entries of both."""

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.models import SignInLink, User
from app.accounts.passwords import is_password_of
from app.accounts.services import deactivate_user, find_user_by_email
from app.audit import AuditEntry
from app.db import db
from tests.accounts.people import Browser
from tests.cli.runner import dump, run, run_json
from tests.conftest import MovableClock
from tests.factories import make_user

PASSWORD = "eleven green bicycles"


def _entries() -> list[tuple[str, str, object, object]]:
    db.session.rollback()
    rows = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id))
    return [(row.actor_kind, row.actor_id, row.before, row.after) for row in rows]


def _user(email: str) -> User:
    db.session.rollback()
    user = find_user_by_email(email)
    assert user is not None
    return user


def test_an_account_is_made_with_a_link_that_signs_in_once(app: Flask) -> None:
    made = run_json(app, "users", "create", "--email", "Ana@Example.org", "--name", " Ana  Lee ", "--role", "owner")

    assert (made["email"], made["name"], made["roles"], made["state"]) == (
        "ana@example.org", "Ana Lee", ["learner", "owner"], "active",
    )  # fmt: skip
    assert _user("ana@example.org").password is None
    assert _entries() == [("system", "command line", None, {"roles": ["learner", "owner"]})]
    path = made["sign_in_url"].removeprefix("http://localhost")
    browser = Browser(app)
    browser.submit(path)
    assert browser.is_signed_in()
    assert "no longer valid" in Browser(app).get(path).text


def test_the_link_ends_after_a_day(app: Flask, moving_clock: MovableClock) -> None:
    made = run_json(app, "users", "create", "--email", "ana@example.org", "--name", "Ana")
    path = made["sign_in_url"].removeprefix("http://localhost")

    moving_clock.advance(hours=23, minutes=59)
    assert Browser(app).get(path).status_code == 200

    moving_clock.advance(minutes=2)
    assert Browser(app).get(path).status_code == 410


def test_the_link_is_printed_for_people_too(app: Flask) -> None:
    code, output, error = run(app, "users", "create", "--email", "ana@example.org", "--name", "Ana")

    assert (code, error) == (0, "")
    assert output.startswith(
        "Made ana@example.org (learner).\nSigns in once, within 24 hours: http://localhost/account/link/"
    )


def test_a_password_comes_by_standard_input(app: Flask) -> None:
    arguments = ("users", "create", "--email", "ana@example.org", "--name", "Ana", "--password-stdin")

    made = run_json(app, *arguments, stdin=PASSWORD + "\n")

    assert made["sign_in_url"] is None
    assert is_password_of(PASSWORD, _user("ana@example.org").password)
    assert db.session.scalars(select(SignInLink)).all() == []
    assert PASSWORD not in str(dump())


@pytest.mark.parametrize(
    ("arguments", "stdin", "sentence"),
    [
        (("--email", "ana", "--name", "Ana"), None, "Enter an email address"),
        (("--email", "ana@example.org", "--name", "Ana", "--role", "king"), None, "There is no role named king."),
        (("--email", "ana@example.org", "--name", "Ana", "--role", "owner", "--role", "king"), None, "There is no role"),
        (("--email", "taken@example.org", "--name", "Ana"), None, "An account with this email address exists already."),
        (("--email", "taken@example.org", "--name", "Ana", "--password-stdin"), PASSWORD, "An account with this email"),
        (("--email", "ana@example.org", "--name", "Ana", "--password-stdin"), "", "Give the password on standard input"),
        (("--email", "ana@example.org", "--name", "Ana", "--password-stdin"), "a\nb\n", "Give the password on standard"),
        (("--email", "ana@example.org", "--name", "Ana", "--password-stdin"), "short", "Use at least 10 characters"),
    ],
)  # fmt: skip
def test_a_refusal_is_one_sentence_and_makes_nothing(
    app: Flask, arguments: tuple[str, ...], stdin: str | None, sentence: str
) -> None:
    make_user(email="taken@example.org")
    before = dump()

    code, output, error = run(app, "users", "create", *arguments, stdin=stdin)

    assert (code, output) == (1, "")
    assert error.startswith(f"Error: {sentence}"), error
    assert error.count("\n") == 1
    assert dump() == before


def test_a_role_is_given_and_taken_with_an_entry_each_and_once(app: Flask) -> None:
    make_user(email="ana@example.org")

    assert run(app, "users", "promote", "ANA@example.org", "owner")[:2] == (0, "ana@example.org has the role owner.\n")
    assert run_json(app, "users", "promote", "ana@example.org", "owner")["roles"] == ["owner"]
    assert run_json(app, "users", "promote", "ana@example.org", "editor")["roles"] == ["editor", "owner"]
    assert run(app, "users", "demote", "ana@example.org", "owner")[:2] == (0, "ana@example.org has the role editor.\n")
    assert run_json(app, "users", "demote", "ana@example.org", "owner")["roles"] == ["editor"]

    assert _entries() == [
        ("system", "command line", None, {"role": "owner"}),
        ("system", "command line", None, {"role": "editor"}),
        ("system", "command line", {"role": "owner"}, None),
    ]


def test_an_account_may_be_left_without_a_role(app: Flask) -> None:
    make_user(email="ana@example.org")
    run(app, "users", "promote", "ana@example.org", "owner")

    assert run(app, "users", "demote", "ana@example.org", "owner")[1] == "ana@example.org has no role.\n"


@pytest.mark.parametrize("verb", ["promote", "demote"])
@pytest.mark.parametrize(
    ("email", "role", "sentence"),
    [("ana@example.org", "king", "There is no role named king."),
     ("nobody@example.org", "owner", "There is no account with this email address."),
     ("not an address", "owner", "There is no account with this email address.")],
)  # fmt: skip
def test_a_change_that_cannot_be_made_changes_nothing(
    app: Flask, verb: str, email: str, role: str, sentence: str
) -> None:
    make_user(email="ana@example.org")
    before = dump()

    assert run(app, "users", verb, email, role) == (1, "", f"Error: {sentence}\n")
    assert dump() == before


def test_the_list_tells_roles_and_states(app: Flask) -> None:
    make_user(email="new@example.org", confirmed_at=None)
    closed = make_user(email="closed@example.org")
    deactivate_user(user_id=closed.id)
    run(app, "users", "create", "--email", "ana@example.org", "--name", "Ana", "--role", "owner")

    lines = [line.split() for line in run(app, "users", "list")[1].splitlines()]

    assert lines == [
        ["new@example.org", "unconfirmed"], ["closed@example.org", "closed"],
        ["ana@example.org", "active", "learner,", "owner"], ["3", "accounts."],
    ]  # fmt: skip
    owners = run_json(app, "users", "list", "--role", "owner")
    assert [user["email"] for user in owners["users"]] == ["ana@example.org"]
    assert owners["count"] == 1
    assert run(app, "users", "list", "--role", "king") == (1, "", "Error: There is no role named king.\n")


def test_the_list_goes_on_past_a_page(app: Flask) -> None:
    for _ in range(501):
        make_user()

    assert len({user["email"] for user in run_json(app, "users", "list")["users"]}) == 501


def test_an_account_is_shown_with_what_was_done_to_it_and_no_hash(app: Flask) -> None:
    run(app, "users", "create", "--email", "ana@example.org", "--name", "Ana", "--password-stdin", stdin=PASSWORD)
    run(app, "users", "promote", "ana@example.org", "owner")

    shown = run_json(app, "users", "show", "ana@example.org")
    output = run(app, "users", "show", "ana@example.org")[1]

    assert shown["has_password"] is True
    assert [(entry["action"], entry["actor"], entry["after"]) for entry in shown["audit"]] == [
        ("user.role_changed", "command line", {"role": "owner"}), ("user.created", "command line", {"roles": ["learner"]}),
    ]  # fmt: skip
    assert "has password  yes" in output
    assert 'user.role_changed  null → {"role": "owner"}' in output
    assert "argon2" not in str(shown) + output


def test_showing_an_account_that_is_not_there_is_a_sentence(app: Flask) -> None:
    assert run(app, "users", "show", "nobody@example.org") == (
        1, "", "Error: There is no account with this email address.\n",
    )  # fmt: skip


@pytest.mark.parametrize("verb", ["create", "list", "show", "promote", "demote"])
def test_help_shows_an_example(app: Flask, verb: str) -> None:
    assert f"flask users {verb}" in run(app, "users", verb, "--help")[1].partition("Example:")[2]
