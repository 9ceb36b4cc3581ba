"""The logo: a picture that replaces the drawn sign."""

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, current_staff, say
from app.http import LARGER_BODIES
from app.media.services import LARGEST_UPLOAD, PictureRefused, save_picture
from app.settings.services import SettingsChanged, change_section, get_section

# The picture and the form around it.
LARGER_BODIES["admin.save_logo"] = LARGEST_UPLOAD + 100_000


@action("/settings/brand/logo", needs=p.SHOP_WRITE)
def save_logo() -> ResponseReturnValue:
    upload = request.files.get("picture")
    try:
        picture = save_picture(content=upload.read() if upload else b"", uploaded_by_id=current_staff().id)
    except PictureRefused as error:
        say(error.sentence, "error")
        return redirect(url_for("admin.settings_section", section="brand"), 303)
    return _put(picture.path, "The logo is saved. Visitors see it from now on.")


@action("/settings/brand/logo/remove", needs=p.SHOP_WRITE)
def remove_logo() -> ResponseReturnValue:
    return _put("", "The drawn sign is back.")


def _put(path: str, words: str) -> ResponseReturnValue:
    try:
        change_section(section="brand", values={"logo_path": path}, version=get_section("brand").version)
    except SettingsChanged as error:
        say(error.sentence, "error")
    else:
        say(words)
    return redirect(url_for("admin.settings_section", section="brand"), 303)
