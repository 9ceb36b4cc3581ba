"""Refusals that only programs meet."""

from app.errors import InvalidInput


class InvalidCursor(InvalidInput):
    """The cursor is none of ours."""

    code = "invalid_cursor"
    status = 422
    sentence = "cursor: Use the next_cursor of the page before, or leave it out to start again."

    def __init__(self) -> None:
        super().__init__(field="cursor")
