"""/admin/posts/<id>/revisions: every save, what it changed, and the way back to it."""

from dataclasses import dataclass

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, page
from app.admin.courses.conflict import LABELS
from app.admin.undo import say_with_undo
from app.blog.differences import compare_texts
from app.blog.post_edits import get_edited_post
from app.blog.post_edits import restore_revision as bring_back
from app.blog.revisions import Revision, find_last_number, get_revision, list_revisions
from app.errors import NotFound
from app.reports.post_editor import list_course_ids_that_exist, name_revision

NOW = "now"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedFact:
    """A field that differs, in words."""

    label: str
    before: str
    after: str


@page("/posts/<public_id>/revisions", needs=p.CONTENT_READ)
def post_revisions(public_id: str) -> str:
    post = get_edited_post(public_id=public_id)
    return render_template("admin/posts/revisions.html", post=post, revisions=list_revisions(post.post_id))


@page("/posts/<public_id>/revisions/<int:number>", needs=p.CONTENT_READ)
def post_revision(public_id: str, number: int) -> str:
    post = get_edited_post(public_id=public_id)
    shown, last = get_revision(post.post_id, number), find_last_number(post.post_id)
    is_to_now = request.args.get("against") == NOW
    before = shown if is_to_now else _find(post.post_id, number - 1)
    after = get_revision(post.post_id, last) if is_to_now else shown
    return render_template(
        "admin/posts/revision.html", post=post, shown=shown, before=before, last=last, is_to_now=is_to_now,
        facts=_compare_facts(before, after),
        lines=compare_texts(before.content["body"] if before else "", after.content["body"]),
    )  # fmt: skip


@action("/posts/<public_id>/revisions/<int:number>/restore", needs=p.CONTENT_WRITE)
def restore_revision(public_id: str, number: int) -> ResponseReturnValue:
    post = get_edited_post(public_id=public_id)
    course_ids = get_revision(post.post_id, number).content["course_ids"]
    known = list_course_ids_that_exist(course_ids)
    last = bring_back(public_id=public_id, number=number, known_course_ids=known)
    undo = url_for("admin.restore_revision", public_id=public_id, number=last)
    say_with_undo(f"The words of revision {number} are back. Address and dates stayed as they were.", undo)
    return redirect(url_for("admin.post_editor", public_id=public_id), 303)


def _find(post_id: int, number: int) -> Revision | None:
    try:
        return get_revision(post_id, number)
    except NotFound:
        return None


def _compare_facts(before: Revision | None, after: Revision) -> list[ChangedFact]:
    old = name_revision(before.content) if before is not None else {}
    return [
        ChangedFact(
            label=LABELS.get(name, name.capitalize()), before=old.get(name) or "Nothing", after=value or "Nothing"
        )
        for name, value in name_revision(after.content).items()
        if value != old.get(name, "")
    ]
