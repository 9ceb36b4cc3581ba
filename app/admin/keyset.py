"""A list paged by the last row seen: its cursor in the URL, its neighbors' addresses, how many rows in words."""

from urllib.parse import urlencode

from flask import request

from app.admin.blueprint import blueprint
from app.admin.listing import ListState
from app.reports.keyset import MOST_COUNTED, Cursor

LONGEST_ID = 40


def read_cursor() -> Cursor:
    """Where this request's page begins."""
    return Cursor(after=request.args.get("after", "")[:LONGEST_ID], before=request.args.get("before", "")[:LONGEST_ID])


def tell_count(count: int | None, noun: tuple[str, str]) -> str:
    """ "1 learner", "12 learners", "More than 1,000 learners"; "" where nobody counted."""
    if count is None:
        return ""
    if count > MOST_COUNTED:
        return f"More than {MOST_COUNTED:,} {noun[1]}"
    return f"{count:,} {noun[0] if count == 1 else noun[1]}"


@blueprint.app_template_filter("cursor_url")
def cursor_url(state: ListState, **cursor: str) -> str:
    """The address of the list beyond a cursor: after="…" or before="…"."""
    url = state.url()
    return f"{url}{'&' if '?' in url else '?'}{urlencode(cursor)}"
