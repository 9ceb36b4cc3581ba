"""Finding one person among many: by address, name, order number, or any id of an order of theirs."""

from sqlalchemy import ColumnElement, false, or_, select

from app.accounts.models import User
from app.checkout.models import Order
from app.db import db
from app.reports.order_search import MACHINE_ID, NUMBER, list_orders_of_id
from app.word_search import find_words, match_words

MOST_HITS = 20


def match_people(text: str) -> ColumnElement[bool]:
    """The condition on User that the text asks for; each of its parts has an index of its own.

    An id matches exactly, an address by how it begins, a name by how its words begin.
    """
    if text.startswith("usr_"):
        return User.public_id == text
    if MACHINE_ID.fullmatch(text):
        return _match_buyers(Order.id.in_(list_orders_of_id(text)))
    parts = [User.email.startswith(text.lower(), autoescape=True)]
    number = NUMBER.fullmatch(text)
    if number is not None:
        parts.append(_match_buyers(Order.number == int(number.group(1))))
    words = find_words(text)
    if words and "@" not in text:
        parts.append(match_words(words, User.name.expression))
    return or_(*parts)


def search_people(text: str) -> tuple[User, ...]:
    """The accounts that the text names, newest first, at most MOST_HITS."""
    return tuple(db.session.scalars(select(User).where(match_people(text)).order_by(User.id.desc()).limit(MOST_HITS)))


def _match_buyers(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Read first: a condition on other tables would keep the database from the indexes of this one."""
    rows = db.session.execute(select(Order.user_id, Order.email).where(condition)).all()
    ids = {row.user_id for row in rows if row.user_id is not None}
    addresses = {row.email for row in rows if row.email is not None}
    if not rows:
        return false()
    return or_(User.id.in_(sorted(ids)), User.email.in_(sorted(addresses)))
