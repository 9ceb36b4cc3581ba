"""Cursors: opaque to callers, read without trust."""

import base64
import binascii
import re
from datetime import datetime

from app.api.errors import InvalidCursor

CURSOR = re.compile(r"(?:([0-9T:.+-]{19,40})\|)?([0-9]{1,9})")


def make_cursor(row_id: int, moment: datetime | None = None) -> str:
    """A cursor that points behind a row, and behind its moment where a list is sorted by time."""
    text = f"{moment.isoformat()}|{row_id}" if moment else str(row_id)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_id_cursor(cursor: str) -> int:
    """The row's id of a cursor; 0 for none. Raises InvalidCursor."""
    return _read(cursor, with_moment=False)[1] if cursor else 0


def read_moment_cursor(cursor: str) -> tuple[datetime | None, int]:
    """(moment, row's id) of a cursor; (None, 0) for none. Raises InvalidCursor."""
    return _read(cursor, with_moment=True) if cursor else (None, 0)


def _read(cursor: str, *, with_moment: bool) -> tuple[datetime | None, int]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        found = CURSOR.fullmatch(text)
        if found is None or bool(found[1]) != with_moment:
            raise InvalidCursor
        moment = datetime.fromisoformat(found[1]) if found[1] else None
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor from error
    if moment is not None and moment.utcoffset() is None:
        raise InvalidCursor
    return moment, int(found[2])
