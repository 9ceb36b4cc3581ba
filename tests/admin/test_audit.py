"""The activity log in the browser."""

from datetime import UTC, datetime

from flask import Flask

from app.accounts.staff import invite_staff
from app.audit import Actor, acting_as, record_audit
from app.db import transaction
from app.reports.audit_log import Change, list_activity
from tests.admin.staff import Staff
from tests.conftest import MovableClock


def note(action: str, subject_id: str = "crs_1", **values: object) -> None:
    with transaction():
        record_audit(action=action, subject_type=action.partition(".")[0], subject_id=subject_id, **values)  # type: ignore[arg-type]


def test_an_entry_says_who_and_what_was_there_before_and_after(app: Flask) -> None:
    owner = Staff(app, "owner")
    invite_staff(email="eva@example.org", name="Eva", role_name="reader")
    with acting_as(Actor(kind="user", id=owner.user.public_id)):
        note(
            "course.changed",
            before={"title": "Old <b>", "is_featured": False},
            after={"title": "New", "tags": ["a", "b"]},
        )

    [entry] = list_activity(subject_type="course").rows
    page = owner.get("/admin/audit?subject=course").text

    assert (entry.actor, entry.action) == ("Owner Person", "course.changed")
    assert entry.changes == (
        Change(name="title", before="Old <b>", after="New"),
        Change(name="is featured", before="no", after=""),
        Change(name="tags", before="", after="a, b"),
    )
    assert "<del>Old &lt;b&gt;</del> → <ins>New</ins>" in page
    assert "user.role_changed" not in page


def test_the_log_is_filtered_by_who_when_and_which_thing(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(datetime(2026, 11, 20, 23, 30, tzinfo=UTC))
    note("course.changed", "crs_1")
    moving_clock.freeze(datetime(2026, 11, 21, 0, 30, tzinfo=UTC))
    with acting_as(Actor(kind="stripe")):
        note("order.refund", "ord_1")
    moving_clock.frozen = None
    admin = Staff(app, "admin")

    def shown(query: str) -> tuple[bool, bool]:
        text = admin.get(f"/admin/audit?{query}").text
        return "course.changed<" in text, "order.refund<" in text

    assert shown("actor=stripe") == (False, True)
    assert shown("until=2026-11-20") == (True, False)
    assert shown("since=2026-11-21") == (False, True)
    assert shown("q=crs_1") == (True, False)
    assert shown("q=order.") == (False, True)
    assert shown("actor=nobody&since=never") == (True, True)


def test_an_empty_log_and_an_empty_answer_say_what_to_do(app: Flask) -> None:
    admin = Staff(app, "admin")

    assert "Clear the filters" in admin.get("/admin/audit?q=zzz").text


def test_a_day_beyond_the_calendar_narrows_nothing(app: Flask) -> None:
    assert Staff(app, "owner").get("/admin/audit?since=0001-01-01&until=9999-12-31").status_code == 200
