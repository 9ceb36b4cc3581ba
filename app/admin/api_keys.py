"""/admin/api-keys: secrets for scripts. The secret is shown once, on the answer that made it."""

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectMultipleField, StringField
from wtforms.validators import DataRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from app.accounts import permissions as p
from app.accounts.api_keys import LONGEST_KEY_NAME, create_api_key, get_api_key, list_api_keys, revoke_api_key
from app.admin.blueprint import action, current_staff, page, say
from app.admin.fields import make_choices

FIX = 422
SCOPE_WORDS = {
    p.CONTENT_READ: "Read courses and posts, drafts too",
    p.CONTENT_WRITE: "Write courses and posts",
    p.PRICES_READ: "Read prices and promotion codes",
    p.PRICES_WRITE: "Change prices and promotion codes",
    p.ORDERS_READ: "Read orders",
    p.ORDERS_WRITE: "Change orders",
    p.ORDERS_REFUND: "Refund orders",
    p.PEOPLE_READ: "Read learners and subscribers",
    p.PEOPLE_WRITE: "Change learners and subscribers",
    p.STRIPE_READ: "Read Stripe events",
    p.STRIPE_WRITE: "Replay Stripe events",
    p.REPORTS_READ: "Read reports",
    p.AUDIT_READ: "Read the activity log",
}


class KeyForm(FlaskForm):
    """A new key."""

    name = StringField(
        "Name", validators=[DataRequired("Name the script that will use the key."), Length(max=LONGEST_KEY_NAME)]
    )
    scopes = SelectMultipleField(
        "What it may do", choices=make_choices(SCOPE_WORDS.items()), option_widget=CheckboxInput(),
        widget=ListWidget(prefix_label=False), validators=[DataRequired("Choose what the key may do.")],
    )  # fmt: skip


@page("/api-keys", needs=p.STAFF_WRITE)
def api_keys() -> str:
    return render_template("admin/api_keys/list.html", keys=list_api_keys(), words=SCOPE_WORDS)


@page("/api-keys/new", needs=p.STAFF_WRITE)
def new_api_key() -> str:
    return render_template("admin/api_keys/new.html", form=KeyForm())


@action("/api-keys/new", needs=p.STAFF_WRITE, is_sensitive=True)
def add_api_key() -> ResponseReturnValue:
    form = KeyForm()
    if not form.validate():
        return render_template("admin/api_keys/new.html", form=form, has_errors=True), FIX
    key, secret = create_api_key(
        user_id=current_staff().id, name=form.name.data or "", scopes=form.scopes.data or ()
    )  # fmt: skip
    # No redirect: the secret is on this answer only, which nobody stores, and in no cookie or address.
    return render_template("admin/api_keys/made.html", key=key, secret=secret, words=SCOPE_WORDS), 201


@page("/api-keys/<public_id>/revoke", needs=p.STAFF_WRITE)
def ask_revoke_api_key(public_id: str) -> str:
    return render_template("admin/api_keys/revoke.html", key=get_api_key(public_id))


@action("/api-keys/<public_id>/revoke", needs=p.STAFF_WRITE)
def revoke_key(public_id: str) -> ResponseReturnValue:
    key = revoke_api_key(public_id=public_id)
    say(f"“{key.name}” opens nothing any more.")
    return redirect(url_for("admin.api_keys"), 303)
