"""Links that show a course's page before it is published, to people without an account: signed, with an end."""

from datetime import timedelta

from sqlalchemy import select

from app.catalog.models import Course
from app.db import db
from app.errors import NotFound
from app.signing import read_link, sign_link

PURPOSE = "course_preview"
VALID_FOR = timedelta(days=7)


def make_preview_token(public_id: str) -> str:
    """The token of /preview/<token>, good for a week from now."""
    return sign_link(PURPOSE, public_id)


def find_previewed_slug(token: str) -> str:
    """The present slug of the course a token shows. Raises LinkExpired, LinkInvalid, NotFound for a deleted course."""
    public_id = read_link(PURPOSE, token, max_age_seconds=int(VALID_FOR.total_seconds()))
    slug = db.session().scalar(select(Course.slug).where(Course.public_id == public_id, Course.deleted_at.is_(None)))
    if slug is None:
        raise NotFound
    return slug
