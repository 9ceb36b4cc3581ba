"""Which posts led a reader to Enroll, without a cookie of our own and without anything stored in the browser.

Links from a post say in their address where they stand (/courses/x?from=the-post.side), the same for every reader, so
pages stay cacheable; scripts only carry an earlier "from" on. The browser hands the address to Enroll as its referrer.
A browser that has our session cookie anyway, because it signed in or began a purchase, keeps the posts it opens there.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import current_app, request, session

from app import clock
from app.accounts.seeing import is_seeing_as_other
from app.accounts.sessions import has_session_cookie
from app.blog.services import find_post_ids
from app.checkout.touches import MOST_TOUCHES, Origin, Touch, clean_utm
from app.config import Settings
from app.site.viewer import get_viewer

KEY = "came_from"
UTM_KEY = "utm"
REMEMBERED_FOR = timedelta(days=30)
PLACES = ("side", "end", "text")
LONGEST_QUERY = 2_000
# One step of "from": a post's slug, and perhaps the place on it.
STEP = re.compile(r"([a-z0-9][a-z0-9-]{0,159})(?:\.([a-z]{1,20}))?")
COURSE_LINK = re.compile(r'(<a [^>]*?href=")(/courses/[a-z0-9-]+)((?:#[^"]*)?")')
# Programs that fetch pages; whoever pretends to be a browser in every header is counted as one.
ROBOTS = re.compile(
    r"bot|crawl|spider|slurp|archiver|fetch|monitor|preview|python|curl|wget|http-client", re.IGNORECASE
)

Step = tuple[str, str, int]


def is_reading() -> bool:
    """Whether a person opens a page with this request, as well as headers tell: no robot, no prefetch, no staff.

    Source: Fetch Metadata Request Headers (W3C): browsers send Sec-Fetch-Dest with every request, programs rarely do.
    """
    headers = request.headers
    if request.method != "GET" or headers.get("Sec-Fetch-Dest") != "document" or is_seeing_as_other():
        return False
    if "prefetch" in headers.get("Sec-Purpose", headers.get("Purpose", "")) or ROBOTS.search(
        headers.get("User-Agent", "")
    ):
        return False
    viewer = get_viewer()
    return viewer is None or not viewer.is_staff


def note_page(slug: str = "") -> None:
    """Keep the post, and UTM values in the address, in the session of a browser that has one; nothing for others."""
    if not has_session_cookie() or not is_reading():
        return
    utm = clean_utm(request.args)
    if utm:
        session[UTM_KEY] = utm
    if slug:
        _remember(_join(_read_remembered(), [*_read_steps(request.args.get("from", "")), (slug, "", _now())]))


def mark_course_links(html: str, slug: str) -> str:
    """A post's text with its links to courses saying where they stand."""
    return COURSE_LINK.sub(rf"\g<1>\g<2>?from={slug}.text\g<3>", html)


def read_origin() -> Origin:
    """How the buyer who presses Enroll in this request came here; also kept in the session that begins with it."""
    fields = _read_fields()
    latest = _read_steps(fields.get("from", ""))
    slug, place = request.form.get("post", ""), request.form.get("place", "")
    if STEP.fullmatch(slug):
        latest.append((slug, place if place in PLACES else "", _now()))
    steps = _join(_read_remembered(), latest)
    if steps:
        _remember(steps)
    post_ids = find_post_ids({step[0] for step in steps})
    return Origin(
        touches=[
            Touch(post_id=post_ids[slug], place=place, at=datetime.fromtimestamp(moment, UTC))
            for slug, place, moment in steps
            if slug in post_ids
        ],
        utm=clean_utm(fields) or clean_utm(_read_dict(UTM_KEY)),
    )


def read_came() -> str:
    """What our checkout page carries on in a field: "from" and UTM values of the page before it, as a query."""
    fields = _read_fields()
    steps = ",".join(f"{slug}.{place}" if place else slug for slug, place, _ in _read_steps(fields.get("from", "")))
    return urlencode({**({"from": steps} if steps else {}), **clean_utm(fields)})


def _read_fields() -> dict[str, str]:
    """The parameters of the page that Enroll stood on: of the field that carries them on, else of the referrer."""
    came = request.form.get("came")
    if came is None:
        settings: Settings = current_app.config["SETTINGS"]
        referrer = request.headers.get("Referer", "")
        came = urlsplit(referrer).query if referrer.startswith(settings.public_url + "/") else ""
    return dict(parse_qsl(came[:LONGEST_QUERY]))


def _read_steps(text: str) -> list[Step]:
    moment = _now()
    found = [STEP.fullmatch(part) for part in text[:LONGEST_QUERY].split(",")]
    return [(match[1], match[2] if match[2] in PLACES else "", moment) for match in found if match is not None]


def _join(known: list[Step], latest: list[Step]) -> list[Step]:
    """One path of two; the same post twice in a row is one, and what is known is told again only as the last."""
    slugs = {slug for slug, _, _ in known}
    path: list[Step] = []
    for slug, place, moment in [*known, *(each for each in latest[:-1] if each[0] not in slugs), *latest[-1:]]:
        if path and path[-1][0] == slug:
            path[-1] = (slug, place or path[-1][1], path[-1][2])
        else:
            path.append((slug, place, moment))
    return path


def _read_remembered() -> list[Step]:
    if not has_session_cookie():
        return []
    oldest = (clock.now() - REMEMBERED_FOR).timestamp()
    kept = session.get(KEY, [])
    return [(str(slug), str(place), int(moment)) for slug, place, moment in kept if moment >= oldest]


def _remember(path: list[Step]) -> None:
    """Keep the first post and the latest ones."""
    kept = path if len(path) <= MOST_TOUCHES else [path[0], *path[1 - MOST_TOUCHES :]]
    session[KEY] = [list(step) for step in kept]


def _read_dict(key: str) -> Mapping[str, Any]:
    found = session.get(key, {}) if has_session_cookie() else {}
    return found if isinstance(found, dict) else {}


def _now() -> int:
    return int(clock.now().timestamp())
