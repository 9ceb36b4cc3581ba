"""/admin/staff: who may open the back-office, and as what."""

from collections.abc import Callable

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import EmailField, RadioField, StringField
from wtforms.validators import DataRequired, Length

from app.accounts import permissions as p
from app.accounts.emails import LONGEST_ADDRESS
from app.accounts.services import LONGEST_NAME
from app.accounts.staff import (
    STAFF_ROLES,
    LastOwner,
    change_staff_role,
    get_staff_member,
    invite_staff,
    list_staff,
    remove_staff,
)
from app.admin.blueprint import action, page, say
from app.admin.fields import make_choices
from app.errors import InvalidInput

FIX = 422
ROLE_WORDS = {
    "reader": "Reader: Sees orders, learners, courses and reports, changes nothing",
    "editor": "Editor: Writes courses and posts, sees no orders and no people",
    "support": "Support: Helps with orders, refunds and learners",
    "admin": "Admin: Runs the shop, except staff, API keys and settings",
    "owner": "Owner: Everything",
}
ROLE_CHOICES = make_choices((role, ROLE_WORDS[role]) for role in STAFF_ROLES)


class InviteForm(FlaskForm):
    """A new member of staff."""

    name = StringField("Name", validators=[DataRequired("Enter their name."), Length(max=LONGEST_NAME)])
    email = EmailField("Email address", validators=[DataRequired("Enter their email address."),
                                                    Length(max=2 * LONGEST_ADDRESS)])  # fmt: skip
    role = RadioField("Role", choices=ROLE_CHOICES, default="editor", validators=[DataRequired("Choose a role.")])


class RoleForm(FlaskForm):
    """Another role for somebody who is staff."""

    role = RadioField("Role", choices=ROLE_CHOICES, validators=[DataRequired("Choose a role.")])


@page("/staff", needs=p.STAFF_WRITE)
def staff() -> str:
    return render_template("admin/staff/list.html", members=list_staff(), words=ROLE_WORDS)


@page("/staff/new", needs=p.STAFF_WRITE)
def new_staff() -> str:
    return render_template("admin/staff/new.html", form=InviteForm())


@action("/staff/new", needs=p.STAFF_WRITE, is_sensitive=True)
def add_staff() -> ResponseReturnValue:
    form = InviteForm()
    if not form.validate():
        return render_template("admin/staff/new.html", form=form, has_errors=True), FIX
    try:
        member = invite_staff(email=form.email.data or "", name=form.name.data or "", role_name=form.role.data)
    except InvalidInput as error:
        form.email.errors = [error.sentence]
        return render_template("admin/staff/new.html", form=form, has_errors=True), FIX
    say(f"{member.name or member.email} is {member.role} now. A link to sign in is on its way to {member.email}.")
    return redirect(url_for("admin.staff"), 303)


@page("/staff/<public_id>", needs=p.STAFF_WRITE)
def staff_member(public_id: str) -> str:
    member = get_staff_member(public_id)
    return render_template("admin/staff/member.html", member=member, form=RoleForm(role=member.role))


@action("/staff/<public_id>", needs=p.STAFF_WRITE, is_sensitive=True)
def save_staff_member(public_id: str) -> ResponseReturnValue:
    member, form = get_staff_member(public_id), RoleForm()
    if not form.validate():
        return render_template("admin/staff/member.html", member=member, form=form, has_errors=True), FIX
    return _change(
        member.name or member.email, lambda: change_staff_role(public_id=public_id, role_name=form.role.data)
    )


@action("/staff/<public_id>/remove", needs=p.STAFF_WRITE, is_sensitive=True)
def remove_staff_member(public_id: str) -> ResponseReturnValue:
    member = get_staff_member(public_id)
    return _change(member.name or member.email, lambda: remove_staff(public_id=public_id))


def _change(name: str, change: Callable[[], None]) -> ResponseReturnValue:
    try:
        change()
    except LastOwner as error:
        say(f"Nothing changed. {error.sentence}", "error")
    else:
        say(f"Saved. What {name} may do counts from their next click on.")
    return redirect(url_for("admin.staff"), 303)
