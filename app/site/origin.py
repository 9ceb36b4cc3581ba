"""Where a request came from, and where it may go next."""

import re

from flask import current_app, request

from app.config import Settings
from app.errors import Forbidden

# One slash, then visible ASCII without a backslash: browsers read "//host" and "/\host" as another host.
LOCAL_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]{0,499}")
HOME = "/account/courses"


class CrossSite(Forbidden):
    """A form on another site sent this, perhaps without the person knowing."""

    code = "cross_site"
    title = "This came from another site"
    sentence = "Open the page here and send it again."


def refuse_cross_site() -> None:
    """For forms without a token. Raises CrossSite unless the browser says that the form stood on our own pages.

    Browsers send Sec-Fetch-Site on every request to an https or loopback address and Origin with every POST; a request
    with neither comes from a program, which carries nobody's cookies against their will.
    """
    settings: Settings = current_app.config["SETTINGS"]
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise CrossSite
        return
    origin = request.headers.get("Origin")
    if origin is not None and origin != settings.public_url:
        raise CrossSite


def local_path(text: str | None, default: str = HOME) -> str:
    """The text when it is a path on this site, else the default: the only way a parameter may become a redirect."""
    return text if text and LOCAL_PATH.fullmatch(text) else default
