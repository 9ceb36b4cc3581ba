"""Courses given without payment: with a reason, closed and opened again, never two at once."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app import clock
from app.accounts.models import User
from app.audit import AuditEntry
from app.db import db
from app.enrollment.manual_grants import (
    AlreadyGiven,
    close_free_seat,
    give_course,
    list_free_seats,
    reopen_free_seat,
)
from app.enrollment.models import Grant
from app.enrollment.services import list_open_course_ids
from app.errors import InvalidInput, NotFound
from tests.accounts.people import list_mails
from tests.factories import make_course, make_user
from tests.races import kinds, run_at_once


def give(course: Any, email: str = "ana@example.org", **values: Any) -> str:
    giver = values.pop("giver", None) or make_user()
    return give_course(
        **{
            "email": email, "name": "Ana", "course_public_id": course.public_id, "reason": "Guest speaker",
            "expires_at": None, "given_by_id": giver.id, **values,
        }
    )  # fmt: skip


def list_actions() -> list[tuple[str, str]]:
    db.session.rollback()
    rows = db.session.execute(
        select(AuditEntry.action, AuditEntry.reason)
        .where(AuditEntry.action.startswith("access."))
        .order_by(AuditEntry.id)
    )
    return [tuple(row) for row in rows]


def test_a_stranger_gets_an_unproved_account_with_the_course_and_a_mail(app: Flask) -> None:
    course = make_course(title="Draw the path")

    public_id = give(course)

    user = db.session.scalars(select(User).where(User.public_id == public_id)).one()
    assert (user.email, user.confirmed_at, user.password) == ("ana@example.org", None, None)
    assert list_open_course_ids(user_id=user.id) == {course.id}
    assert [mail.template for mail in list_mails("ana@example.org")] == ["course_given"]
    assert list_actions() == [("access.given", "Guest speaker")]


def test_it_ends_on_its_day(app: Flask, moving_clock: Any) -> None:
    course, learner = make_course(), make_user(email="ana@example.org")

    give(course, expires_at=clock.now() + timedelta(days=7))

    assert list_open_course_ids(user_id=learner.id) == {course.id}
    moving_clock.advance(days=8)
    assert list_open_course_ids(user_id=learner.id) == set()
    assert [seat.state for seat in list_free_seats(text="", number=1).rows] == ["over"]


def test_closing_and_opening_again_is_noted_and_repeats_change_nothing(app: Flask) -> None:
    course, learner = make_course(), make_user(email="ana@example.org")
    public_id = give(course)
    names = {"user_public_id": public_id, "course_public_id": course.public_id, "reason": "x"}

    outcomes = [close_free_seat(**names), close_free_seat(**names)]
    assert (outcomes, list_open_course_ids(user_id=learner.id)) == ([True, False], set())
    outcomes = [reopen_free_seat(**names), reopen_free_seat(**names)]

    assert (outcomes, list_open_course_ids(user_id=learner.id)) == ([True, False], {course.id})
    assert [action for action, _ in list_actions()] == ["access.given", "access.closed", "access.reopened"]


def test_what_cannot_be_given_is_refused(app: Flask, moving_clock: Any) -> None:
    course = make_course()
    with pytest.raises(InvalidInput):
        give(course, reason=" ")
    with pytest.raises(InvalidInput):
        give(course, expires_at=clock.now())
    with pytest.raises(NotFound):
        give(course, course_public_id="crs_none")
    public_id = give(course, expires_at=clock.now() + timedelta(days=1))
    with pytest.raises(AlreadyGiven):
        give(course)
    close_free_seat(user_public_id=public_id, course_public_id=course.public_id, reason="")
    moving_clock.advance(days=2)
    with pytest.raises(InvalidInput):
        reopen_free_seat(user_public_id=public_id, course_public_id=course.public_id, reason="")
    for course_id in ("crs_none", make_course().public_id):
        with pytest.raises(NotFound):
            reopen_free_seat(user_public_id=public_id, course_public_id=course_id, reason="")
    assert len(db.session.scalars(select(Grant.id)).all()) == 1


@pytest.mark.slow
def test_two_admins_give_it_once(app: Flask) -> None:
    course, giver = make_course(), make_user()
    make_user(email="ana@example.org")

    outcomes = run_at_once(app, *[lambda: give(course, giver=giver)] * 4)

    assert kinds(outcomes) == {"str": 1, "AlreadyGiven": 3}
    assert len(db.session.scalars(select(Grant.id)).all()) == 1
