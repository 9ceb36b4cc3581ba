"""The back-office's list of learners: which, in what order, and the same rows as CSV.

Somebody bought what their account bought and what was bought with their address. People who bought and have no account
yet are a view of their own: rows of orders, one for each address.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import aliased

from app.accounts.models import User, UserSession
from app.accounts.permissions import list_permissions
from app.catalog.models import Course, ProductCourse
from app.checkout.models import Order as Purchase
from app.checkout.models import OrderItem
from app.db import db
from app.enrollment.manual_grants import BY_HAND
from app.enrollment.models import Grant
from app.money import to_decimal
from app.reports.keyset import Cursor, Order, Slice, read_slice, seek
from app.reports.ledger_export import quote_formula
from app.reports.order_lists import CHARGED
from app.reports.order_search import match_orders
from app.reports.people_search import match_people

BATCH_SIZE = 500
GUESTS = "guests"  # the view of those who bought and have no account
SORTS: dict[str, ColumnElement[Any]] = {
    "joined": User.id.expression,
    "name": User.name.expression,
    "email": User.email.expression,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PeopleQuery:
    """Which people: "" and None leave a condition out. course is a public id, since and until are UTC moments."""

    view: str = ""
    text: str = ""
    course: str = ""
    since: datetime | None = None
    until: datetime | None = None
    sort: str = "joined"
    is_descending: bool = True

    @property
    def of_guests(self) -> bool:
        """Whether the rows are addresses without an account."""
        return self.view == GUESTS


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonRow:
    """A person in the list; public_id is "" for an address without an account, joined_at then its latest order's.

    state: "active", "unproved" (never signed in), "closed", "guest". paid_amounts: minor units by currency.
    """

    public_id: str
    name: str
    email: str
    state: str
    is_staff: bool
    joined_at: datetime
    last_seen_at: datetime | None
    course_count: int
    order_count: int
    paid_amounts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonCsvRow:
    """A person as a spreadsheet reads it."""

    person: str
    name: str
    email: str
    state: str
    joined_at: str
    last_signed_in_at: str
    courses: int
    orders: int
    paid: str


CSV_COLUMNS = tuple(field.name for field in fields(PersonCsvRow))


def list_people(query: PeopleQuery, cursor: Cursor) -> Slice[PersonRow]:
    """A page of the list."""
    found = read_slice(select_people(query), make_order(query), cursor)
    return replace(found, rows=_shape(query, found.rows))


def select_people(query: PeopleQuery) -> Select[Any]:
    """The people that fit, not sorted: accounts, or for the view of guests the latest order of each address."""
    return _select_guests(query) if query.of_guests else select(User).where(*_list_conditions(query))


def make_order(query: PeopleQuery) -> Order:
    """What select_people() is sorted by."""
    if query.of_guests:
        columns: dict[str, Any] = {"name": Purchase.customer_name, "email": Purchase.email}
        column = columns.get(query.sort, Purchase.id)
        table: Any = Purchase
    else:
        column, table = SORTS[query.sort], User
    # The very same object for both, so that the order by id is one of one column.
    row_id = column if column.key == "id" else table.id.expression
    return Order(column=column, id=row_id, public_id=table.public_id, is_descending=query.is_descending)


def list_course_choices() -> tuple[tuple[str, str], ...]:
    """The courses a list may be narrowed to, as (public id, title)."""
    rows = db.session.execute(
        select(Course.public_id, Course.title).where(Course.deleted_at.is_(None)).order_by(Course.title)
    )
    return tuple((public_id, title) for public_id, title in rows)


def iterate_people_rows(query: PeopleQuery) -> Iterator[list[str | int]]:
    """The CSV's cells, row by row in the list's order: exactly the people that fit when it began, in batches.

    No cell is taken for a formula by a spreadsheet (attack A60).
    """
    table: Any = Purchase if query.of_guests else User
    statement = seek(select_people(query), make_order(query)).with_only_columns(table.id)
    ids = list(db.session.scalars(statement))
    for start in range(0, len(ids), BATCH_SIZE):
        batch = ids[start : start + BATCH_SIZE]
        found = {row.id: row for row in db.session.scalars(select(table).where(table.id.in_(batch)))}
        for row in _shape(query, [found[row_id] for row_id in batch if row_id in found]):
            yield _write_cells(row)
        # What was written is not needed again, and a long list must not fill the memory.
        db.session.expunge_all()


def bought_by(user: Any) -> ColumnElement[bool]:
    """The condition on Order that it is this account's or was bought with its address; user is User or one of them."""
    return or_(Purchase.user_id == user.id, Purchase.email == user.email)


def name_state(user: User) -> str:
    """ "active", "unproved" or "closed"."""
    if not user.active:
        return "closed"
    return "active" if user.confirmed_at is not None else "unproved"


