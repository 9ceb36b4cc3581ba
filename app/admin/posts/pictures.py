"""Pictures of posts: the cover, and pictures in the text, pasted, dropped or chosen; Markdown names them."""

import re

from flask import jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, current_staff, say
from app.admin.posts.forms import PostForm
from app.blog.post_edits import set_post_cover
from app.http import LARGER_BODIES, LARGEST_FORM_FIELD
from app.media.models import MediaFile
from app.media.services import LARGEST_UPLOAD, PictureRefused, save_picture

LONGEST_ALT_TEXT = 300
# The picture and the form around it.
for endpoint in ("admin.upload_post_picture", "admin.save_post_cover", "admin.save_post"):
    LARGER_BODIES[endpoint] = LARGEST_UPLOAD + LARGEST_FORM_FIELD + 100_000


@action("/posts/pictures", needs=p.CONTENT_WRITE)
def upload_post_picture() -> ResponseReturnValue:
    """For the editor's script: the Markdown to put at the cursor, or what is wrong with the picture."""
    try:
        return jsonify(markdown=_upload())
    except PictureRefused as error:
        return jsonify(error=error.sentence), error.status


@action("/posts/<public_id>/cover", needs=p.CONTENT_WRITE)
def save_post_cover(public_id: str) -> ResponseReturnValue:
    try:
        picture = _save_upload("")
    except PictureRefused as error:
        say(error.sentence, "error")
    else:
        set_post_cover(public_id=public_id, cover_path=picture.path)
        say("The cover is saved.")
    return redirect(url_for("admin.post_editor", public_id=public_id), 303)


@action("/posts/<public_id>/cover/remove", needs=p.CONTENT_WRITE)
def remove_post_cover(public_id: str) -> ResponseReturnValue:
    set_post_cover(public_id=public_id, cover_path=None)
    say("The cover is drawn again.")
    return redirect(url_for("admin.post_editor", public_id=public_id), 303)


def add_uploaded_picture(form: PostForm) -> bool:
    """Without JavaScript: put the chosen picture at the end of the text; False when it is refused, with the reason."""
    try:
        markdown = _upload()
    except PictureRefused as error:
        form.body.errors = [error.sentence]
        return False
    form.body.data = f"{(form.body.data or '').rstrip()}\n\n{markdown}\n"
    return True


def write_picture(path: str, alt_text: str) -> str:
    """The Markdown of an uploaded picture."""
    words = re.sub(r"([\\\[\]])", r"\\\1", " ".join(alt_text.split()))
    return f"![{words}](/media/{path})"


def _upload() -> str:
    alt_text = request.form.get("alt_text", "")[:LONGEST_ALT_TEXT]
    return write_picture(_save_upload(alt_text).path, alt_text)


def _save_upload(alt_text: str) -> MediaFile:
    upload = request.files.get("picture")
    content = upload.read() if upload else b""
    if not content:
        raise PictureRefused("Choose a picture first.")
    return save_picture(content=content, alt_text=alt_text, uploaded_by_id=current_staff().id)
