"""Posts as the back-office's tests need them."""

from typing import Any

from app.blog.models import Post
from app.db import db
from tests.accounts.people import SAME_ORIGIN
from tests.admin.courses import read_form
from tests.admin.staff import Staff
from tests.shop import load_post, post_text


def make_post(body: str = "Some words.", **head: str) -> str:
    """The small post of the shop's tests, published; gives its public id."""
    return read_post(load_post(post_text(body, **head))).public_id


def read_post(post: int | str) -> Post:
    """The post as the database has it, in a fresh session."""
    db.session.remove()
    condition = Post.id == post if isinstance(post, int) else Post.public_id == post
    return db.session.query(Post).filter(condition).one()


def open_form(staff: Staff, public_id: str) -> dict[str, Any]:
    """What sending the editor's form unchanged would send."""
    return read_form(staff.get(f"/admin/posts/{public_id}").text, "post-form")


def save(staff: Staff, public_id: str, *, form: dict[str, Any] | None = None, **changes: Any) -> Any:
    """Open the editor, change some fields, and send the form (or the one that was opened before)."""
    values = form or open_form(staff, public_id)
    answer = staff.post(f"/admin/posts/{public_id}", {**values, **changes}, headers=SAME_ORIGIN)
    # What the test read before is of another moment.
    db.session.remove()
    return answer


def send(staff: Staff, path: str, data: dict[str, Any] | None = None) -> Any:
    """A POST as one of our own forms sends it."""
    answer = staff.send(path, data)
    db.session.remove()
    return answer