def _list_conditions(query: PeopleQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.view == "closed":
        conditions.append(User.active.is_(False))
    elif query.view == "unproved":
        conditions.append(User.confirmed_at.is_(None))
    elif query.view == "given":
        conditions.append(User.id.in_(select(Grant.user_id).where(BY_HAND, Grant.revoked_at.is_(None))))
    if query.view == "bought" or query.since is not None or query.until is not None:
        paid = [Purchase.number.is_not(None), *_paid_between(query)]
        # Two questions, each with an index of its own.
        conditions.append(
            or_(
                select(Purchase.id).where(Purchase.user_id == User.id, *paid).exists(),
                select(Purchase.id).where(Purchase.email == User.email, *paid).exists(),
            )
        )
    if query.course:
        learners = select(Grant.user_id).join(Course, Course.id == Grant.course_id)
        conditions.append(User.id.in_(learners.where(Course.public_id == query.course, Grant.revoked_at.is_(None))))
    if query.text:
        conditions.append(match_people(query.text))
    return conditions


def _select_guests(query: PeopleQuery) -> Select[Purchase]:
    later = aliased(Purchase)
    is_guest = [Purchase.number.is_not(None), Purchase.user_id.is_(None), Purchase.email.is_not(None)]
    statement = select(Purchase).where(
        *is_guest,
        *_paid_between(query),
        ~select(User.id).where(User.email == Purchase.email).exists(),
        ~select(later.id)
        .where(later.email == Purchase.email, later.id > Purchase.id)
        .where(later.number.is_not(None), later.user_id.is_(None))
        .exists(),
    )
    if query.course:
        statement = statement.where(
            Purchase.id.in_(
                select(OrderItem.order_id)
                .join(ProductCourse, ProductCourse.product_id == OrderItem.product_id)
                .join(Course, Course.id == ProductCourse.course_id)
                .where(Course.public_id == query.course)
            )
        )
    return statement.where(match_orders(query.text)) if query.text else statement


def _paid_between(query: PeopleQuery) -> list[ColumnElement[bool]]:
    return [
        *([Purchase.paid_at >= query.since] if query.since is not None else []),
        *([Purchase.paid_at < query.until] if query.until is not None else []),
    ]


def _shape(query: PeopleQuery, rows: Sequence[Any]) -> list[PersonRow]:
    return _shape_guests(rows) if query.of_guests else _shape_users(rows)


def _shape_users(users: Sequence[User]) -> list[PersonRow]:
    ids = [user.id for user in users]
    courses: dict[int, int] = dict(
        db.session.execute(
            select(Grant.user_id, func.count(Grant.course_id.distinct()))
            .where(Grant.user_id.in_(ids), Grant.revoked_at.is_(None))
            .group_by(Grant.user_id)
        ).all()
    )
    seen: dict[int, datetime] = dict(
        db.session.execute(
            select(UserSession.user_id, func.max(UserSession.created_at))
            .where(UserSession.user_id.in_(ids))
            .group_by(UserSession.user_id)
        ).all()
    )
    by_id = {user.id: user.id for user in users}
    by_email = {user.email: user.id for user in users}
    orders = _sum_orders(
        or_(Purchase.user_id.in_(ids), Purchase.email.in_(list(by_email))),
        lambda user_id, email: by_id.get(user_id) or by_email.get(email),
    )
    return [
        PersonRow(
            public_id=user.public_id, name=user.name, email=user.email, state=name_state(user),
            is_staff=bool(list_permissions(user.roles)), joined_at=user.created_at, last_seen_at=seen.get(user.id),
            course_count=courses.get(user.id, 0), order_count=orders.get(user.id, _NO_ORDERS)[0],
            paid_amounts=orders.get(user.id, _NO_ORDERS)[1],
        )
        for user in users
    ]  # fmt: skip


def _shape_guests(purchases: Sequence[Purchase]) -> list[PersonRow]:
    orders = _sum_orders(Purchase.email.in_([each.email for each in purchases]), lambda _user_id, email: email)
    return [
        PersonRow(
            public_id="", name=each.customer_name, email=each.email or "", state="guest", is_staff=False,
            joined_at=each.created_at, last_seen_at=None, course_count=0,
            order_count=orders.get(each.email, _NO_ORDERS)[0], paid_amounts=orders.get(each.email, _NO_ORDERS)[1],
        )
        for each in purchases
    ]  # fmt: skip


OrderSums = tuple[int, tuple[tuple[str, int], ...]]
_NO_ORDERS: OrderSums = (0, ())


def _sum_orders(condition: ColumnElement[bool], name_owner: Any) -> dict[Any, OrderSums]:
    """Paid orders by owner: how many, and what they paid by currency."""
    rows = db.session.execute(
        select(Purchase.user_id, Purchase.email, Purchase.currency, func.count(), func.sum(CHARGED))
        .where(condition, Purchase.number.is_not(None))
        .group_by(Purchase.user_id, Purchase.email, Purchase.currency)
        .order_by(Purchase.currency)
    ).all()
    counts: dict[Any, int] = {}
    amounts: dict[Any, dict[str, int]] = {}
    for user_id, email, currency, count, amount in rows:
        owner = name_owner(user_id, email)
        counts[owner] = counts.get(owner, 0) + count
        sums = amounts.setdefault(owner, {})
        sums[currency] = sums.get(currency, 0) + int(amount or 0)
    return {owner: (count, tuple(amounts[owner].items())) for owner, count in counts.items()}


def _write_cells(row: PersonRow) -> list[str | int]:
    cells = PersonCsvRow(
        person=row.public_id,
        name=row.name,
        email=row.email,
        state=row.state,
        joined_at=_write_time(row.joined_at),
        last_signed_in_at=_write_time(row.last_seen_at),
        courses=row.course_count,
        orders=row.order_count,
        paid="; ".join(f"{to_decimal(amount, currency):f} {currency.upper()}" for currency, amount in row.paid_amounts),
    )
    return [quote_formula(value) if isinstance(value, str) else value for value in asdict(cells).values()]


def _write_time(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
