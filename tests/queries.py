"""Counting the statements a block runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from app.config import current_settings
from app.db import db


@contextmanager
def count_queries() -> Iterator[list[str]]:
    """The SQL statements that run inside the block, without the database's own housekeeping.

    The settings in force are read before; a request inside the block reads them anew, as each one does.
    """
    current_settings()
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
