"""What is done to whole posts: the trash and the way back, and the undoing of what buttons and bulk actions did."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, say
from app.admin.undo import read_undo, say_with_undo, sign_undo
from app.blog.post_edits import EditedPost
from app.blog.post_states import FormerPost, delete_posts, restore_posts, undo_post_changes
from app.errors import NotFound


@action("/posts/<public_id>/delete", needs=p.CONTENT_WRITE)
def delete_post(public_id: str) -> ResponseReturnValue:
    deleted = delete_posts(public_ids=[public_id])
    if not deleted:
        raise NotFound("There is no such post, or it lies in the trash.")
    say_with_undo(f"“{deleted[0][1]}” is in the trash.", url_for("admin.restore_post", public_id=public_id))
    return redirect(url_for("admin.posts"), 303)


@action("/posts/<public_id>/restore", needs=p.CONTENT_WRITE)
def restore_post(public_id: str) -> ResponseReturnValue:
    titles = restore_posts(public_ids=[public_id])
    say(f"“{titles[0]}” is back as it was.")
    return redirect(url_for("admin.post_editor", public_id=public_id), 303)


@action("/posts/undo", needs=p.CONTENT_WRITE)
def undo_post_change() -> ResponseReturnValue:
    step = cast(Mapping[str, Any], read_undo(request.form.get("step", "")))
    if step.get("deleted"):
        count = len(restore_posts(public_ids=step["deleted"]))
    else:
        former = [_read_former(each) for each in step["before"]]
        count = undo_post_changes(former=former, status=step["status"], category_id=step["category_id"])
    if count:
        say(f"Undone: {count_posts(count)} as before.")
    else:
        say("Nothing to undo: somebody changed it since.", "warning")
    back = request.form.get("back", "")
    return redirect(url_for("admin.post_editor", public_id=back) if back else url_for("admin.posts"), 303)


def offer_undo(
    message: str, *, former: FormerPost | Sequence[FormerPost], status: str = "", category_id: int | None = None,
    back: str = "",
) -> None:  # fmt: skip
    """Say what was done, with Undo. status or category_id: what the posts are now; back: the editor to return to."""
    posts = [former] if isinstance(former, FormerPost) else former
    before = [
        (each.public_id, each.status, each.published_at.isoformat() if each.published_at else "", each.category_id)
        for each in posts
    ]
    step = sign_undo({"status": status, "category_id": category_id, "before": before})
    say_with_undo(message, url_for("admin.undo_post_change"), step=step, back=back)


def describe_former(post: EditedPost) -> FormerPost:
    """The post as it was when the form was sent."""
    file = post.stored.file
    return FormerPost(
        public_id=post.public_id, status=file.status, published_at=file.published_at,
        category_id=post.stored.category_id,
    )  # fmt: skip


def count_posts(number: int) -> str:
    """ "1 post", "2 posts"."""
    return "1 post" if number == 1 else f"{number} posts"


def _read_former(values: Sequence[Any]) -> FormerPost:
    public_id, status, day, category_id = values
    return FormerPost(
        public_id=public_id, status=status, published_at=datetime.fromisoformat(day) if day else None,
        category_id=category_id,
    )  # fmt: skip
