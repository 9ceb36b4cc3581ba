"""What is done to one course as a whole: copied, deleted and brought back."""

from flask import redirect, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, say
from app.admin.undo import say_with_undo
from app.catalog.course_states import delete_course as delete_draft
from app.catalog.course_states import duplicate_course as copy_course
from app.catalog.course_states import restore_course as bring_back
from app.catalog.holders import CourseInUse


@action("/courses/<public_id>/duplicate", needs=p.CONTENT_WRITE)
def duplicate_course(public_id: str) -> ResponseReturnValue:
    copy = copy_course(public_id=public_id)
    say("This is the copy: a draft with the same texts and lessons, and no price yet.")
    return redirect(url_for("admin.course_editor", public_id=copy.public_id), 303)


@action("/courses/<public_id>/delete", needs=p.CONTENT_WRITE)
def delete_course(public_id: str) -> ResponseReturnValue:
    try:
        title = delete_draft(public_id=public_id)
    except CourseInUse as error:
        say(error.sentence, "error")
        return redirect(url_for("admin.course_editor", public_id=public_id), 303)
    say_with_undo(f"“{title}” is deleted.", url_for("admin.restore_course", public_id=public_id))
    return redirect(url_for("admin.courses"), 303)


@action("/courses/<public_id>/restore", needs=p.CONTENT_WRITE)
def restore_course(public_id: str) -> ResponseReturnValue:
    title = bring_back(public_id=public_id)
    say(f"“{title}” is back.")
    return redirect(url_for("admin.course_editor", public_id=public_id), 303)
