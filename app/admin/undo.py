"""A change that can be taken back says so at once: a sentence with an Undo button on the next page."""

from flask import render_template
from markupsafe import Markup

from app.admin.blueprint import TOAST, say
from app.signing import read_link, sign_link

PURPOSE = "undo"
VALID_SECONDS = 3600


def say_with_undo(message: str, url: str, **fields: str) -> None:
    """Say what was done and offer a POST to url, with these hidden fields, that undoes it."""
    # A flash that is Markup stays Markup in the session; the template escapes what is put into it.
    say(Markup(render_template("admin/undo.html", message=message, url=url, fields=fields)), TOAST)  # noqa: S704


def sign_undo(value: object) -> str:
    """What an undo needs to know, as a field that nobody can write by hand."""
    return sign_link(PURPOSE, value)


def read_undo(token: str) -> object:
    """The value of sign_undo(). Raises LinkExpired after an hour, LinkInvalid."""
    found: object = read_link(PURPOSE, token, max_age_seconds=VALID_SECONDS)
    return found
