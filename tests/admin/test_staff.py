"""Staff and roles: given by an owner, never the last owner taken, no back door through a foreign account."""

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.services import find_user_by_email
from app.accounts.staff import LastOwner, change_staff_role, invite_staff, list_staff, remove_staff
from app.audit import AuditEntry
from app.db import db
from tests.accounts.people import Browser, list_mails, make_person, read_link
from tests.admin.staff import Staff
from tests.races import run_at_once


def roles() -> dict[str, str]:
    db.session.rollback()
    return {member.email: member.role for member in list_staff()}


def test_a_new_member_signs_in_by_the_mailed_link_and_lands_in_the_back_office(app: Flask) -> None:
    owner = Staff(app, "owner")

    answer = owner.send("/admin/staff/new", {"name": "Eva Lind", "email": "Eva@Example.org", "role": "editor"})

    assert answer.status_code == 303
    assert roles() == {"owner@example.org": "owner", "eva@example.org": "editor"}
    [mail] = list_mails("eva@example.org")
    assert mail.template == "staff_invited"
    eva = Browser(app)
    assert eva.submit(read_link(mail)).headers["Location"] == "/admin"
    assert eva.get("/admin/").status_code == 200
    entries = select(AuditEntry).where(AuditEntry.action == "user.role_changed").order_by(AuditEntry.id)
    entry = db.session.scalars(entries).all()[-1]
    assert (entry.actor_id, entry.before, entry.after) == (owner.user.public_id, {"roles": []}, {"roles": ["editor"]})


def test_a_password_that_a_stranger_set_for_the_address_opens_nothing(app: Flask) -> None:
    make_person("eva@example.org", is_confirmed=False)

    invite_staff(email="eva@example.org", name="Eva", role_name="admin")

    stranger = Browser(app)
    stranger.sign_in("eva@example.org")
    assert stranger.get("/admin/").headers["Location"].startswith("/account/login")


def test_what_is_wrong_with_the_form_is_said_beside_its_field(app: Flask) -> None:
    owner = Staff(app, "owner")

    answer = owner.send("/admin/staff/new", {"name": "", "email": "nobody", "role": "king"})

    assert answer.status_code == 422
    assert "<title>Error: Add a person" in answer.text
    assert "Fix 2 things to add this person" in answer.text
    assert roles() == {"owner@example.org": "owner"}


def test_a_role_changes_and_goes_from_the_browser(app: Flask) -> None:
    owner = Staff(app, "owner")
    member = invite_staff(email="eva@example.org", name="Eva", role_name="reader")

    owner.send(f"/admin/staff/{member.public_id}", {"role": "support"})
    assert roles()["eva@example.org"] == "support"
    owner.send(f"/admin/staff/{member.public_id}/remove")

    assert roles() == {"owner@example.org": "owner"}
    assert find_user_by_email("eva@example.org") is not None


@pytest.mark.parametrize("path", ["", "/remove"])
def test_the_last_owner_stays_and_is_told_why(app: Flask, path: str) -> None:
    owner = Staff(app, "owner")

    owner.send(f"/admin/staff/{owner.user.public_id}{path}", {"role": "editor"})

    assert roles() == {"owner@example.org": "owner"}
    assert "Make somebody else an owner first." in owner.get("/admin/staff").text


def test_two_owners_who_remove_each_other_at_once_leave_one(app: Flask) -> None:
    first = invite_staff(email="a@example.org", name="A", role_name="owner")
    second = invite_staff(email="b@example.org", name="B", role_name="owner")

    outcomes = run_at_once(
        app,
        lambda: remove_staff(public_id=first.public_id),
        lambda: change_staff_role(public_id=second.public_id, role_name="reader"),
    )

    assert sum(isinstance(each, LastOwner) for each in outcomes) == 1
    assert list(roles().values()).count("owner") == 1
