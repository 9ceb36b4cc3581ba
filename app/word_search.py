"""Searching a text by how its words begin, through an index where the database has one for it."""

import re
from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, func, literal_column, or_

from app.db import db

MOST_WORDS = 6
# What stands before a word in names and titles: "Anne-Marie O'Neil", "Pricing/Offers".
BEFORE_WORDS = " -/'"
_SIMPLE: ColumnElement[str] = literal_column("'simple'")
_SPACE: ColumnElement[str] = literal_column("' '")


def find_words(text: str) -> list[str]:
    """The words that somebody typed into a search."""
    return re.findall(r"\w+", text)[:MOST_WORDS]


def match_words(words: Sequence[str], *columns: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether each of the words, one at least, begins a word of the columns' text, in any case.

    PostgreSQL answers through an index over to_tsvector('simple', a || ' ' || b ...) of the same columns in the same
    order.
    """
    text = columns[0]
    for column in columns[1:]:
        text = text.concat(_SPACE).concat(column)
    if db.session().get_bind().dialect.name == "postgresql":
        wanted = " & ".join(f"{word}:*" for word in words)
        found: ColumnElement[bool] = func.to_tsvector(_SIMPLE, text).op("@@")(func.to_tsquery(_SIMPLE, wanted))
        return found
    lowered = func.lower(text)
    return and_(
        *(
            or_(
                lowered.startswith(word.lower(), autoescape=True),
                *(lowered.contains(f"{mark}{word.lower()}", autoescape=True) for mark in BEFORE_WORDS),
            )
            for word in words
        )
    )
