"""The cover: a picture that replaces the drawn one."""

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, current_staff, say
from app.catalog.course_edits import set_cover
from app.http import LARGER_BODIES
from app.media.services import LARGEST_UPLOAD, PictureRefused, save_picture

# The picture and the form around it.
LARGER_BODIES["admin.save_cover"] = LARGEST_UPLOAD + 100_000


@action("/courses/<public_id>/cover", needs=p.CONTENT_WRITE)
def save_cover(public_id: str) -> ResponseReturnValue:
    upload = request.files.get("picture")
    try:
        picture = save_picture(content=upload.read() if upload else b"", uploaded_by_id=current_staff().id)
    except PictureRefused as error:
        say(error.sentence, "error")
    else:
        set_cover(public_id=public_id, cover_path=picture.path)
        say("The cover is saved.")
    return redirect(url_for("admin.course_editor", public_id=public_id), 303)


@action("/courses/<public_id>/cover/remove", needs=p.CONTENT_WRITE)
def remove_cover(public_id: str) -> ResponseReturnValue:
    set_cover(public_id=public_id, cover_path=None)
    say("The cover is drawn again.")
    return redirect(url_for("admin.course_editor", public_id=public_id), 303)
